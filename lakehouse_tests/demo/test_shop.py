"""The shop in a real Postgres: made once and whole, changed by traffic, summed up by the true figures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from lakehouse.demo import shop as shop_module
from lakehouse.demo.generator import generate
from lakehouse.demo.shop import connect, load_shop
from lakehouse.demo.traffic import run_traffic
from lakehouse.demo.truth import daily_revenue, lifetime_value
from lakehouse.errors import PermanentError, ServiceDownError, ServiceRefusedError
from lakehouse.settings_sections import PostgresSettings

pytestmark = pytest.mark.slow

TODAY = date(2025, 6, 30)
SCALE, SEED = 0.01, 7


@pytest.fixture
def shop(postgres: PostgresSettings) -> Iterator[psycopg.Connection[Any]]:
    """The generated shop, whatever the test before did to it."""
    load_shop(postgres, scale=SCALE, seed=SEED, today=TODAY, reset=True)
    with connect(postgres) as connection:
        yield connection


def test_it_holds_what_was_generated_and_is_made_once(
    postgres: PostgresSettings, shop: psycopg.Connection[Any]
) -> None:
    generated = generate(SCALE, SEED, TODAY)
    for name, rows in generated.tables().items():
        columns = ", ".join(rows.column_names)
        found = shop.execute(f"SELECT {columns} FROM {name} ORDER BY 1".encode()).fetchall()
        assert found == [tuple(row.values()) for row in rows.to_pylist()], name
    again = load_shop(postgres, scale=SCALE, seed=SEED, today=date(2025, 7, 1))
    assert not again.loaded
    assert again.rows == {name: rows.num_rows for name, rows in generated.tables().items()}


def test_another_shop_is_not_made_over_it_unasked(
    postgres: PostgresSettings, shop: psycopg.Connection[Any]
) -> None:
    with pytest.raises(PermanentError, match=r"--scale 0\.01 --seed 7.*--reset"):
        load_shop(postgres, scale=0.02, seed=SEED, today=TODAY)
    assert load_shop(postgres, scale=0.02, seed=SEED, today=TODAY, reset=True).rows["orders"] == 4000


def test_a_load_that_dies_leaves_what_was_there(
    postgres: PostgresSettings, shop: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.execute("SELECT count(*), sum(amount) FROM orders").fetchone()
    copy = shop_module._copy

    def dying(connection: psycopg.Connection[Any], table: str, rows: Any) -> None:
        if table == "order_items":
            raise ConnectionAbortedError
        copy(connection, table, rows)

    monkeypatch.setattr(shop_module, "_copy", dying)
    with pytest.raises(ConnectionAbortedError):
        load_shop(postgres, scale=0.02, seed=SEED, today=TODAY, reset=True)
    assert shop.execute("SELECT count(*), sum(amount) FROM orders").fetchone() == before
    monkeypatch.undo()
    assert not load_shop(postgres, scale=SCALE, seed=SEED, today=TODAY).loaded


def test_traffic_changes_orders_and_keeps_them_right(
    postgres: PostgresSettings, shop: psycopg.Connection[Any]
) -> None:
    before = dict(shop.execute("SELECT order_id, updated_at FROM orders").fetchall())
    started = shop.execute("SELECT now()").fetchone()
    changes = run_traffic(postgres, per_second=1000, stop=threading.Event(), seed=3)
    counts = list(islice(changes, 60))[-1]
    changes.close()
    assert counts.total() == 60
    assert set(counts) == {"insert", "update", "delete"}
    after = dict(shop.execute("SELECT order_id, updated_at FROM orders").fetchall())
    assert len(after.keys() - before.keys()) <= counts["insert"]
    assert 0 < len(before.keys() - after.keys()) <= counts["delete"]
    changed = [at for order, at in after.items() if before.get(order) != at]
    assert changed
    assert started is not None
    assert all(at >= started[0] for at in changed)
    wrong = shop.execute(
        "SELECT order_id FROM orders LEFT JOIN order_items USING (order_id) GROUP BY order_id, amount "
        "HAVING amount IS DISTINCT FROM sum(line_amount) OR count(DISTINCT order_items.order_date) <> 1"
    ).fetchall()
    assert wrong == []


def test_traffic_goes_on_when_the_database_is_back(
    postgres: PostgresSettings, shop: psycopg.Connection[Any]
) -> None:
    changes = run_traffic(postgres, per_second=1000, stop=threading.Event(), seed=4)
    assert next(changes).total() == 1
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> %s"
    row = shop.execute(ended, (shop.info.dbname, shop.info.backend_pid)).fetchone()
    assert row == (1,)
    assert list(islice(changes, 3))[-1].total() == 4
    changes.close()


def test_traffic_stops_when_asked(postgres: PostgresSettings, shop: psycopg.Connection[Any]) -> None:
    stop = threading.Event()
    stop.set()
    assert list(run_traffic(postgres, per_second=1, stop=stop)) == []


def test_true_figures_count_completed_orders(
    postgres: PostgresSettings, shop: psycopg.Connection[Any]
) -> None:
    orders = generate(SCALE, SEED, TODAY).orders.to_pylist()
    completed = [row for row in orders if row["status"] == "completed"]
    revenue, worth = daily_revenue(postgres), lifetime_value(postgres)
    assert sum(count for count, _ in revenue.values()) == len(orders)
    total = sum((row["amount"] for row in completed), Decimal(0))
    assert sum(amount for _, amount in revenue.values()) == total
    assert sum(amount for _, amount in worth.values()) == total
    assert sum(count for count, _ in worth.values()) == len(completed)
    best = max(worth, key=lambda customer: worth[customer][1])
    assert worth[best][1] == sum(row["amount"] for row in completed if row["customer_id"] == best)


def test_errors_name_the_server_and_the_remedy(postgres: PostgresSettings) -> None:
    wrong = postgres.model_copy(update={"password": SecretStr("wrong")})
    with pytest.raises(ServiceRefusedError, match="LAKEHOUSE_POSTGRES__PASSWORD"):
        load_shop(wrong, scale=SCALE, seed=SEED, today=TODAY)
    nowhere = postgres.model_copy(update={"port": 1})
    with pytest.raises(ServiceDownError, match=r"127\.0\.0\.1:1.*lakehouse up"):
        load_shop(nowhere, scale=SCALE, seed=SEED, today=TODAY)
