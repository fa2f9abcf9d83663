"""Whether two datasets give the same figure: gold's revenue is bronze's revenue."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg

from lakehouse.catalog.meta import Reconciliation
from lakehouse.defs.automation.history import History
from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look
from lakehouse.defs.partitions import keys_within, partitions_of
from lakehouse.defs.project import declared_datasets

NAME = "reconciles"


def _look_at(dataset: Dataset, look: Look) -> Facts:
    datasets = declared_datasets().by_key
    others = [datasets[declared.other_key] for declared in dataset.reconcile]
    whole = [table for other in others if _whole(dataset, other, look) for table in (dataset, other)]
    if whole and (lately := look.spared(dataset, NAME, *whole)):
        return lately
    compared = [
        _compare(dataset, declared, other, look)
        for declared, other in zip(dataset.reconcile, others, strict=True)
    ]
    told = [line["told"] for line in compared if "told" in line]
    return {
        "passed": all(line["outcome"] != "differs" for line in compared),
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": "; ".join(told) or None,
        "metadata": {
            "figures": dg.MetadataValue.json(compared),
            "largest_difference": max(abs(line["difference"]) for line in compared),
            **(look.asked_now() if whole else {}),
        },
    }


def _whole(dataset: Dataset, other: Dataset, look: Look) -> bool:
    """Whether all days have to be read: those of the run are comparable only where both have days."""
    return not (look.is_of_days(dataset) and look.is_of_days(other))


def _compare(dataset: Dataset, declared: Reconciliation, other: Dataset, look: Look) -> dict[str, Any]:
    whole = _whole(dataset, other, look)
    ours = _figure(dataset, declared.ours, look, whole=whole)
    theirs = _figure(other, declared.theirs, look, whole=whole)
    difference = ours - theirs
    line = {
        "with": declared.other,
        "days": "all" if whole else " to ".join(look.days or ()),
        "ours": str(ours),
        "theirs": str(theirs),
        "difference": float(difference),
    }
    if abs(difference) <= Decimal(str(declared.tolerance)):
        return line | {"outcome": "agrees"}
    told = f"{declared.ours} is {ours}, and {declared.theirs} of {declared.other} is {theirs}"
    if _has_moved_on(dataset, other, look):
        told += ", which has changed since: the next materialization is held against it"
        return line | {"outcome": "not comparable", "told": told}
    return line | {"outcome": "differs", "told": f"{told}, {difference:+f} apart"}


def _figure(dataset: Dataset, expression: str, look: Look, *, whole: bool) -> Decimal:
    (row,) = look.ask(dataset, f'{expression} AS "figure"', whole=whole)
    return Decimal(str(row["figure"] or 0))  # the sum of no rows is NULL


def _has_moved_on(dataset: Dataset, other: Dataset, look: Look) -> bool:
    """Whether another run changed the other dataset after the run began that made this one."""
    ours = look.instance.fetch_materializations(dg.AssetKey(dataset.key), limit=1).records
    run = look.instance.get_run_record_by_id(ours[0].run_id) if ours else None
    if run is None or run.start_time is None:
        return False
    partitions = None if _whole(dataset, other, look) else partitions_of(other.partition_by)
    days = None
    if partitions and look.days:
        days = keys_within(partitions.get_partition_keys(), *map(date.fromisoformat, look.days))
    return History(look.instance).changed_by_another_run(
        dg.AssetKey(other.key), run.dagster_run.run_id, run.start_time, days
    )


RECONCILES = Kind(
    NAME,
    "The declared figures are those of the datasets that it is made of.",
    lambda dataset: bool(dataset.reconcile),
    _look_at,
)
