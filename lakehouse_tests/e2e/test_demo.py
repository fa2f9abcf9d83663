"""The main job at a small scale: right to the cent, right after kill -9 anywhere, nothing done twice."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from lakehouse.cli.services import stack_services
from lakehouse.clients.dremio import DremioClient
from lakehouse.demo.truth import daily_revenue, lifetime_value, punctuality
from lakehouse.embedded.stack import Stack
from lakehouse.settings import Settings
from lakehouse_tests.documentation import PAGES, ROOT, commands
from lakehouse_tests.e2e.demo_process import SCALE, Home, kill_after_line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("demo") / "home")


def assert_gold_is_true(settings: Settings) -> None:
    """The lakehouse's answers equal those computed without it: in Postgres, and from the files."""
    with (
        Stack(settings.home, stack_services(settings, ("postgres", "dremio"))),
        DremioClient(settings.dremio) as dremio,
    ):
        revenue = dremio.query(
            "SELECT order_date, orders, revenue FROM lake.gold.fct_daily_revenue"
        ).to_pylist()
        assert {r["order_date"]: (r["orders"], r["revenue"]) for r in revenue} == daily_revenue(
            settings.postgres
        )
        assert len(revenue) == len({r["order_date"] for r in revenue})
        sql = "SELECT customer_id, total_orders, lifetime_value FROM lake.gold.fct_customer_lifetime_value"
        worth = dremio.query(sql).to_pylist()
        truth = lifetime_value(settings.postgres)
        assert {r["customer_id"]: (r["total_orders"], r["lifetime_value"]) for r in worth} == truth
        assert len(worth) == len(truth)
        sql = "SELECT flight_date, carrier, origin, flights, cancelled, total_dep_delay_minutes AS delay "
        flights = dremio.query(f"{sql} FROM lake.gold.fct_daily_punctuality").to_pylist()
        expected = punctuality()
        found = {
            (r["flight_date"], r["carrier"], r["origin"]): (r["flights"], r["cancelled"], r["delay"] or 0)
            for r in flights
        }
        assert found == expected
        assert len(flights) == len(expected)
        assert sum(row[0] for row in found.values()) == 336_776
        assert found[(date(2013, 1, 1), "UA", "LGA")][0] == 24
        assert all(isinstance(row["revenue"], Decimal) for row in revenue)


def demo(home: Home) -> subprocess.CompletedProcess[str]:
    return home.run("demo", "--scale", SCALE)


