"""The generated shop: the same for the same seed, right to the cent, and as untidy as real ones."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakehouse.demo.generator import DAYS, STATUSES, Shop, generate

TODAY = date(2025, 6, 30)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return generate(0.05, 7, TODAY)


def test_the_same_seed_gives_the_same_shop(shop: Shop) -> None:
    assert generate(0.05, 7, TODAY) == shop
    assert generate(0.05, 8, TODAY).orders != shop.orders


def test_scale_is_the_number_of_rows(shop: Shop) -> None:
    counts = {name: rows.num_rows for name, rows in shop.tables().items()}
    assert counts.pop("order_items") == pytest.approx(25_000, rel=0.05)
    assert counts == {"customers": 1000, "products": 25, "orders": 10_000}


def test_orders_are_of_the_last_120_days(shop: Shop) -> None:
    days = set(shop.orders["order_date"].to_pylist())
    assert days == {TODAY - timedelta(days=n) for n in range(DAYS)}
    assert pc.all(pc.equal(shop.orders["created_at"].cast(pa.date32()), shop.orders["order_date"])).as_py()


def test_an_order_is_worth_its_lines_to_the_cent(shop: Shop) -> None:
    items = shop.order_items
    lines = items.group_by("order_id").aggregate([("line_amount", "sum"), ("order_date", "min")])
    lines = lines.sort_by("order_id")
    assert lines["order_id"].to_pylist() == shop.orders["order_id"].to_pylist()
    assert lines["line_amount_sum"].to_pylist() == shop.orders["amount"].to_pylist()
    assert lines["order_date_min"].to_pylist() == shop.orders["order_date"].to_pylist()
    assert pc.min(items["line_amount"]).as_py() > 0
    for row in items.slice(0, 200).to_pylist():
        assert row["line_amount"] == row["quantity"] * row["unit_price"] - row["discount"]


def test_what_rows_refer_to_exists(shop: Shop) -> None:
    for rows, key, table in (
        (shop.orders, "customer_id", shop.customers),
        (shop.order_items, "product_id", shop.products),
        (shop.order_items, "order_id", shop.orders),
    ):
        assert pc.all(pc.is_in(rows[key], table[key].combine_chunks())).as_py(), key
        assert table[key].to_pylist() == list(range(1, table.num_rows + 1))


def test_it_has_gaps_unicode_skew_and_late_updates(shop: Shop) -> None:
    assert 0 < shop.customers["email"].null_count < 100
    assert 0 < shop.customers["phone"].null_count < 300
    names = shop.customers["name"].to_pylist()
    assert any(not name.isascii() for name in names)
    assert any(name != name.strip() for name in names)
    by_customer = shop.orders.group_by("customer_id").aggregate([([], "count_all")])["count_all"]
    assert pc.max(by_customer).as_py() > 8 * pc.mean(by_customer).as_py()
    late = pc.greater(
        pc.days_between(
            shop.orders["created_at"].cast(pa.date32()), shop.orders["updated_at"].cast(pa.date32())
        ),
        1,
    )
    assert 0.03 < pc.mean(late.cast(pa.int64())).as_py() < 0.2
    assert set(shop.orders["status"].to_pylist()) == set(STATUSES)
    assert pc.max(shop.orders["updated_at"]).as_py().date() <= TODAY
