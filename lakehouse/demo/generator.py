"""A shop's data from a seed: skewed, with gaps, unicode, late updates and cancelled orders. Arrow tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAYS = 120
CUSTOMERS, PRODUCTS, ORDERS = 20_000, 500, 200_000  # at scale 1
STATUSES = ("completed", "shipped", "pending", "cancelled", "returned")
_STATUS_SHARES = (0.72, 0.10, 0.06, 0.09, 0.03)
_WEEKDAY_WEIGHTS = (1.0, 0.95, 0.95, 1.0, 1.2, 1.5, 1.3)
_HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 11, 10, 9, 9, 10, 12, 14, 16, 15, 11, 6, 3)
_FIRST = (
    "Ada",
    "Zoë",
    "José",
    "Łukasz",
    "Mei",
    "Björn",
    "Aïsha",
    "Renée",
    "Søren",
    "Noor",
    "Ivo",
    "Ana",
    "東",
    "Omar",
    "Lea",
)
_LAST = (
    "Lovelace",
    "García",
    "Müller",
    "O'Brien",
    "Nguyễn",
    "Kowalski",
    "Ångström",
    "Dupont",
    "李",
    "Haddad",
    "Smith",
    "Rossi",
)
_CITIES = (
    ("San Francisco", "CA"), ("Los Angeles", "CA"), ("San José", "CA"), ("New York", "NY"), ("Buffalo", "NY"),
    ("Austin", "TX"), ("Dallas", "TX"), ("Seattle", "WA"), ("Portland", "OR"), ("Miami", "FL"), ("Boston", "MA"),
)  # fmt: skip
_CATEGORIES = ("books", "kitchen", "garden", "toys", "sports", "music")
_SECONDS = 1_000_000  # timestamps are in microseconds


@dataclass(frozen=True)
class Shop:
    """The four tables, columns in the order of shop.sql."""

    customers: pa.Table
    products: pa.Table
    orders: pa.Table
    order_items: pa.Table

    def tables(self) -> dict[str, pa.Table]:
        """By name."""
        return dict(vars(self))


def generate(scale: float, seed: int, today: date) -> Shop:
    """The same shop for the same arguments; its last order day is `today`.

    Args:
        scale: 1 is 20,000 customers, 500 products, 200,000 orders and about 500,000 lines.
    """
    random = np.random.default_rng(seed)
    counts = [max(1, round(count * scale)) for count in (CUSTOMERS, PRODUCTS, ORDERS)]
    first_day = today - timedelta(days=DAYS - 1)
    customers = _customers(random, counts[0], first_day)
    products, prices = _products(random, counts[1], first_day)
    orders, items = _orders(random, counts[2], counts[0], prices, first_day)
    return Shop(customers, products, orders, items)


def _customers(random: np.random.Generator, count: int, first_day: date) -> pa.Table:
    ids = np.arange(1, count + 1)
    first = np.array(_FIRST, dtype=object)[random.integers(0, len(_FIRST), count)]
    last = np.array(_LAST, dtype=object)[random.integers(0, len(_LAST), count)]
    city = random.integers(0, len(_CITIES), count)
    created = _start(first_day) - random.integers(0, 700 * 86_400, count) * _SECONDS
    names = [
        f"{a} {b}" if i % 17 else f"  {a} {b} " for i, (a, b) in enumerate(zip(first, last, strict=True))
    ]
    return pa.table(
        {
            "customer_id": ids,
            "name": names,
            "email": [
                None if gap else f"Customer{i}@Example.com"
                for i, gap in zip(ids, random.random(count) < 0.04, strict=True)
            ],
            "phone": [
                None if gap else f"+1-555-{i:07d}"
                for i, gap in zip(ids, random.random(count) < 0.15, strict=True)
            ],
            "address": [f"{n} Rue de l'Été" for n in random.integers(1, 999, count)],
            "city": [_CITIES[i][0] for i in city],
            "state": [_CITIES[i][1] for i in city],
            "zip_code": [f"{n:05d}" for n in random.integers(501, 99_950, count)],
            "created_at": _timestamps(created),
            "updated_at": _timestamps(created + random.integers(0, 30 * 86_400, count) * _SECONDS),
        }
    )


def _products(random: np.random.Generator, count: int, first_day: date) -> tuple[pa.Table, Any]:
    ids = np.arange(1, count + 1)
    cents = np.round(np.exp(random.normal(3.2, 0.8, count)) * 100).astype(np.int64) + 100
    created = _start(first_day) - random.integers(1, 900 * 86_400, count) * _SECONDS
    category = [_CATEGORIES[i] for i in random.integers(0, len(_CATEGORIES), count)]
    table = pa.table(
        {
            "product_id": ids,
            "sku": [f"SKU-{i:06d}" for i in ids],
            "name": [f"{kind.title()} № {i}" for kind, i in zip(category, ids, strict=True)],
            "category": category,
            "price": _money(cents, 10),
            "active": random.random(count) > 0.05,
            "created_at": _timestamps(created),
            "updated_at": _timestamps(created),
        }
    )
    return table, cents


def _orders(
    random: np.random.Generator, count: int, customers: int, prices: Any, first_day: date
) -> tuple[pa.Table, pa.Table]:
    weekdays = np.array([_WEEKDAY_WEIGHTS[(first_day + timedelta(days=d)).weekday()] for d in range(DAYS)])
    day = np.sort(random.choice(DAYS, count, p=weekdays / weekdays.sum()))
    hours = np.array(_HOUR_WEIGHTS) / sum(_HOUR_WEIGHTS)
    second = random.choice(24, count, p=hours) * 3600 + random.integers(0, 3600, count)
    created = _start(first_day) + (day * 86_400 + second) * _SECONDS
    lines = 1 + random.poisson(1.5, count)
    order_of_line = np.repeat(np.arange(count), lines)
    product = _skewed(random, len(prices), len(order_of_line))
    quantity = random.integers(1, 5, len(order_of_line))
    gross = prices[product] * quantity
    discount = np.where(random.random(len(gross)) < 0.2, gross // 10, 0)
    line_cents = gross - discount
    amount = np.zeros(count, dtype=np.int64)
    np.add.at(amount, order_of_line, line_cents)
    # Some orders change days later: those rows come with a late updated_at for an old day.
    late = np.where(
        random.random(count) < 0.1, random.integers(1, 20 * 86_400, count), random.integers(0, 3600, count)
    )
    end = _start(first_day) + DAYS * 86_400 * _SECONDS - _SECONDS
    updated = np.minimum(created + late * _SECONDS, end)
    dates = _dates(first_day, day)
    ids = np.arange(1, count + 1)
    orders = pa.table(
        {
            "order_id": ids,
            "customer_id": _skewed(random, customers, count) + 1,
            "order_date": dates,
            "status": np.array(STATUSES, dtype=object)[random.choice(len(STATUSES), count, p=_STATUS_SHARES)],
            "amount": _money(amount, 12),
            "currency": pa.repeat("USD", count),
            "created_at": _timestamps(created),
            "updated_at": _timestamps(updated),
        }
    )
    items = pa.table(
        {
            "order_item_id": np.arange(1, len(order_of_line) + 1),
            "order_id": ids[order_of_line],
            "product_id": product + 1,
            "order_date": dates.take(pa.array(order_of_line)),
            "quantity": quantity,
            "unit_price": _money(prices[product], 10),
            "discount": _money(discount, 10),
            "line_amount": _money(line_cents, 12),
            "updated_at": _timestamps(updated[order_of_line]),
        }
    )
    return orders, items


def _skewed(random: np.random.Generator, choices: int, count: int) -> Any:
    """Indexes below `choices`, a few of them much more often than the rest (Zipf)."""
    weights = 1 / np.arange(1, choices + 1) ** 0.7
    return random.permutation(choices)[random.choice(choices, count, p=weights / weights.sum())]


def _start(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400 * _SECONDS


def _timestamps(micros: Any) -> pa.Array:
    return pa.array(micros, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _dates(first_day: date, offset: Any) -> pa.Array:
    return pa.array(((first_day - date(1970, 1, 1)).days + offset).astype(np.int32), pa.int32()).cast(
        pa.date32()
    )


def _money(cents: Any, precision: int) -> pa.Array:
    """Cents as an exact decimal with two places."""
    scaled = pa.array(cents, pa.int64()).cast(pa.decimal128(19, 0))
    hundredth = pa.scalar(Decimal("0.01"), pa.decimal128(3, 2))
    return pc.multiply(scaled, hundredth).cast(pa.decimal128(precision, 2))
