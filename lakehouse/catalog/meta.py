"""`meta.lakehouse`: what a dataset may declare about itself in the dbt project. Unknown keys are errors."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_DURATION = re.compile(r"^(\d+)(s|m|h|d)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: Any) -> Any:
    """`15m`, `1h`, `2d` or `90s` as a timedelta.

    >>> parse_duration("15m")
    datetime.timedelta(seconds=900)
    """
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if not match:
        raise ValueError(f"{value!r} is no duration; write a number and one of s, m, h, d, such as 15m")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Owner = Annotated[str, Field(pattern=r"^(team:[a-z0-9_-]+|[^@\s]+@[^@\s]+)$")]
"""`team:<name>` or an e-mail address, as Dagster accepts them."""


class _Declaration(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Freshness(_Declaration):
    """How old the newest materialization may be, and the newest data; at least one minute, warning before failure."""

    warn_after: Duration | None = None
    fail_after: Duration
    column: str | None = None
    """The date or timestamp that says how new the data is; the column of the partitions when there are any."""

    @model_validator(mode="after")
    def _ordered(self) -> Freshness:
        if self.fail_after < timedelta(minutes=1):
            raise ValueError("fail_after must be at least 1m")
        if self.warn_after is not None and not timedelta(minutes=1) <= self.warn_after < self.fail_after:
            raise ValueError("warn_after must be at least 1m and shorter than fail_after")
        return self


Granularity = Literal["hour", "day", "month"]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no IANA time zone, such as UTC or Europe/Berlin")
    return name


class PartitionBy(_Declaration):
    """Partitions by the period of a date or timestamp column.

    A timestamp is one in UTC. Periods in another time zone are those of a date column, which holds that zone's days.
    """

    column: str
    granularity: Granularity = "day"
    start: date
    """The first day of the first period."""
    end: date | None = None
    """Exclusive; for data sets that are complete."""
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """Where days and months begin (IANA name)."""
    expression: str | None = None
    """SQL that gives the column from the landed ones, where the source has no such column (bronze only)."""

    @model_validator(mode="after")
    def _whole_periods(self) -> PartitionBy:
        if self.end is not None and self.end <= self.start:
            raise ValueError("end must be after start")
        if self.granularity == "month":
            for name, day in (("start", self.start), ("end", self.end)):
                if day is not None and day.day != 1:
                    raise ValueError(f"{name} must be the first day of a month")
        if self.granularity == "hour" and self.timezone != "UTC":
            raise ValueError("hours are those of UTC; remove timezone")
        return self


class Dimension(_Declaration):
    """A reflection's dimension; granularity `date` truncates timestamps to the day."""

    column: str
    granularity: Literal["date", "normal"] = "normal"


Computation = Literal["sum", "count", "min", "max"]


class Measure(_Declaration):
    column: str
    computations: tuple[Computation, ...] = Field(min_length=1)


class Reflection(_Declaration):
    """A Dremio reflection of the dataset that declares it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: Literal["raw", "aggregate"]
    display: tuple[str, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    partition_by: tuple[str, ...] = ()
    sort_by: tuple[str, ...] = ()
    refresh: Literal["after_each_materialization"] = "after_each_materialization"
    sample_query: str | None = None
    """A query that the reflection must accelerate; `{relation}` stands for the dataset."""

    @model_validator(mode="after")
    def _fields_fit_type(self) -> Reflection:
        if self.type == "raw" and (not self.display or self.dimensions or self.measures):
            raise ValueError(
                f"reflection {self.name}: a raw reflection declares display, and no dimensions or measures"
            )
        if self.type == "aggregate" and (not self.dimensions or self.display):
            raise ValueError(
                f"reflection {self.name}: an aggregate reflection declares dimensions, and no display"
            )
        return self


Drift = Literal["ignore", "warn", "fail"]
"""What a difference between landing and the contract does: nothing, a warning of the asset check, or a
refusal of the merge, so that the table stays as it is."""


TYPES = r"^(boolean|int|bigint|float|double|decimal\(\d{1,2}, ?\d{1,2}\)|varchar|date|time|timestamp)$"
"""Dremio's names of the types that a bronze column may have."""


class ContractColumn(_Declaration):
    """A column as bronze holds it; a row whose value is another goes to quarantine."""

    name: str
    type: str | None = Field(default=None, pattern=TYPES)
    """Dremio's name of the type. Landed values are cast to it where no information gets lost; none is cast
    without a type. Nested columns are declared without."""
    nullable: bool = True
    """Rows that only delete their key are not asked."""


class AllowedDrift(_Declaration):
    """What may differ in landing, column by column."""

    new: Drift = "warn"
    """A column that the contract does not declare, or the table does not have. It flows through, nullable."""
    dropped: Drift = "warn"
    """A column that is no longer landed. It stays and is NULL in new rows; a primary key may not go."""
    retyped: Drift = "warn"
    """A landed type that does not widen to the column's. Values are cast to a type that the contract
    declares, and rows of which one does not fit go to quarantine; without a declared type all rows that have
    a value of the other type do."""


