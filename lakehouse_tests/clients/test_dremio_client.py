"""The Dremio client against the embedded engine, and what it says when something is wrong."""

import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from lakehouse.catalog.datasets import Model, Relation
from lakehouse.catalog.meta import Dimension, Measure, Reflection
from lakehouse.clients.dremio import DremioClient
from lakehouse.clients.flight import FlightSql
from lakehouse.clients.lake_source import lake_source
from lakehouse.defs.acceleration.check import why_not
from lakehouse.defs.acceleration.reconcile import reconcile
from lakehouse.errors import PermanentError, ServiceDownError, ServiceRefusedError, TransientError
from lakehouse.settings import Settings
from lakehouse.settings_sections import DremioSettings, IcebergSettings, S3Settings
from lakehouse_tests.engine import PASSWORD, USER, Engine, free_port, running_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("dremio")) as engine:
        yield engine


def settings_of(engine: Engine, **changes: object) -> DremioSettings:
    values = {
        "port": engine.port,
        "flight_port": engine.flight_port,
        "user": USER,
        "password": SecretStr(PASSWORD),
    }
    return DremioSettings(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def dremio(engine: Engine) -> Iterator[DremioClient]:
    with DremioClient(settings_of(engine)) as client:
        yield client


@pytest.mark.slow
def test_one_query_over_flight_and_over_rest(dremio: DremioClient) -> None:
    sql = "select * from (values (1, 'a'), (2, 'b')) as t(n, s) order by n"
    assert dremio.query(sql).to_pylist() == [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]
    assert [row["s"] for row in dremio.rows(sql)] == ["a", "b"]
    with dremio.reader(sql) as reader:
        assert sum(batch.num_rows for batch in reader) == 2


@pytest.mark.slow
def test_a_query_whose_client_went_away_is_stopped(engine: Engine, dremio: DremioClient) -> None:
    thirty = ", ".join(f"({number})" for number in range(30))
    tables = ", ".join(f"(VALUES {thirty}) AS {name}(n)" for name in "abcdefghij")
    sql = f"SELECT SUM(a.n * b.n + c.n * d.n) FROM {tables}"
    impatient = FlightSql(settings_of(engine), timeout=3)
    with pytest.raises(TransientError, match="timed out"):
        impatient.query(sql)
    impatient.close()
    states = "SELECT status FROM sys.jobs WHERE query LIKE 'SELECT SUM(a.n * b.n%'"
    deadline = time.monotonic() + 20
    while (state := [row["status"] for row in dremio.query(states).to_pylist()]) != ["CANCELED"]:
        assert time.monotonic() < deadline, state
        time.sleep(0.1)


@pytest.mark.slow
def test_a_wrong_statement_carries_dremios_words(dremio: DremioClient) -> None:
    for run in (dremio.query, dremio.execute):
        with pytest.raises(ServiceRefusedError, match=r"Dremio at .*nowhere") as caught:
            run("select * from lake.gold.nowhere")
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_wrong_password_names_user_and_setting(engine: Engine) -> None:
    with DremioClient(settings_of(engine, password=SecretStr("wrong"))) as client:
        for call in (lambda: client.query("select 1"), lambda: client.by_path("lake")):
            with pytest.raises(ServiceRefusedError, match="'tester' and LAKEHOUSE_DREMIO__PASSWORD"):
                call()


def test_nobody_there_says_how_to_start_it() -> None:
    nobody = DremioSettings(port=free_port(), flight_port=free_port(), password=SecretStr("x"))
    with DremioClient(nobody) as client:
        for call in (lambda: client.query("select 1"), lambda: client.by_path("lake")):
            with pytest.raises(ServiceDownError, match="does not answer; start it with `lakehouse up`"):
                call()


@pytest.mark.slow
def test_sources_and_folders_are_made_once(engine: Engine, dremio: DremioClient) -> None:
    home = engine.directory
    config = {"uri": f"sqlite:///{home}/catalog.db", "warehouse": f"file://{home}/lake"}
    assert not dremio.ensure_source("lake", "SQLCATALOG", config)
    assert not dremio.ensure_folder("lake", "gold")
    with pytest.raises(ServiceRefusedError, match="source 'lake' exists with uri"):
        dremio.ensure_source("lake", "SQLCATALOG", {**config, "uri": "sqlite:////elsewhere.db"})


def test_a_rest_catalogue_is_dremios_own_source_type() -> None:
    settings = Settings(
        lake_url="s3://datalake",
        iceberg=IcebergSettings(
            type="rest", uri="http://nessie:19120/iceberg", credential=SecretStr("id:pw")
        ),
        s3=S3Settings(endpoint="http://minio:9000", access_key_id="key", secret_access_key=SecretStr("pw2")),
    )
    kind, config = lake_source(settings)
    assert kind == "RESTCATALOG"
    assert config["restEndpointUri"] == "http://nessie:19120/iceberg"
    shown = {pair["name"] for pair in config["propertyList"]}
    secret = {pair["name"] for pair in config["secretPropertyList"]}
    assert shown == {"fs.s3a.endpoint", "fs.s3a.path.style.access", "fs.s3a.access.key", "warehouse"}
    assert secret == {"credential", "fs.s3a.secret.key"}


AGGREGATE = Reflection(
    name="by_day",
    type="aggregate",
    dimensions=(Dimension(column="day"),),
    measures=(Measure(column="amount", computations=("sum", "count")),),
    sample_query="select day, sum(amount) from {relation} group by day",
)


def sales(*reflections: Reflection) -> Model:
    return Model(
        relation=Relation("lake", "gold", "sales"),
        layer="gold",
        materialized="table",
        partition_by=None,
        description="",
        columns=(),
        owner=None,
        freshness=None,
        reflections=reflections,
        upstream=(),
        unique_id="model.lakehouse.sales",
    )


@pytest.mark.slow
def test_reflections_follow_their_declaration(engine: Engine, dremio: DremioClient) -> None:
    model, said = sales(AGGREGATE), []
    with pytest.raises(PermanentError, match=r"does not know lake\.gold\.sales"):
        reconcile(dremio, model, model.reflections, said.append)
    engine.rows("create table lake.gold.sales as select date '2025-01-01' as day, 5 as amount")

    made = reconcile(dremio, model, model.reflections, said.append)["by_day"]
    assert (made.action, made.state.status, made.state.rows) == ("created", "CAN_ACCELERATE", 1)
    job = dremio.execute(str(AGGREGATE.sample_query).format(relation=model.relation))
    use = job.uses(made.state.id)
    assert use is not None
    assert use.relationship == "CHOSEN"

    engine.rows("insert into lake.gold.sales values (date '2025-01-02', 7)")
    stale = dremio.execute("select day, sum(amount) from lake.gold.sales group by day")
    assert stale.uses(made.state.id) is None or stale.uses(made.state.id).relationship != "CHOSEN"  # type: ignore[union-attr]
    assert "Dremio" in why_not(stale, made.state.id)

    again = reconcile(dremio, model, model.reflections, said.append)["by_day"]
    assert (again.action, again.state.id, again.state.rows) == ("refreshed", made.state.id, 2)

    counted = AGGREGATE.model_copy(update={"measures": (Measure(column="amount", computations=("sum",)),)})
    changed = reconcile(dremio, sales(counted), [counted], said.append)["by_day"]
    assert (changed.action, changed.state.id) == ("updated", made.state.id)

    other = AGGREGATE.model_copy(update={"name": "renamed"})
    reconcile(dremio, sales(other), [other], said.append)
    dataset = dremio.by_path("lake", "gold", "sales")
    assert dataset is not None
    assert [state.name for state in dremio.reflections(str(dataset["id"]))] == ["renamed"]
    assert any("by_day" in line and "not declared" in line for line in said)
