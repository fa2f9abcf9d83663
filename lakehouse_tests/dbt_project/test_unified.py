"""The lambda view holds every order of bronze once, at every instant: read in a loop while everything changes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from lakehouse.clients.dremio import DremioClient
from lakehouse.defs.transformation.assets import project_assets
from lakehouse.defs.transformation.runner import Invocation
from lakehouse.demo.generator import generate
from lakehouse_tests.dbt_project.changing_orders import VIEW, ChangingOrders, Reader, Writer, state
from lakehouse_tests.dbt_project.conftest import Project, landed
from lakehouse_tests.engine import running_engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TODAY = datetime.now(UTC).date()
HOT_DAYS = 7
BATCH = ("stg_orders", "stg_order_items", "fct_orders")
DECLARED = "models/marts/shop/marts_shop.yml"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Orders up to today, the batch built once, and the view."""
    directory = tmp_path_factory.mktemp("lambda")
    with running_engine(directory) as engine:
        project = Project(directory, engine)
        for name, rows in generate(0.005, 7, TODAY).tables().items():
            project.land(f"shop__{name}", landed(rows))
        build(project, *BATCH, "orders_unified")
        yield project


@pytest.fixture
def orders(shop: Project) -> ChangingOrders:
    return ChangingOrders(shop, TODAY, HOT_DAYS, seed=11)


def days(first: int, last: int) -> tuple[date, date]:
    """A window by days before today, both included."""
    return TODAY - timedelta(days=first), TODAY - timedelta(days=last - 1)


def build(shop: Project, *models: str, window: tuple[date, date] | None = None) -> None:
    """`dbt run` as the platform does it, in this process; fails with what dbt says."""
    variables = {"min_date": str(window[0]), "max_date": str(window[1])} if window else {}
    dbt = Invocation(
        ["run", "--vars", json.dumps(variables), "--select", *models],
        target=shop.directory / "dbt" / "batch",
        environ=shop.settings.environ,
        project_dir=shop.project_dir,
    )
    for _ in dbt.events():
        pass
    assert dbt.succeeded, dbt.failures()


def view(shop: Project) -> list[dict[str, object]]:
    with DremioClient(shop.settings.dremio) as dremio:
        return dremio.query("SELECT * FROM lake.gold.orders_unified").to_pylist()


def test_as_an_asset(shop: Project) -> None:
    """Materialized by Dagster: made anew, tested, counted, and its columns traced to bronze and to the batch."""
    result = shop.build(project_assets(shop.project_dir), "gold/orders_unified")
    assert result.success
    (made,) = result.asset_materializations_for_node("dbt")
    with DremioClient(shop.settings.dremio) as dremio:
        assert made.metadata["dagster/row_count"].value == dremio.count("lake", "gold", "orders_unified")
    assert {check.passed for check in result.get_asset_check_evaluations()} == {True}
    lineage = made.metadata["dagster/column_lineage"].value
    origins = {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage.deps_by_column["amount"]}
    assert origins == {("bronze/shop/orders", "amount"), ("gold/fct_orders", "amount")}


def test_before_any_change_it_is_the_batch(shop: Project) -> None:
    with DremioClient(shop.settings.dremio) as dremio:
        batch = dremio.query("SELECT * FROM lake.gold.fct_orders")
        unified = dremio.query("SELECT * FROM lake.gold.orders_unified")
    assert unified.schema == batch.schema
    assert unified.sort_by("order_id").equals(batch.sort_by("order_id"))


def test_every_change_is_seen_at_once(shop: Project, orders: ChangingOrders) -> None:
    """Inserted, updated and deleted, hot and cold, and moved between them: without any run of the batch."""
    with DremioClient(shop.settings.dremio) as dremio:
        for _ in range(3):
            orders.change()
            assert state(dremio.query(VIEW).to_pylist()) == orders.states[-1]


