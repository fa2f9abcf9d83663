"""The tick of a connection's sensor of changes, over 100 assets of 2,000 days in a real lake."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.cli.bench.generated_project import TEXT_COLUMNS
from lakehouse.defs.automation.changes.state import State
from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import PermanentError
from lakehouse.settings import Settings, load_settings

CHANGED_DAYS, TIMES = 50, 4
_CHANGES = pa.list_(pa.struct([("field", pa.string()), ("change", pa.string()), ("reason", pa.string())]))
_META = pa.struct([("sync_id", pa.int64()), ("changes", _CHANGES)])


def tick_seconds(
    graph: dg.Definitions, instance: dg.DagsterInstance, days: Sequence[str]
) -> dict[str, float]:
    """Seconds of a tick that finds nothing new, and of one that finds rows changed on scattered days; medians.

    The changed table has a row for each of the days, merged by the platform's own asset.

    Raises:
        PermanentError: a tick asks for runs where it should not, or for none where it should.
    """
    settings = load_settings()
    table = next(table for table in declared_datasets().bronze if table.partition_by is not None)
    _land(table, settings, days)
    Runner(graph, instance, "bench").run([dg.AssetKey(table.key)], (days[0], days[-1]))
    newest = instance.fetch_materializations(dg.AssetKey(table.key), limit=1).records[0]
    cursor = State(built=newest.storage_id).text
    idle = _ticks(graph, instance, table, cursor, asks=False)
    _land(table, settings, days[:: len(days) // CHANGED_DAYS])
    return {"idle": idle, "changed": _ticks(graph, instance, table, cursor, asks=True)}


def _ticks(
    graph: dg.Definitions, instance: dg.DagsterInstance, table: BronzeTable, cursor: str, *, asks: bool
) -> float:
    repository = graph.get_repository_def()
    sensor = repository.get_sensor_def(f"changes_{table.connection}")
    seconds = []
    for _ in range(TIMES):
        context = dg.build_sensor_context(
            instance=instance,
            repository_def=repository,
            cursor=cursor,
            resources={"lakehouse": LakehouseResource()},
        )
        started = time.monotonic()
        result: Any = sensor(context)
        seconds.append(time.monotonic() - started)
        if bool(result.run_requests) is not asks:
            told = f"it asks for {len(result.run_requests)} runs; {result.skip_reason}"
            raise PermanentError(told, where=f"a tick of {sensor.name}")
    return statistics.median(seconds)


def _land(table: BronzeTable, settings: Settings, days: Sequence[str]) -> None:
    """One object, as Airbyte's destination writes it, with a row for each of the days."""
    now = datetime.now(UTC)
    at, count = int(now.timestamp() * 1000), len(days)
    columns: dict[str, Any] = {
        "_airbyte_raw_id": [str(uuid.uuid4()) for _ in days],
        "_airbyte_extracted_at": pa.array([at] * count, pa.timestamp("ms", "UTC")),
        "_airbyte_meta": pa.array([{"sync_id": 1, "changes": []}] * count, _META),
        "_airbyte_generation_id": pa.array([0] * count, pa.int64()),
        "id": pa.array([date.fromisoformat(day).toordinal() for day in days], pa.int64()),
        "day": pa.array([date.fromisoformat(day) for day in days]),
        **{name: [str(at)] * count for name in TEXT_COLUMNS},
    }
    folder = settings.home / "lake" / "landing" / table.source / table.stream / f"date={now.date()}"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"{at}_0.parquet")
