"""A shop that lives: orders come, change and go, one transaction each."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import psycopg

from lakehouse.demo.generator import STATUSES
from lakehouse.demo.shop import connect
from lakehouse.errors import ServiceDownError
from lakehouse.settings_sections import PostgresSettings

_PAUSE_SECONDS = 0.5
_ACTIONS = {"insert": 0.5, "update": 0.45, "delete": 0.05}


def run_traffic(
    settings: PostgresSettings, *, per_second: float, stop: threading.Event, seed: int | None = None
) -> Iterator[Counter[str]]:
    """Make changes until `stop` is set; yields the running counts by action after each change.

    A shop outlives its database: when that goes away, changes go on as soon as it is back.

    Raises:
        ServiceDownError, ServiceRefusedError: as `connect`, at the beginning.
    """
    dice = random.Random(seed)  # noqa: S311  traffic needs no cryptography
    counts: Counter[str] = Counter()
    reached = False
    while not stop.is_set():
        try:
            with connect(settings) as connection:
                reached = True
                connection.execute(
                    "SET TIME ZONE 'UTC'"
                )  # the shop's days are UTC's, whatever the server's zone
                yield from _changes(connection, dice, counts, stop, 1 / per_second)
        except (psycopg.OperationalError, ServiceDownError):
            if not reached:
                raise
            stop.wait(_PAUSE_SECONDS)


def _changes(
    connection: psycopg.Connection,
    dice: random.Random,
    counts: Counter[str],
    stop: threading.Event,
    pause: float,
) -> Iterator[Counter[str]]:
    due = time.monotonic()
    while not stop.is_set():
        action = dice.choices(list(_ACTIONS), weights=list(_ACTIONS.values()))[0]
        with connection.transaction():
            _CHANGES[action](connection, dice)
        counts[action] += 1
        yield counts
        due += pause
        stop.wait(max(0.0, due - time.monotonic()))


def _insert(connection: psycopg.Connection, dice: random.Random) -> None:
    """One order of today with one to four lines."""
    order_id = _next(connection, "orders", "order_id")
    customer_id = _some(connection, "customers", "customer_id", dice)
    connection.execute(
        "INSERT INTO orders VALUES (%s, %s, current_date, 'pending', 0.01, 'USD', now(), now())",
        (order_id, customer_id),
    )
    for _ in range(dice.randint(1, 4)):
        connection.execute(
            "INSERT INTO order_items SELECT %(item)s, %(order)s, product_id, current_date, %(quantity)s, price, 0,"
            " price * %(quantity)s, now() FROM products WHERE product_id = %(product)s",
            {
                "item": _next(connection, "order_items", "order_item_id"),
                "order": order_id,
                "quantity": dice.randint(1, 4),
                "product": _some(connection, "products", "product_id", dice),
            },
        )
    connection.execute(
        "UPDATE orders SET amount = (SELECT sum(line_amount) FROM order_items WHERE order_id = %(id)s) WHERE order_id = %(id)s",
        {"id": order_id},
    )


def _update(connection: psycopg.Connection, dice: random.Random) -> None:
    """A new status for any order, months old ones included."""
    order_id = _some(connection, "orders", "order_id", dice)
    connection.execute(
        "UPDATE orders SET status = %s, updated_at = now() WHERE order_id = %s",
        (dice.choice(STATUSES), order_id),
    )


def _delete(connection: psycopg.Connection, dice: random.Random) -> None:
    """An order and its lines, gone. A sync by cursor would not see it; one by change data capture does."""
    order_id = _some(connection, "orders", "order_id", dice)
    connection.execute("DELETE FROM order_items WHERE order_id = %s", (order_id,))
    connection.execute("DELETE FROM orders WHERE order_id = %s", (order_id,))


def _next(connection: psycopg.Connection, table: str, key: str) -> int:
    row = connection.execute(f"SELECT coalesce(max({key}), 0) + 1 FROM {table}".encode()).fetchone()  # noqa: S608
    return int(row[0]) if row else 1


def _some(connection: psycopg.Connection, table: str, key: str, dice: random.Random) -> int:
    """A key near a random one: no scan, whatever the table's size."""
    top = _next(connection, table, key)
    query = f"SELECT {key} FROM {table} WHERE {key} >= %s ORDER BY {key} LIMIT 1"  # noqa: S608
    row = connection.execute(query.encode(), (dice.randrange(1, max(2, top)),)).fetchone()
    return int(row[0]) if row else 0


_CHANGES = {"insert": _insert, "update": _update, "delete": _delete}
