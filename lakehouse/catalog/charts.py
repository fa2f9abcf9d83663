"""What a dashboard's file may declare: charts over columns of the project's models. Unknown keys are errors."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
AGGREGATES = ("count", "count_distinct", "sum", "avg", "min", "max")
_METRIC = re.compile(rf"^({'|'.join(AGGREGATES)})\((\*|[a-z_][a-z0-9_]*)\)$")


class Metric(NamedTuple):
    """An aggregate of a column; the column is `*` for count(*)."""

    aggregate: str
    column: str


def parse_metric(text: str) -> Metric:
    """Read an aggregate.

    >>> parse_metric("sum(amount)")
    Metric(aggregate='sum', column='amount')

    Raises:
        ValueError: it is none.
    """
    match = _METRIC.match(text)
    if match is None or (match[2] == "*" and match[1] != "count"):
        raise ValueError(
            f"{text!r} is no metric; write count(*) or one of {', '.join(AGGREGATES)} of a column: sum(amount)"
        )
    return Metric(match[1], match[2])


def _readable(text: str) -> str:
    parse_metric(text)
    return text


MetricText = Annotated[str, AfterValidator(_readable)]
Metrics = Annotated[dict[str, MetricText], Field(min_length=1)]
"""By the label that people read."""


class _Declaration(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LastDays(_Declaration):
    """Only rows whose date is in the last whole days before today."""

    column: str
    days: int = Field(ge=1)


class _Chart(_Declaration):
    title: str
    dataset: str
    """A model that the exposure depends on."""
    last: LastDays | None = None


class NumberChart(_Chart):
    """One figure."""

    type: Literal["number"]
    metrics: Annotated[dict[str, MetricText], Field(min_length=1, max_length=1)]
    format: str = ",d"
    """How it is written, in d3's notation."""


class LineChart(_Chart):
    """Figures over time."""

    type: Literal["line"]
    time: str
    grain: Grain = "day"
    metrics: Metrics


class BarChart(_Chart):
    """Figures of the largest groups."""

    type: Literal["bar"]
    by: str
    metrics: Metrics
    limit: int = Field(default=20, ge=1, le=1000)


class PieChart(_Chart):
    """The parts of a whole."""

    type: Literal["pie"]
    by: str
    metrics: Annotated[dict[str, MetricText], Field(min_length=1, max_length=1)]
    limit: int = Field(default=10, ge=1, le=100)


class TableChart(_Chart):
    """Rows as they are, the greatest of a column first."""

    type: Literal["table"]
    columns: tuple[str, ...] = Field(min_length=1)
    greatest: str
    limit: int = Field(default=20, ge=1, le=1000)


Chart = Annotated[NumberChart | LineChart | BarChart | PieChart | TableChart, Field(discriminator="type")]


class Board(_Declaration):
    """One file of `dashboards/`: the content of the exposure of that name."""

    dashboard: str
    """The exposure, which has the title, the description and the owner."""
    charts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Chart] = Field(min_length=1)
    rows: tuple[dict[str, Annotated[int, Field(ge=2, le=12)]], ...] = Field(min_length=1)
    """From top to bottom, each a mapping of charts to their widths, in twelfths."""