def test_nothing_is_missing_or_twice_while_bronze_the_batch_and_the_boundary_move(
    shop: Project, orders: ChangingOrders
) -> None:
    """Bronze is committed to, windows of the batch are replaced and the view gets other boundaries, all at once."""
    declared = (shop.project_dir / DECLARED).read_text()
    rounds = 0
    try:
        with Writer(orders) as writer, Reader(shop, orders) as reader:
            while rounds < 3 or (reader.answers < 15 and rounds < 30 and reader.wrong is None):
                rounds += 1
                hot_days = (2, 30, HOT_DAYS)[rounds % 3]
                (shop.project_dir / DECLARED).write_text(
                    declared.replace("hot_days: 7", f"hot_days: {hot_days}")
                )
                build(shop, *BATCH, "orders_unified", window=days(120, 0) if rounds % 2 else days(12, 3))
    finally:
        (shop.project_dir / DECLARED).write_text(declared)
        build(shop, "orders_unified")
    assert writer.changes > 3
    assert reader.answers >= 15


def test_a_batch_killed_between_its_two_commits_takes_nothing_away(
    shop: Project, orders: ChangingOrders
) -> None:
    """kill -9 of dbt when the window is deleted and not yet appended: the batch's table has a gap, the view none."""
    build(shop, *BATCH)
    with Reader(shop, orders), DremioClient(shop.settings.dremio) as dremio:
        first, end = days(120, 8)
        window = json.dumps({"min_date": str(first), "max_date": str(end)})
        died = shop.dbt(
            "run", "--select", "fct_orders", "--vars", window, program=("-c", DIES_BEFORE_ITS_APPEND)
        )
        assert died.returncode == -signal.SIGKILL, died.stdout[-3000:]
        left = dremio.query("SELECT MIN(order_date) AS day FROM lake.gold.fct_orders").to_pylist()
        assert left[0]["day"] >= end
        assert state(dremio.query(VIEW).to_pylist()) == orders.states[-1]
        orders.change()
        assert state(dremio.query(VIEW).to_pylist()) == orders.states[-1]
        build(shop, *BATCH, window=days(120, 0))
        assert state(dremio.query(VIEW).to_pylist()) == orders.states[-1]


DIES_BEFORE_ITS_APPEND = """
import os, signal, sys
from dbt.cli.main import dbtRunner

def look(event):
    if event.info.name == "AdapterEventDebug" and "insert into" in event.info.msg:
        os.kill(os.getpid(), signal.SIGKILL)

dbtRunner(callbacks=[look]).invoke(sys.argv[1:])
"""


def test_when_the_batch_is_done_the_view_is_the_batch(shop: Project, orders: ChangingOrders) -> None:
    """All columns, those of the lines too."""
    orders.change()
    build(shop, *BATCH)
    expected = sorted(shop.rows("gold", "fct_orders"), key=lambda row: row["order_id"])
    assert [plain(row) for row in sorted(view(shop), key=lambda row: row["order_id"])] == [  # type: ignore[arg-type, return-value]
        plain(row) for row in expected
    ]


def plain(row: dict[str, object]) -> dict[str, object]:
    """Times without their zone, which the engine does not tell."""
    return {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


@pytest.mark.parametrize(
    ("path", "changes", "line"),
    [
        (
            "models/marts/shop/orders_unified.sql",
            {", ['shop', 'shop__order_items']": ""},
            "reads source.lakehouse.shop.shop__order_items; add it to hot in orders_unified",
        ),
        (
            "models/staging/shop/stg_orders.sql",
            {"{{ in_window('order_date') }}": "1 = 1"},
            "the SQL of stg_orders has no in_window(column), or one that takes more",
        ),
        (DECLARED, {"unified: {key: [order_id], same: [updated_at], hot_days: 7}": "unified: null"}, "to declare"),
    ],
)  # fmt: skip
def test_what_cannot_be_unified_is_refused(
    shop: Project, path: str, changes: dict[str, str], line: str
) -> None:
    good = (shop.project_dir / path).read_text()
    try:
        shop.edit(path, changes)
        done = shop.dbt("compile", "--select", "orders_unified")
        assert done.returncode != 0
        assert line in " ".join(done.stdout.split())
    finally:
        (shop.project_dir / path).write_text(good)
