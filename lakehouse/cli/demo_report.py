"""What the demo shows: progress while it works, every dataset, and two answers, all read back from the stores."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.status import Status

    from lakehouse.defs.automation.execute import Runner
    from lakehouse.defs.automation.refresh import Step
    from lakehouse.settings import Settings

FLIGHT_QUESTION = (
    "SELECT order_date, SUM(amount) AS amount, COUNT(*) AS orders FROM lake.gold.fct_orders "
    "GROUP BY order_date ORDER BY order_date DESC LIMIT 5"
)
REST_QUESTION = (
    "SELECT c.carrier_name, SUM(p.flights) AS flights, SUM(p.delayed_over_15) AS delayed "
    "FROM lake.gold.fct_daily_punctuality p JOIN lake.gold.dim_carriers c ON p.carrier = c.carrier "
    "GROUP BY c.carrier_name ORDER BY flights DESC LIMIT 5"
)


class Progress:
    """A spinner for what runs, a line for what is done."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(highlight=False, soft_wrap=True, quiet=quiet)
        if not self.console.is_terminal:
            self.console.width = 140  # a log file is as wide as its lines
        self._status: Status | None = None
        self._started = 0.0

    def start(self, name: str) -> None:
        """Something begins."""
        self.stop()
        self._started = time.monotonic()
        self._status = self.console.status(name)
        self._status.start()

    def done(self, name: str, text: str) -> None:
        """It has ended well."""
        seconds = time.monotonic() - self._started
        self.stop()
        self.line(name, f"{text} [dim]{seconds:.1f} s[/]")

    def line(self, name: str, text: str) -> None:
        """One line of the log."""
        self.console.print(f"[green]✓[/] {name:<32} {text}")

    def step(self, step: Step) -> None:
        """A run has ended; the next begins."""
        self.stop()
        days = f" {step.window[0]}..{step.window[1]}" if step.window else ""
        mark = "[green]✓[/]" if step.result.succeeded else "[red]✗[/]"
        text = f"{len(step.keys)} assets{days} [dim]{step.result.seconds:.1f} s[/]"
        self.console.print(f"{mark} {step.name:<32} {text}")
        for line in step.result.failed_checks:
            self.console.print(f"[yellow]![/] {escape(line)}")
        if step.result.succeeded:
            self.start("next run")

    def stop(self) -> None:
        """Nothing runs."""
        if self._status is not None:
            self._status.stop()
            self._status = None


@dataclass(frozen=True)
class Answer:
    """A question, how it was asked, and its rows."""

    protocol: str
    sql: str
    columns: list[str]
    rows: list[tuple[Any, ...]]
    seconds: float


def answers(settings: Settings) -> list[Answer]:
    """The two questions, one over Arrow Flight and one over REST."""
    from lakehouse.clients.dremio import DremioClient

    with DremioClient(settings.dremio) as dremio:
        started = time.monotonic()
        flight = dremio.query(FLIGHT_QUESTION)
        over_flight = time.monotonic() - started
        started = time.monotonic()
        rest = dremio.rows(REST_QUESTION)
        over_rest = time.monotonic() - started
    flight_rows = [tuple(row.values()) for row in flight.to_pylist()]
    rest_rows = [tuple(row.values()) for row in rest]
    return [
        Answer("Arrow Flight", FLIGHT_QUESTION, flight.column_names, flight_rows, over_flight),
        Answer("REST", REST_QUESTION, list(rest[0]) if rest else [], rest_rows, over_rest),
    ]


def show_answers(console: Console, found: list[Answer]) -> None:
    """Print them as tables."""
    for answer in found:
        table = Table(
            title=f"{answer.protocol}, {answer.seconds * 1000:.0f} ms: {answer.sql}", title_justify="left"
        )
        for name in answer.columns:
            table.add_column(name)
        for row in answer.rows:
            table.add_row(*(str(value) for value in row))
        console.print(table)


def show_datasets(runner: Runner, settings: Settings, console: Console) -> None:
    """Every dataset as its last materialization told: rows, bytes, seconds, and how old its data may be."""
    table = Table(title="Datasets", title_justify="left")
    for name, justify in (
        ("dataset", "left"),
        ("rows", "right"),
        ("size", "right"),
        ("seconds", "right"),
        ("freshness", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in dataset_rows(runner, settings):
        table.add_row(*row)
    console.print(table)


def dataset_rows(runner: Runner, settings: Settings) -> list[tuple[str, str, str, str, str]]:
    """(dataset, rows, size, seconds, freshness) of every materializable asset, upstream first."""
    from lakehouse.defs.metadata import CHANGED
    from lakehouse.lake.describe import describe_table
    from lakehouse.lake.iceberg import open_catalog

    graph = runner.defs.resolve_asset_graph()
    catalog = open_catalog(settings)
    rows = []
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        if not node.is_materializable:
            continue
        event = runner.instance.get_latest_materialization_event(key)
        metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
        facts = {name: value.value for name, value in metadata.items()}
        layer, *_, name = key.path
        table = describe_table((layer, name), settings, catalog) if layer in ("silver", "gold") else None
        rows.append(
            (
                key.to_user_string(),
                _number(facts.get("dagster/row_count", facts.get(CHANGED))),
                _size(table.bytes if table else facts.get("bytes")),
                _seconds(facts),
                _freshness(event.timestamp if event else None, node.freshness_policy),
            )
        )
    return rows


def _freshness(at: float | None, policy: Any) -> str:
    if at is None:
        return "never built"
    age = time.time() - at
    limit = getattr(policy, "fail_window", None)
    if limit is None:
        return f"{age:.0f} s old"
    allowed = limit.to_timedelta().total_seconds()
    return f"{'fresh' if age <= allowed else 'STALE'}, {age:.0f} s of {_duration(allowed)}"


def _duration(seconds: float) -> str:
    return f"{seconds / 86400:.0f} d" if seconds >= 86400 else f"{seconds / 3600:.0f} h"


def _seconds(facts: dict[str, Any]) -> str:
    value = facts.get("seconds", facts.get("Execution Duration"))
    return f"{value:.2f}" if isinstance(value, int | float) else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _size(value: Any) -> str:
    if not isinstance(value, int | float) or not value:
        return ""
    return f"{value / 1_048_576:.1f} MB" if value >= 1_048_576 else f"{value / 1024:.0f} KB"
