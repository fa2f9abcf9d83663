"""Orders in bronze that change commit by commit, and everything a view of them may show: one of the commits, whole."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Self

import pyarrow as pa

from lakehouse.clients.dremio import DremioClient
from lakehouse_tests.warehouse import Warehouse

VIEW = "SELECT order_id, order_date, amount, status, updated_at FROM lake.gold.orders_unified"
Row = dict[str, Any]
State = frozenset[tuple[Any, ...]]


class ChangingOrders:
    """The writer of bronze: what it commits is the truth from then on."""

    def __init__(self, warehouse: Warehouse, today: date, hot_days: int, seed: int) -> None:
        table = warehouse.catalog.load_table(("bronze", "shop__orders"))
        self._warehouse = warehouse
        self._today, self._boundary = today, today - timedelta(days=hot_days)
        self._random = random.Random(seed)
        self._schema = table.scan().to_arrow().schema
        self.rows = {row["order_id"]: row for row in table.scan().to_arrow().to_pylist()}
        self._next = max(self.rows) + 1
        self.states: list[State] = [state(self.rows.values())]

    def change(self) -> None:
        """Every kind of change, of hot and of cold days, as one commit."""
        hot = self._some(lambda row: row["order_date"] >= self._boundary)
        cold = self._some(lambda row: row["order_date"] < self._boundary)
        self._insert(hot[0], self._today)
        self._insert(cold[0], cold[0]["order_date"])
        for row in (hot[1], cold[1]):
            self._set(row, amount=round(self._random.uniform(1, 500), 2))
        for row in (hot[2], cold[2]):
            del self.rows[row["order_id"]]
        self._set(hot[3], order_date=cold[3]["order_date"])  # into the cold
        self._set(cold[3], order_date=hot[3]["order_date"])  # into the hot
        self._set(cold[4], order_date=cold[5]["order_date"])  # from one cold day to another
        self.states.append(state(self.rows.values()))
        table = self._warehouse.catalog.load_table(("bronze", "shop__orders"))
        table.overwrite(pa.Table.from_pylist(list(self.rows.values()), schema=self._schema))
        self._move_items()

    def _move_items(self) -> None:
        """The lines of an order have its day: in a table, and so a commit, of their own."""
        table = self._warehouse.catalog.load_table(("bronze", "shop__order_items"))
        items = table.scan().to_arrow()
        moved = [
            {**item, "order_date": self.rows.get(item["order_id"], item)["order_date"]}
            for item in items.to_pylist()
        ]
        table.overwrite(pa.Table.from_pylist(moved, schema=items.schema))

    def _some(self, wanted: Callable[[Row], bool]) -> list[Row]:
        return self._random.sample([row for row in self.rows.values() if wanted(row)], 6)

    def _insert(self, like: Row, day: date) -> None:
        self.rows[self._next] = {**like, "order_id": self._next, "order_date": day}
        self._next += 1

    def _set(self, row: Row, **values: Any) -> None:
        later = row["updated_at"] + timedelta(seconds=self._random.randint(1, 10_000))
        self.rows[row["order_id"]] = {**row, **values, "updated_at": later}


def state(rows: Iterable[Mapping[str, Any]]) -> State:
    """What is compared of the orders; a key that is there twice is an error of its own."""
    found = list(rows)
    keys = [row["order_id"] for row in found]
    assert len(set(keys)) == len(keys), f"{len(keys) - len(set(keys))} orders are there twice"
    return frozenset(
        (
            row["order_id"],
            row["order_date"],
            Decimal(f"{row['amount']:.2f}"),
            row["status"].lower(),
            row["updated_at"].replace(tzinfo=None),
        )
        for row in found
    )


class _Loop(threading.Thread):
    """Does one thing again and again beside the test, which fails when that did."""

    def __init__(self, pause: float) -> None:
        super().__init__(daemon=True)
        self._pause = pause
        self._ended = threading.Event()
        self.wrong: str | None = None

    def once(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        while not self._ended.wait(self._pause) and self.wrong is None:
            try:
                self.once()
            except Exception as error:  # noqa: BLE001  this is another thread: told where it is joined
                self.wrong = repr(error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        assert self.wrong is None, self.wrong


class Writer(_Loop):
    """Commits changes to bronze."""

    def __init__(self, orders: ChangingOrders) -> None:
        super().__init__(pause=0.5)
        self._orders = orders
        self.changes = 0

    def once(self) -> None:
        self._orders.change()
        self.changes += 1


class Reader(_Loop):
    """Asks the view over Arrow Flight; an answer is right when it is what was committed last, or was when the view
    was last seen, or in between."""

    def __init__(self, warehouse: Warehouse, orders: ChangingOrders) -> None:
        super().__init__(pause=0.02)
        self._warehouse, self._orders = warehouse, orders
        self._seen = 0
        self.answers = 0

    def run(self) -> None:
        with DremioClient(self._warehouse.settings.dremio) as self._dremio:
            super().run()

    def once(self) -> None:
        found = state(self._dremio.query(VIEW).to_pylist())
        allowed = self._orders.states[self._seen :]
        if found not in allowed:
            nearest = min(allowed, key=lambda known: len(known ^ found))
            missing, extra = sorted(nearest - found)[:5], sorted(found - nearest)[:5]
            raise AssertionError(f"answer {self.answers}: missing {missing}, too many {extra}")
        self._seen += allowed.index(found)
        self.answers += 1