def test_killed_anywhere_it_ends_right(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [
        ("connections", 1, 0.9, "landing"),
        ("landing", 1, 0.7, "bronze commits"),
        ("bronze", 2, 4.0, "dbt"),
        ("silver + gold", 1, 0.15, "reflection build"),
    ]
    for line, nth, seconds, what in moments:
        lines = kill_after_line(home.start("demo", "--scale", SCALE), line, nth, seconds)
        assert not any("Arrow Flight" in text for text in lines), (
            f"it ended before it could be killed in {what}"
        )
    done = demo(home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_gold_is_true(home.settings(monkeypatch))


def test_run_again_it_asks_the_sources_and_builds_nothing(home: Home) -> None:
    done = demo(home)
    assert done.returncode == 0, done.stderr
    runs = [line for line in done.stdout.splitlines() if " assets" in line]
    assert len(runs) == 1, runs
    assert "landing" in runs[0]
    assert "there already" in done.stdout


def test_changes_reach_gold_and_only_their_days_are_built(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home.settings(monkeypatch)
    from lakehouse.demo.shop import connect

    with Stack(settings.home, stack_services(settings, ("postgres",))), connect(settings.postgres) as shop:
        row = shop.execute("SELECT min(order_date) + 3 FROM orders").fetchone()
        assert row is not None
        shop.execute(
            "UPDATE orders SET status = 'completed', amount = amount + 1000, updated_at = now() "
            "WHERE order_id = (SELECT min(order_id) FROM orders WHERE order_date = %s)",
            (row[0],),
        )
        last = "(SELECT max(order_id) FROM orders WHERE order_date = %s)"
        shop.execute(f"DELETE FROM order_items WHERE order_id = {last}", (row[0],))
        shop.execute(f"DELETE FROM orders WHERE order_id = {last}", (row[0],))
    done = demo(home)
    assert done.returncode == 0, done.stdout + done.stderr
    built = [line for line in done.stdout.splitlines() if "silver + gold" in line and ".." in line]
    assert len(built) == 1, done.stdout
    assert f"{row[0]}..{row[0]}" in built[0]
    assert_gold_is_true(settings)


def test_answers_without_a_running_stack(home: Home) -> None:
    rows = home.query("select count(*) as orders from lake.gold.fct_orders")
    assert rows == [{"orders": 3999}]


YEAR = ("--from", "2013-01-01", "--to", "2013-12-31")
CHAIN = ("silver.stg_flights", "gold.fct_departures", "gold.fct_daily_punctuality")


def contents(home: Home, table: str) -> pa.Table:
    """All rows in one order."""
    file = home.path / "answer.parquet"
    done = home.run("query", f"select * from lake.{table}", "--format", "parquet", "--output", str(file))
    assert done.returncode == 0, done.stderr
    answer = parquet.read_table(file)
    return answer.sort_by([(name, "ascending") for name in answer.column_names])


def test_a_year_built_again_is_one_run_a_group_and_the_same_rows(home: Home) -> None:
    before = [contents(home, table) for table in CHAIN]
    done = home.run("backfill", "gold/fct_daily_punctuality", *YEAR, "--upstream")
    assert done.returncode == 0, done.stdout + done.stderr
    of_days = [line.split()[1:] for line in done.stdout.splitlines() if "2013-01-01..2013-12-31" in line]
    assert [" ".join(words[:-3]) for words in of_days] == ["bronze 1 assets", "silver + gold 3 assets"]
    assert [contents(home, table) for table in CHAIN] == before


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def test_bad_input_is_one_line_with_the_remedy(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_one_line(home.run("demo", "traffic", "--changes", "1"), "Postgres at 127.0.0.1", "lakehouse up")
    assert_one_line(home.run("query", "select * from lake.gold.nothing"), "lake.gold.nothing")
    settings = home.settings(monkeypatch)
    with Stack(settings.home, stack_services(settings, ("postgres",))):
        home.environ["LAKEHOUSE_POSTGRES__PASSWORD"] = "wrong"
        refused = home.run("demo", "traffic", "--changes", "1")
        assert_one_line(refused, "password authentication failed", "LAKEHOUSE_POSTGRES__PASSWORD")
        del home.environ["LAKEHOUSE_POSTGRES__PASSWORD"]
        assert home.run("demo", "traffic", "--changes", "3", "--per-second", "50").returncode == 0
        assert_one_line(home.run("demo", "--scale", "0.5"), "--scale 0.02", "--reset")
    home.environ["LAKEHOUSE_DREMIO__PROT"] = "1"
    assert_one_line(home.run("status"), "LAKEHOUSE_DREMIO__PROT", "did you mean LAKEHOUSE_DREMIO__PORT?")
    del home.environ["LAKEHOUSE_DREMIO__PROT"]


ELSEWHERE = (
    ("add",),  # test_add.py, with a database that exists
    ("refresh", "bank"),
    ("refresh", "database"),
    ("query", "select count(*), sum(abalance) from lake.silver.stg_bank__pgbench_accounts"),
    ("query", "select * from lake.gold.fct_daily_returns"),  # the model that its page writes
    ("backfill", "gold/fct_daily_returns"),
    ("backfill", "bronze/shop/orders"),  # two years in runs of a month
    ("bench",),  # they are the benchmarks
    ("superset",),  # test_dashboards.py
    ("up", "--with"),
    ("alerts", "test", "--sink", "NAME"),  # names that a person has to fill in
    ("logs", "search", "--run"),
)
"""Commands of the pages, by their first words, that are not run here."""


def test_the_commands_of_the_pages(home: Home) -> None:
    found = {tuple(words): None for page in PAGES for words in commands(page)}
    made = [words[1] for words in found if words[0] == "make"]
    makefile = (ROOT / "Makefile").read_text()
    for name in {"up", "down", "demo"} & set(made):
        assert re.search(rf"^{name}: .*\n\t\$\(BIN\)/lakehouse {name}$", makefile, re.MULTILINE)
    shown = [words[1:] for words in found if words[0] == "lakehouse"]
    shown = [words for words in shown if not any(words[: len(first)] == first for first in ELSEWHERE)]
    begun = ("up", "--detach")
    assert begun in shown
    assert len(shown) > 20
    try:
        for words in (begun, *(words for words in shown if words != begun)):
            done = home.run(*words)
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    finally:
        home.run("down")
