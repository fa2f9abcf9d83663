"""Which partitions a dataset may have, given its columns and what it is made of; everything else is refused at load."""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.catalog.datasets import BronzeTable, Model
from lakehouse.errors import ConfigurationError

_ALLOWED = {"hour": ("timestamp",), "day": ("date", "timestamp"), "month": ("date", "timestamp")}


def refuse_unsupported(
    dataset: BronzeTable | Model, upstream: Iterable[BronzeTable | Model], where: str
) -> None:
    """Raises ConfigurationError, which names the place and the key, for partitions that would not come out right."""
    declared = dataset.partition_by
    if declared is None:
        return
    in_utc = declared.timezone == "UTC"
    allowed = _ALLOWED[declared.granularity] if in_utc else ("date",)
    kind = next((column.type for column in dataset.columns if column.name == declared.column), "")
    # Days in UTC are compared as dates, whatever the column is.
    if kind not in allowed and not (in_utc and declared.granularity == "day" and not kind):
        zone = "" if in_utc else f" in {declared.timezone}"
        raise ConfigurationError(
            f"meta.lakehouse.partition_by.column: {declared.column} is declared as {kind or 'no type'}",
            where=where,
            remedy=f"{declared.granularity}s{zone} need a column of data_type {' or '.join(allowed)}",
        )
    for above in upstream:
        _refuse_mismatch(dataset, above, where)


def _refuse_mismatch(dataset: BronzeTable | Model, above: BronzeTable | Model, where: str) -> None:
    declared, theirs = dataset.partition_by, above.partition_by
    if declared is None or theirs is None:
        return
    if declared.timezone != theirs.timezone:
        raise ConfigurationError(
            f"meta.lakehouse.partition_by.timezone: {declared.timezone}, but {above.relation} has"
            f" {theirs.timezone}",
            where=where,
            remedy="give both the same time zone",
        )
    if not isinstance(dataset, Model) or dataset.lookback is None:
        return
    if (declared.granularity, declared.start, declared.end) != (theirs.granularity, theirs.start, theirs.end):
        raise ConfigurationError(
            f"meta.lakehouse.lookback: the partitions of {above.relation} are others",
            where=where,
            remedy="give both the same granularity, start and end",
        )
