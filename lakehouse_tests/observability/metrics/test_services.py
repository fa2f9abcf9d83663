"""Metrics of services that run: the local engine, Postgres, and an Airbyte that does not answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metrics.postgres import postgres
from lakehouse.observability.metrics.queries import queries
from lakehouse.observability.metrics.syncs import airbyte
from lakehouse.settings import load_settings
from lakehouse_tests.embedded.airbyte.fixtures import Database, database, eventually, postgres_port
from lakehouse_tests.engine import PASSWORD, USER, Engine, free_port, running_engine
from lakehouse_tests.observability.metrics.read import Samples, scrape

pytestmark = pytest.mark.slow
__all__ = ["database", "postgres_port"]
COUNT = "dremio_query_duration_seconds_count"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("dremio")) as engine:
        yield engine


def home(tmp_path: Path, **values: object) -> Path:
    lines = [f"LAKEHOUSE_{name}={value}\n" for name, value in values.items()]
    (tmp_path / "lakehouse.env").write_text("".join(lines))
    return tmp_path


def test_every_statement_counts_once_and_not_those_that_ask(engine: Engine, tmp_path: Path) -> None:
    settings = load_settings(
        home(tmp_path, DREMIO__FLIGHT_PORT=engine.flight_port, DREMIO__USER=USER, DREMIO__PASSWORD=PASSWORD)
    )
    metadata = MetadataDatabase(settings.metadata_uri)

    def look() -> Samples:
        return scrape([queries(settings, metadata)])

    eventually(lambda: COUNT not in {name for name, *_ in look()})
    engine.rows("SELECT 1")
    engine.rows("WITH two AS (SELECT 2 AS n) SELECT n FROM two")
    engine.error("SELECT nothing FROM nowhere")
    assert engine.job("CREATE TABLE lake.gold.made AS SELECT 1 AS n")["jobState"] == "COMPLETED"
    query, failed, other = (
        (COUNT, "false", "query", "completed"),
        (COUNT, "false", "query", "failed"),
        (COUNT, "false", "other", "completed"),
    )
    eventually(lambda: [look().get(one, 0) for one in (query, failed, other)] == [2, 1, 1], 60)
    found = look()
    assert (
        found[("dremio_query_duration_seconds_bucket", "false", "+Inf", "query", "completed")] == found[query]
    )
    engine.rows("SELECT 3")
    eventually(lambda: look()[query] == found[query] + 1, 60)
    for _ in range(3):
        again = look()
    assert (again[failed], again[other]) == (found[failed], found[other])


def sleep_until_terminated(database: Database) -> None:
    with contextlib.suppress(psycopg.OperationalError):
        database.rows("SELECT pg_sleep(600)")


def test_connections_of_postgres(database: Database, tmp_path: Path) -> None:
    login = {"HOST": "127.0.0.1", "PORT": database.port, "USER": "shop", "PASSWORD": "secret"}
    settings = load_settings(home(tmp_path, **{f"POSTGRES__{name}": value for name, value in login.items()}))

    def held(metric: str) -> float:
        return scrape([postgres(settings.postgres)])[f"postgres_connections_{metric}", database.name]

    assert (held("open"), held("active")) == (0, 0)
    with contextlib.closing(database.connection()):
        eventually(lambda: held("open") == 1)
        assert held("active") == 0
    sleeping = threading.Thread(target=sleep_until_terminated, args=(database,))
    sleeping.start()
    eventually(lambda: held("active") == 1)
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    )
    sleeping.join(60)
    eventually(lambda: held("active") == 0)
    assert scrape([postgres(settings.postgres)])["postgres_connections_limit",] >= 10


def test_one_that_does_not_answer_is_down(tmp_path: Path) -> None:
    settings = load_settings(home(tmp_path, AIRBYTE__URL=f"http://127.0.0.1:{free_port()}"))
    assert scrape([airbyte(settings)])["lakehouse_metrics_source_up", "airbyte"] == 0
