"""Dremio's slow queries, and services that do not answer, against the local servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from lakehouse.clients.dremio import DremioClient
from lakehouse.defs.monitoring.evaluate import SOURCES
from lakehouse.defs.monitoring.sources.services import airbyte_answers, slow_queries
from lakehouse.errors import ServiceDownError, ServiceRefusedError
from lakehouse_tests.defs.ingestion.conftest import site
from lakehouse_tests.defs.ingestion.site import Site
from lakehouse_tests.defs.monitoring.watched import Watched
from lakehouse_tests.engine import PASSWORD, USER, Engine, running_engine

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
__all__ = ["site"]
TEN = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS {name}(n)"
SERVICES = [source for source in SOURCES if source.name in ("airbyte", "dremio")]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("dremio")) as engine:
        yield engine


def lead_to(watched: Watched, engine: Engine, password: str = PASSWORD) -> None:
    watched.environment(DREMIO__PORT=engine.port, DREMIO__FLIGHT_PORT=engine.flight_port)
    watched.environment(DREMIO__USER=USER, DREMIO__PASSWORD=password)


def wait_for_more_than_a_second(watched: Watched) -> str:
    """A query that takes that long, however quick the machine is; the query."""
    with DremioClient(watched.settings.dremio) as dremio:
        for digits in range(6, 12):
            tables = ", ".join(TEN.format(name=f"t{number}") for number in range(digits))
            terms = " + ".join(f"SQRT(t{number}.n)" for number in range(digits))
            sql = f"SELECT SUM({terms}) AS total FROM {tables}"
            if dremio.execute(sql).seconds > 2.1:
                return sql
    raise AssertionError("no query was slow")


def test_a_query_that_somebody_waited_for_and_not_one_that_builds_a_table(
    watched: Watched, engine: Engine
) -> None:
    watched.declare(
        sinks={"hook": {"type": "webhook", "url": watched.receiver.url}},
        slow_queries={"seconds": 1, "within": "10m"},
    )
    lead_to(watched, engine)
    assert watched.alerts(slow_queries) == {}
    sql = wait_for_more_than_a_second(watched)
    alert = watched.alerts(slow_queries)["SlowQueries/dremio"]
    assert sql[:40] in alert.summary
    with DremioClient(watched.settings.dremio) as dremio:
        dremio.execute(f"CREATE TABLE lake.gold.slow AS {sql}")
    assert watched.alerts(slow_queries)["SlowQueries/dremio"] == alert
    assert f"of {USER}, job " in alert.summary
    watched.now += timedelta(minutes=12)
    assert watched.alerts(slow_queries) == {}


def test_wrong_passwords_and_nobody_at_home(watched: Watched, engine: Engine) -> None:
    lead_to(watched, engine, password="wrong")
    with pytest.raises(ServiceRefusedError, match=r"credentials refused.*LAKEHOUSE_DREMIO__PASSWORD"):
        watched.alerts(slow_queries)
    watched.environment(DREMIO__PORT=1, AIRBYTE__URL="http://127.0.0.1:1")
    for source in (slow_queries, airbyte_answers):
        with pytest.raises(ServiceDownError):
            watched.alerts(source)


def test_airbyte(watched: Watched, site: Site) -> None:
    watched.environment(
        **{
            name.removeprefix("LAKEHOUSE_"): value
            for name, value in (
                line.split("=", 1) for line in (site.home / "lakehouse.env").read_text().splitlines()
            )
        }
    )
    assert watched.alerts(airbyte_answers) == {}


def test_down_for_a_minute_is_told_once_and_its_end_too(watched: Watched, engine: Engine, site: Site) -> None:
    test_airbyte(watched, site)
    watched.environment(DREMIO__PORT=1, DREMIO__USER=USER, DREMIO__PASSWORD=PASSWORD)
    for _ in range(8):
        watched.tick(SERVICES, seconds=15)
    (body,) = watched.receiver.bodies
    assert watched.receiver.told == [("firing", "ServiceDown/dremio")]
    assert "Dremio at http://127.0.0.1:1: does not answer" in body["alerts"][0]["annotations"]["summary"]
    lead_to(watched, engine)
    for _ in range(5):
        watched.tick(SERVICES, seconds=15)
    assert watched.receiver.told[1:] == [("resolved", "ServiceDown/dremio")]
