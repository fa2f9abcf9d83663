"""A long history in a Dagster instance: one real run over all days of one asset, copied to all others.

Run over every asset, Dagster would write for minutes. The rows are its own, in the tables of its SQLite storage.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from lakehouse.defs.automation.execute import Runner

_COPY = """
INSERT INTO event_logs (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
SELECT id + :shift, run_id, replace(replace(event, :old, :new), :run, :code), dagster_event_type, timestamp, step_key,
       :new, partition
FROM event_logs WHERE asset_key = :old AND id <= :rows;
INSERT INTO asset_event_tags (event_id, asset_key, key, value, event_timestamp)
SELECT event_id + :shift, :new, key, value, event_timestamp FROM asset_event_tags WHERE asset_key = :old;
INSERT INTO asset_keys (asset_key, last_materialization, last_run_id, asset_details, last_materialization_timestamp, tags)
SELECT :new, replace(replace(replace(last_materialization, :old, :new), :old_id, :new_id), :run, :code),
       last_run_id, asset_details, last_materialization_timestamp, tags
FROM asset_keys WHERE asset_key = :old
"""


def write_history(
    instance: dg.DagsterInstance,
    home: Path,
    code_versions: Mapping[dg.AssetKey, str | None],
    partitions: dg.PartitionsDefinition,
) -> None:
    """Make all partitions of the assets, which are given upstream first with their code, materialized once.

    Args:
        home: DAGSTER_HOME of the instance, as `lakehouse up` writes it.
    """
    first, *others = code_versions

    @dg.asset(key=first, partitions_def=partitions, backfill_policy=dg.BackfillPolicy.single_run())
    def history() -> None: ...

    days = partitions.get_partition_keys()
    run = Runner(dg.Definitions(assets=[history]), instance, "bench").run([first], (days[0], days[-1]))
    with sqlite3.connect(home / "history" / "runs" / "index.db") as database:
        rows = database.execute("SELECT max(id) FROM event_logs").fetchone()[0]
        newest = database.execute("SELECT last_materialization FROM asset_keys").fetchone()[0]
        storage_id = json.loads(newest)["storage_id"]
        for number, key in enumerate(others, 1):
            shift = number * rows
            values = {
                "old": first.to_string(),
                "new": key.to_string(),
                "old_id": f'"storage_id": {storage_id}',
                "new_id": f'"storage_id": {storage_id + shift}',
                "shift": shift,
                "rows": rows,
                "run": f'"dagster/code_version": "{run.run_id}"',  # what an asset without one gets
                "code": f'"dagster/code_version": "{code_versions[key] or run.run_id}"',
            }
            for statement in _COPY.split(";"):
                database.execute(statement, values)
    database.close()
