"""How long ago the newest moment is of which every commit in the source is merged.

The log has positions and no times. So each look remembers where the log ended at that time: once that much is merged,
everything committed until then is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look
from lakehouse.defs.checks.source import Position, asked_table, declared_source, nothing_pending, position
from lakehouse.defs.policies import promised_freshness

NAME = "changes_are_merged"
_REMEMBERED = 40
Moment = tuple[float, int]
"""A time, in seconds since 1970, and where the log ended then."""


def _look_at(dataset: Dataset, look: Look) -> Facts:
    table = asked_table(dataset)
    stands = position(table, look)
    idle = nothing_pending(table, look)  # after the position: the order matters
    earlier = look.before(dataset, NAME)
    return _judged(dataset, stands, idle=idle, before=earlier[0].metadata if earlier else {})


def _judged(dataset: Dataset, stands: Position, *, idle: bool, before: dict[str, Any]) -> Facts:
    merged = stands.landed if idle else int(before.get("merged_position", 0))
    moments = [(float(at), int(end)) for at, end in before.get("moments", [])] + [(stands.at, stands.written)]
    known = [at for at, end in moments if end <= merged]
    until = max([float(before.get("merged_until", 0)), stands.landed_at if idle else 0, *known])
    metadata = {
        "source_position": stands.written,
        "merged_position": merged,
        "unread_bytes": max(stands.written - stands.landed, 0),
        "merged_until": until,
        "moments": dg.MetadataValue.json(thinned([moment for moment in moments if moment[1] > merged])),
    }
    if not until:
        told = "nobody knows yet: the log was not read since this check first looked at it"
        return {"passed": True, "description": told, "metadata": metadata}
    lag = timedelta(seconds=0 if merged >= stands.written else max(0, int(stands.at - until)))
    promised = promised_freshness(dataset.key)
    late = lag > promised.fail_after
    return {
        "passed": not late and (promised.warn_after is None or lag <= promised.warn_after),
        "severity": dg.AssetCheckSeverity.ERROR if late else dg.AssetCheckSeverity.WARN,
        "description": f"merged is what was committed until {lag} ago, or later" if lag else "all is merged",
        "metadata": metadata | {"lag_seconds": int(lag.total_seconds())},
    }


def thinned(moments: Sequence[Moment]) -> list[Moment]:
    """Every second moment when there are too many; the oldest and the newest always.

    >>> len(thinned([(float(n), n) for n in range(41)]))
    21
    """
    return list(moments if len(moments) <= _REMEMBERED else [*moments[:-1:2], moments[-1]])


CHANGES_ARE_MERGED = Kind(
    NAME,
    "What the source has committed is merged, no later than the table's freshness allows.",
    lambda dataset: declared_source(dataset) is not None,
    _look_at,
    grows_old=True,
    remembers=True,
)
