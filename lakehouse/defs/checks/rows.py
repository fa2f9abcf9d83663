"""Whether a table has about as many rows as its own history makes one expect."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import dagster as dg

from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look, is_table

NAME = "row_count_is_usual"
HISTORY, LEAST = 30, 5
"""Evaluations that are looked at, and how many there have to be before one can speak of usual."""
_DEVIATIONS = 5
_SIGMA = 1.4826
"""Of a normal distribution the standard deviation is that many median absolute deviations."""
_TENTH, _FEW = 0.1, 10
"""A table of which the rows never changed has no deviation at all: a tenth, or ten rows, is no anomaly."""


def unusual(rows: int, history: Sequence[int]) -> tuple[float, float] | None:
    """The usual number and how far from it is usual too, where `rows` is farther from it; None where it is not.

    >>> unusual(0, [100, 101, 102, 103, 104])
    (102, 10.2)
    >>> unusual(110, [100, 101, 102, 103, 104])
    """
    middle = median(history)
    allowed = _allowed(history)
    emptied = rows == 0 and middle > 0
    return (middle, round(allowed, 1)) if emptied or abs(rows - middle) > allowed else None


def _allowed(history: Sequence[int]) -> float:
    middle = median(history)
    deviation = median(abs(rows - middle) for rows in history)
    return max(_DEVIATIONS * _SIGMA * deviation, _TENTH * middle, _FEW)


def _look_at(dataset: Dataset, look: Look) -> Facts:
    stored = look.stored(dataset)
    metadata = {"rows": stored.rows, "snapshot": stored.snapshot}
    by_snapshot = {stored.snapshot: stored.rows}
    for before in look.before(dataset, NAME, HISTORY):
        if "rows" in before.metadata:
            by_snapshot.setdefault(before.metadata["snapshot"], before.metadata["rows"])
    _, *history = by_snapshot.values()
    if len(history) < LEAST:
        told = f"{len(history)} earlier states are known; {LEAST} are needed to tell what is usual"
        return {"passed": True, "description": told, "metadata": metadata | {"history": len(history)}}
    found = unusual(stored.rows, history)
    metadata |= {
        "history": len(history),
        "usual_rows": float(median(history)),
        "usual_deviation": round(_allowed(history), 1),
    }
    if found is None:
        return {"passed": True, "metadata": metadata}
    return {
        "passed": False,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": f"{stored.rows} rows; usual are {found[0]:g}, give or take {found[1]:g}",
        "metadata": metadata,
    }


ROW_COUNT_IS_USUAL = Kind(
    NAME,
    f"About as many rows as in the last {HISTORY} states of the table (median, and the deviations from it).",
    is_table,
    _look_at,
)
