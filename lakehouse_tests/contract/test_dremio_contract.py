"""The wires of Dremio, driven by the clients that people use: unmodified dbt-dremio, Arrow Flight, plain REST."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from google.protobuf.any_pb2 import Any as ProtobufAny
from google.protobuf.wrappers_pb2 import BytesValue

from lakehouse_tests.engine import PASSWORD, USER, Engine, running_engine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


def dbt(
    engine: Engine, project: Path, *arguments: str, password: str = PASSWORD
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "dbt.cli.main",
            "--no-use-colors",
            *arguments,
            "--project-dir",
            str(project),
            "--profiles-dir",
            str(project),
        ],
        env={**os.environ, "ENGINE_PORT": str(engine.port), "ENGINE_USER": USER, "ENGINE_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )


def test_dbt_from_debug_to_docs(engine: Engine, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "dbt_fixture", project)

    def run(*arguments: str) -> None:
        done = dbt(engine, project, *arguments)
        assert done.returncode == 0, done.stdout[-3000:]

    run("debug")
    run("seed")
    run("run")
    assert engine.rows("SELECT code, name, people FROM lake.gold.people ORDER BY code") == [
        ("de", "GERMANY", 84_000_000),
        ("fr", "FRANCE", 68_000_000),
    ]
    assert engine.rows("SELECT * FROM lake.gold.names") == [("GERMANY",)]
    run("snapshot")
    run("run", "--vars", "{factor: 2}")
    assert engine.rows("SELECT COUNT(*) FROM lake.gold.appended") == [(4,)]
    assert engine.rows("SELECT people FROM lake.gold.merged ORDER BY code") == [
        (168_000_000,),
        (136_000_000,),
    ]
    run("snapshot")
    assert engine.rows("SELECT COUNT(*), COUNT(dbt_valid_to) FROM lake.silver.history") == [(4, 2)]
    run("test")
    run("run", "--full-refresh", "--select", "merged")
    assert engine.rows("SELECT people FROM lake.gold.merged ORDER BY code") == [(84_000_000,), (68_000_000,)]
    run("build")
    run("docs", "generate")
    assert "model.fixture.people" in (project / "target" / "catalog.json").read_text()


def test_dbt_with_a_wrong_password_gets_one_answer(engine: Engine, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(Path(__file__).parent / "dbt_fixture", project)
    done = dbt(engine, project, "debug", password="wrong")
    assert done.returncode != 0
    assert "Invalid username or password" in done.stdout


class TestFlight:
    @pytest.fixture
    def client(self, engine: Engine) -> Iterator[fl.FlightClient]:
        with fl.FlightClient(f"grpc+tcp://127.0.0.1:{engine.flight_port}") as client:
            yield client

    def query(self, client: fl.FlightClient, sql: str, header: tuple[bytes, bytes]) -> pa.Table:
        options = fl.FlightCallOptions(headers=[header])
        info = client.get_flight_info(fl.FlightDescriptor.for_command(sql), options)
        return client.do_get(info.endpoints[0].ticket, options).read_all()

    def test_basic_then_bearer(self, client: fl.FlightClient) -> None:
        token = client.authenticate_basic_token(USER, PASSWORD)
        assert token[0] == b"authorization"
        assert self.query(client, "SELECT 1 AS x", token).to_pydict() == {"x": [1]}

    def test_a_flight_sql_statement(self, client: fl.FlightClient) -> None:
        query = BytesValue(value=b"SELECT 3 AS x").SerializeToString()
        kind = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"
        command = ProtobufAny(type_url=kind, value=query).SerializeToString()
        options = fl.FlightCallOptions(headers=[client.authenticate_basic_token(USER, PASSWORD)])
        info = client.get_flight_info(fl.FlightDescriptor.for_command(command), options)
        assert client.do_get(info.endpoints[0].ticket, options).read_all().to_pydict() == {"x": [3]}

    def test_a_token_of_rest_works(self, client: fl.FlightClient, engine: Engine) -> None:
        bearer = engine.http.headers["Authorization"].removeprefix("_dremio")
        header = (b"authorization", f"Bearer {bearer}".encode())
        assert self.query(client, "SELECT 2 AS x", header).to_pydict() == {"x": [2]}

    def test_wrong_credentials_are_refused(self, client: fl.FlightClient) -> None:
        with pytest.raises(fl.FlightUnauthenticatedError, match="Invalid username or password"):
            client.authenticate_basic_token(USER, "wrong")
        with pytest.raises(fl.FlightUnauthenticatedError):
            self.query(client, "SELECT 1", (b"authorization", b"Bearer nonsense"))

    def test_timestamps_are_milliseconds_and_empty_results_have_a_schema(
        self, client: fl.FlightClient
    ) -> None:
        token = client.authenticate_basic_token(USER, PASSWORD)
        sql = "SELECT TIMESTAMP '2025-01-01 01:02:03.456' AS t, CAST(1.5 AS DECIMAL(12, 2)) AS d WHERE 1 = 0"
        table = self.query(client, sql, token)
        assert table.num_rows == 0
        assert table.schema.field("t").type == pa.timestamp("ms")
        assert table.schema.field("d").type == pa.decimal128(12, 2)

    def test_errors_name_what_is_wrong(self, client: fl.FlightClient) -> None:
        token = client.authenticate_basic_token(USER, PASSWORD)
        with pytest.raises(pa.ArrowInvalid, match=r"Object 'lake\.gold\.nothing' not found"):
            self.query(client, "SELECT * FROM lake.gold.nothing", token)


class TestRest:
    @pytest.mark.parametrize("path", ["/api/v3/catalog", "/api/v3/job/x", "/api/v3/reflection"])
    def test_nothing_answers_without_a_token(self, engine: Engine, path: str) -> None:
        assert httpx.get(f"http://127.0.0.1:{engine.port}{path}").status_code == 401

    def test_results_come_in_pages(self, engine: Engine) -> None:
        digits = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))"
        sql = f"SELECT a.x + 10 * b.x + 100 * c.x AS n FROM {digits} AS a(x), {digits} AS b(x), {digits} AS c(x) ORDER BY n"
        job = engine.job(sql)
        assert job["rowCount"] == 1000
        page = engine.http.get(
            f"/api/v3/job/{job['id']}/results", params={"offset": 990, "limit": 500}
        ).json()
        assert page["rowCount"] == 1000
        assert [row["n"] for row in page["rows"]] == list(range(990, 1000))
        assert page["schema"] == [{"name": "n", "type": {"name": "INTEGER"}}]

    def test_catalog_entities(self, engine: Engine) -> None:
        engine.post("/api/v3/catalog", {"entityType": "space", "name": "team"})
        folder = engine.post("/api/v3/catalog", {"entityType": "folder", "path": ["team", "a b"]})
        assert (
            engine.http.post("/api/v3/catalog", json={"entityType": "space", "name": "team"}).status_code
            == 409
        )
        assert engine.http.get("/api/v3/catalog/by-path/team/a%20b").json()["id"] == folder["id"]
        engine.rows('CREATE VIEW team."a b".v AS SELECT 1 AS x')
        assert engine.rows('SELECT x FROM team."a b".v') == [(1,)]
        assert engine.http.get("/api/v3/catalog/by-path/team/nothing").status_code == 404
        wiki = f"/api/v3/catalog/{folder['id']}/collaboration/wiki"
        assert engine.http.get(wiki).status_code == 404
        assert engine.post(wiki, {"text": "hello"})["version"] == 1
        assert engine.http.post(wiki, json={"text": "lost update"}).status_code == 409

    def test_files_of_a_directory_are_datasets(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "sales").mkdir()
        (tmp_path / "sales" / "a.csv").write_text("id,name\n1,x\n")
        (tmp_path / "sales" / "b.csv").write_text("id,name\n2,y\n")
        config = {"path": str(tmp_path)}
        engine.post(
            "/api/v3/catalog", {"entityType": "source", "name": "nas", "type": "NAS", "config": config}
        )
        assert engine.rows("SELECT id, name FROM nas.sales ORDER BY id") == [(1, "x"), (2, "y")]
        bad = {"entityType": "source", "name": "bad", "type": "NAS", "config": {"path": "/no/such/place"}}
        answer = engine.http.post("/api/v3/catalog", json=bad)
        assert answer.status_code == 400
        assert "/no/such/place" in answer.json()["errorMessage"]

    def test_secrets_of_sources_are_not_given_back(self, engine: Engine, tmp_path: Path) -> None:
        properties = [{"name": "s3.secret-access-key", "value": "hunter2"}]
        config = {
            "uri": f"sqlite:///{tmp_path}/c.db",
            "warehouse": f"file://{tmp_path}",
            "propertyList": properties,
        }
        body = {"entityType": "source", "name": "secretive", "type": "SQLCATALOG", "config": config}
        assert "hunter2" not in str(engine.post("/api/v3/catalog", body))

    def test_a_cancelled_job_ends_as_failed(self, engine: Engine) -> None:
        # dbt-dremio waits for another spelling of CANCELED and would poll for ever.
        digits = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))"
        joins = ", ".join(f"{digits} AS t{index}(x)" for index in range(10))
        job_id = engine.post("/api/v3/sql", {"sql": f"SELECT SUM(t0.x * t9.x + t5.x) FROM {joins}"})["id"]
        engine.http.post(f"/api/v3/job/{job_id}/cancel")
        job = engine.http.get(f"/api/v3/job/{job_id}").json()
        assert job["jobState"] == "FAILED"
        assert "cancelled" in job["errorMessage"]
