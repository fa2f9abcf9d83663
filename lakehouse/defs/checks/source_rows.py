"""Whether a bronze table has the rows of its source, though both go on changing.

The two are never read at one moment. So a count of the source is kept with the position of its log, and is held against
the table once everything before that position is merged, give or take the rows that came and went since.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster import AssetRecordsFilter

from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look
from lakehouse.defs.checks.source import asked_table, count, declared_source, nothing_pending

NAME = "rows_as_in_source"
MANY_ROWS, AT_MOST_EVERY = 100_000, timedelta(minutes=10)
"""A table of more rows is counted in its source once in that time: people work there."""
_EVENTS = 1000


def _look_at(dataset: Dataset, look: Look) -> Facts:
    table = asked_table(dataset)
    if look.stored(dataset).rows > MANY_ROWS and (lately := look.lately(dataset, NAME, AT_MOST_EVERY)):
        return lately
    in_source, stands = count(table, look)
    merged = stands.landed if nothing_pending(table, look) else 0
    rows = look.stored_now(dataset).rows
    earlier = look.before(dataset, NAME)
    kept: dict[str, Any] = (earlier[0].metadata.get("unproven") if earlier else None) or {}
    now = {"at": stands.at, "position": stands.written, "rows": in_source}
    metadata: dict[str, Any] = {"rows": rows, "source_rows": in_source, "difference": rows - in_source}
    if rows == in_source:
        return {
            "passed": True,
            "metadata": metadata | {"unproven": dg.MetadataValue.json({})} | look.asked_now(),
        }
    proof = now if merged >= stands.written else kept
    if not proof or merged < proof["position"]:
        # Nothing is proven: the older count stays, which can be told first.
        told = f"{rows} rows, and {in_source} in the source, of which not every change is merged yet"
        unproven = dg.MetadataValue.json(kept or now)
        return {"passed": True, "description": told, "metadata": metadata | {"unproven": unproven}}
    moved = _rows_moved(dg.AssetKey(dataset.key), look.instance, proof["at"])
    differs = abs(rows - proof["rows"]) > moved
    told = f"{rows} rows; the source had {proof['rows']} when everything merged by now was committed"
    return {
        "passed": not differs,
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": f"{told}, and {moved} came or went since",
        "metadata": metadata
        | {"rows_moved_since": moved, "unproven": dg.MetadataValue.json(now)}
        | look.asked_now(),
    }


def _rows_moved(key: dg.AssetKey, instance: dg.DagsterInstance, after: float) -> int:
    """Rows that merges after a time, in seconds since 1970, inserted or deleted."""
    wanted = AssetRecordsFilter(asset_key=key, after_timestamp=after)
    told = (
        record.asset_materialization.metadata
        for record in instance.fetch_materializations(wanted, limit=_EVENTS).records
        if record.asset_materialization
    )
    return sum(
        int(str(metadata[name].value))
        for metadata in told
        for name in ("inserted", "deleted")
        if name in metadata
    )


ROWS_AS_IN_SOURCE = Kind(
    NAME,
    "As many rows as the source had when what is merged by now was committed.",
    lambda dataset: declared_source(dataset) is not None,
    _look_at,
)