class Contract(_Declaration):
    """What the landed rows of a table have to be. Rows that are not go to quarantine, and the others on.

    Columns that are not declared are expected as the table has them. A row without its primary key goes to
    quarantine with or without a contract.
    """

    columns: tuple[ContractColumn, ...] = ()
    """A list, because dbt renames keys of its adapter's choice wherever they stand: `user` would become `UID`."""
    drift: AllowedDrift = AllowedDrift()

    @model_validator(mode="after")
    def _each_column_once(self) -> Contract:
        names = [column.name for column in self.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"column {twice[0]} is declared twice")
        return self


class Reconciliation(_Declaration):
    """A figure of the dataset that another dataset must give too."""

    model_config = ConfigDict(populate_by_name=True)

    other: str = Field(alias="with", pattern=r"^(bronze/[^/]+/[^/]+|(silver|gold)/[^/]+)$")
    """The other dataset's asset key: `bronze/shop/orders`."""
    ours: str
    theirs: str
    """SQL of Dremio's that aggregates the rows of a dataset into one number: `count(*)`."""
    tolerance: float = Field(default=0, ge=0)
    """How far apart the two may be."""

    @property
    def other_key(self) -> tuple[str, ...]:
        """The other dataset's key in the catalogue."""
        return tuple(self.other.split("/"))


Tier = Literal["every_15_minutes", "every_6_hours", "daily"]
"""How often a table is synced at least, from the most to the least often."""


class TableMeta(_Declaration):
    """`meta.lakehouse` of a dbt source table: how its stream becomes a bronze table."""

    connection: str
    """Name of the Airbyte connection that lands the stream."""
    stream: str
    primary_key: tuple[str, ...] = Field(min_length=1)
    partition_by: PartitionBy | None = None
    contract: Contract = Contract()
    schedule: Tier | None = None
    """A connection is synced as often as the most frequent of its tables; without any, by the nightly batch only."""
    freshness: Freshness | None = None
    owner: Owner | None = None
    reconcile: tuple[Reconciliation, ...] = ()


PlatformRecords = Literal["syncs", "runs", "freshness", "reflections"]
"""What the platform tells of itself."""


class PlatformMeta(_Declaration):
    """`meta.lakehouse` of a dbt source table that the platform fills with what it knows of itself."""

    platform: PlatformRecords
    freshness: Freshness | None = None
    owner: Owner | None = None


class Unified(_Declaration):
    """A lambda view: hot rows from bronze, cold rows from the batch (dbt_project/macros/unified.sql).

    All columns named here are columns of the batch's model and of its bronze table, under the same names.
    """

    key: tuple[str, ...] = Field(min_length=1)
    """Columns of which every bronze row has other values."""
    same: tuple[str, ...] = ()
    """The batch's row of a cold day stands only while these agree with bronze: what changes with every change of
    a row, such as `updated_at`. Without, changes of cold rows wait for the batch."""
    hot_days: int = Field(ge=0)
    """Full days before the one on which the view is built that are always computed from bronze, with that one."""


class ModelMeta(_Declaration):
    """`meta.lakehouse` of a dbt model or snapshot."""

    partition_by: PartitionBy | None = None
    lookback: Duration | None = None
    """How far before its window a run reads the datasets that have partitions; the window that it writes stays.
    A change of a period then reaches the later periods that read it."""
    unified: Unified | None = None
    freshness: Freshness | None = None
    owner: Owner | None = None
    unique_key: tuple[str, ...] = ()
    """Columns of which no two rows have the same values: counted after each materialization, in its days only."""
    reconcile: tuple[Reconciliation, ...] = ()
    reflections: tuple[Reflection, ...] = ()

    @model_validator(mode="after")
    def _models_compute_their_columns(self) -> ModelMeta:
        if self.partition_by and self.partition_by.expression:
            raise ValueError(
                "partition_by.expression is for source tables; a model computes the column in its SQL"
            )
        return self

    @model_validator(mode="after")
    def _whole_lookback(self) -> ModelMeta:
        if self.lookback is None:
            return self
        if self.partition_by is None or self.partition_by.granularity == "month":
            raise ValueError("lookback is for models with partitions by hour or day")
        unit = self.partition_by.granularity
        if not self.lookback or self.lookback % timedelta(**{f"{unit}s": 1}):
            raise ValueError(f"lookback must be whole {unit}s, and at least one")
        return self

    @model_validator(mode="after")
    def _views_have_no_partitions(self) -> ModelMeta:
        if self.unified and self.partition_by:
            raise ValueError("unified: a view has no partitions; remove partition_by")
        return self


class ExposureMeta(_Declaration):
    """`meta.lakehouse` of a dbt exposure: a dashboard."""

    freshness: Freshness | None = None

    @model_validator(mode="after")
    def _has_no_rows(self) -> ExposureMeta:
        if self.freshness and self.freshness.column:
            raise ValueError("freshness.column is for tables and models; a dashboard has no rows of its own")
        return self
