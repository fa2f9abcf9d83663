"""Gold tables of a small shop, as the project declares them, made by statements on the engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from lakehouse.catalog.datasets import Model
from lakehouse_tests.engine import Engine

DAYS = 45
STATES = ("CA", "NY", "TX")
STATUSES = ("completed", "completed", "cancelled", "pending")
Row = dict[str, Any]


def make_gold(engine: Engine, models: dict[str, Model], today: date) -> None:
    """Fill the models of the dashboard with rows of this many days before today."""
    rows = {
        "customer_metrics": customers(),
        "fct_customer_lifetime_value": customers(),
        "fct_daily_revenue": list(days(today)),
        "fct_orders": list(orders(today)),
    }
    for name, model in models.items():
        engine.rows(f"CREATE TABLE {model.relation} AS {select(model, rows[name])}")


def select(model: Model, rows: list[Row]) -> str:
    names = [column.name for column in model.columns]
    values = ", ".join(f"({', '.join(literal(row.get(name)) for name in names)})" for row in rows)
    casts = ", ".join(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in model.columns)
    return f"SELECT {casts} FROM (VALUES {values}) AS rows_of({', '.join(names)})"


def literal(value: Any) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int | float) else f"'{value}'"


def customers() -> list[Row]:
    return [
        {
            "customer_id": number,
            "customer_name": f"CUSTOMER {number}",
            "state": STATES[number % 3],
            "lifetime_value": 100 * number,
            "total_orders": number,
            "average_order_value": 100,
            "last_order_date": "2026-01-05",
        }
        for number in range(1, 13)
    ]


def days(today: date) -> Iterator[Row]:
    for back in range(1, DAYS + 1):
        day = str(today - timedelta(days=back))
        yield {"order_date": day, "orders": 4, "revenue": 10, "gross_amount": 15, "completed_orders": 2}


def orders(today: date) -> Iterator[Row]:
    for number in range(4 * DAYS):
        day = str(today - timedelta(days=number // 4 + 1))
        yield {"order_id": number, "order_date": day, "status": STATUSES[number % 4], "amount": 5}
