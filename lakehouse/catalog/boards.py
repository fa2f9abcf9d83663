"""`dashboards/*.yml` of the dbt project, held against the manifest: a chart is over columns that exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from lakehouse.catalog.charts import (
    BarChart,
    Board,
    Chart,
    LineChart,
    Metric,
    NumberChart,
    PieChart,
    TableChart,
    parse_metric,
)
from lakehouse.catalog.datasets import Catalog, Dashboard, Model, PlatformTable
from lakehouse.errors import ConfigurationError

FOLDER = "dashboards"
_NUMBERS = ("tinyint", "smallint", "int", "integer", "bigint", "float", "double", "decimal")
_TIMES = ("date", "timestamp")


Shown = Model | PlatformTable
"""What a chart may be over."""


@dataclass(frozen=True)
class DeclaredBoard:
    """A dashboard's content beside its exposure, and the datasets that its charts are over."""

    dashboard: Dashboard
    board: Board
    datasets: dict[str, Shown]


def load_boards(project_dir: Path, catalog: Catalog) -> dict[str, DeclaredBoard]:
    """Every declared content, by the name of its exposure.

    Raises:
        ConfigurationError: a file that cannot be read, an unknown key, an exposure, model or column that does not
            exist, a chart that is in no row; names file and key.
    """
    boards: dict[str, DeclaredBoard] = {}
    for path in sorted((project_dir / FOLDER).glob("*.yml")):
        declared = _checked(_read(path), path, catalog)
        name = declared.dashboard.name
        if name in boards:
            raise ConfigurationError(f"{name} has a file already", where=_at(path, "dashboard"))
        boards[name] = declared
    return boards


def metrics_of(chart: Chart) -> dict[str, Metric]:
    """The metrics of a chart by their labels; a table of rows has none."""
    return {} if isinstance(chart, TableChart) else {k: parse_metric(v) for k, v in chart.metrics.items()}


def _read(path: Path) -> Board:
    try:
        return Board.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"cannot be read: {' '.join(str(error).split())}", where=f"{FOLDER}/{path.name}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        kinds = {"number", "line", "bar", "pie", "table"}
        # pydantic puts the kind of the chart into the path, which is no key of the file.
        key = ".".join(str(part) for part in first["loc"] if part not in kinds)
        problem = first["msg"].removeprefix("Value error, ")
        problem = "unknown key" if first["type"] == "extra_forbidden" else problem
        raise ConfigurationError(problem, where=_at(path, key)) from None


def _checked(board: Board, path: Path, catalog: Catalog) -> DeclaredBoard:
    exposures = {dashboard.name: dashboard for dashboard in catalog.dashboards}
    if board.dashboard not in exposures:
        raise ConfigurationError(
            f"no exposure of type dashboard is {board.dashboard}",
            where=_at(path, "dashboard"),
            remedy=f"known are {', '.join(exposures)}",
        )
    dashboard = exposures[board.dashboard]
    shown: tuple[Shown, ...] = (*catalog.models, *catalog.platform)
    known = {dataset.name: dataset for dataset in shown if dataset.key in dashboard.upstream}
    for name, chart in board.charts.items():
        key = f"charts.{name}"
        if chart.dataset not in known:
            raise ConfigurationError(
                f"{chart.dataset} is no dataset that {dashboard.name} depends on",
                where=_at(path, f"{key}.dataset"),
                remedy=f"name one of {', '.join(known)}, or add it to the exposure's depends_on",
            )
        for where, column, kinds in _columns_of(chart):
            _require(known[chart.dataset], column, kinds, _at(path, f"{key}.{where}"))
    titles = [chart.title for chart in board.charts.values()]
    for name, chart in board.charts.items():
        if titles.count(chart.title) > 1:
            raise ConfigurationError(
                f"{chart.title!r} is the title of another chart too", where=_at(path, f"charts.{name}.title")
            )
    _require_rows(board, path)
    used = {chart.dataset for chart in board.charts.values()}
    return DeclaredBoard(dashboard, board, {name: found for name, found in known.items() if name in used})


def _columns_of(chart: Chart) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(key, column, kinds of types that it may have) of everything that a chart names; no kinds means any."""
    if chart.last:
        yield "last.column", chart.last.column, _TIMES
    for label, metric in metrics_of(chart).items():
        if metric.column != "*":
            kinds = _NUMBERS if metric.aggregate in ("sum", "avg") else ()
            yield f"metrics.{label}", metric.column, kinds
    match chart:
        case LineChart():
            yield "time", chart.time, _TIMES
        case BarChart() | PieChart():
            yield "by", chart.by, ()
        case TableChart():
            for position, column in enumerate(chart.columns):
                yield f"columns.{position}", column, ()
            yield "greatest", chart.greatest, ()
        case NumberChart():
            pass


def _require(dataset: Shown, name: str, kinds: tuple[str, ...], where: str) -> None:
    columns = {column.name: column.type for column in dataset.columns}
    if name not in columns:
        raise ConfigurationError(
            f"{dataset.name} has no column {name}", where=where, remedy=f"it has {', '.join(columns)}"
        )
    kind = columns[name].partition("(")[0].strip()
    if kinds and kind not in kinds:
        raise ConfigurationError(
            f"column {name} of {dataset.name} is {kind or 'of no declared type'}",
            where=where,
            remedy=f"allowed are {', '.join(kinds)}",
        )


def _require_rows(board: Board, path: Path) -> None:
    placed = [name for row in board.rows for name in row]
    for position, row in enumerate(board.rows):
        if sum(row.values()) > 12:
            raise ConfigurationError(
                f"is {sum(row.values())} twelfths wide", where=_at(path, f"rows.{position}")
            )
    for name in placed:
        if name not in board.charts:
            raise ConfigurationError(f"no chart is {name}", where=_at(path, "rows"))
    for name in board.charts:
        if placed.count(name) != 1:
            problem = f"chart {name} is in {placed.count(name)} places"
            raise ConfigurationError(problem, where=_at(path, "rows"), remedy="name it once")


def _at(path: Path, key: str) -> str:
    return f"{FOLDER}/{path.name}: {key}" if key else f"{FOLDER}/{path.name}"
