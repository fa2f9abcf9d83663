"""The Airbyte-compatible server as its clients meet it: dagster-airbyte unmodified, and plain HTTP."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from dagster_airbyte import AirbyteWorkspace, build_airbyte_assets_definitions

from lakehouse_tests.embedded.airbyte.fixtures import (
    ACTIVE,
    PASSWORD,
    USER,
    AirbyteServer,
    Connection,
    Database,
    airbyte,
    airbyte_of_its_own,
    database,
    eventually,
    postgres_port,
    processes_with,
    unique,
)

__all__ = ["airbyte", "airbyte_of_its_own", "database", "postgres_port"]
pytestmark = pytest.mark.slow
MakeServer = Callable[..., AirbyteServer]


def fake(
    server: AirbyteServer, streams: list[dict[str, Any]] | None = None, **configuration: Any
) -> Connection:
    return server.connect(configuration, "fake", streams)


def shop(server: AirbyteServer, database: Database) -> Connection:
    database.execute(
        "CREATE TABLE customers (id int PRIMARY KEY, name text, updated_at timestamptz NOT NULL)",
        "CREATE TABLE orders (id int PRIMARY KEY, amount numeric(10, 2))",
        "INSERT INTO customers SELECT i, 'c' || i, '2024-01-01'::timestamptz + i * interval '1s'"
        " FROM generate_series(1, 1000) i",
        "INSERT INTO orders SELECT i, i / 100.0 FROM generate_series(1, 500) i",
    )
    streams = [
        {"name": "customers", "syncMode": "incremental_append", "cursorField": ["updated_at"]},
        {"name": "orders", "syncMode": "full_refresh_overwrite"},
    ]
    return server.connect(database.configuration, "postgres", streams)


class TestDagsterAirbyte:
    """dagster-airbyte 0.29, as installed."""

    def workspace(self, server: AirbyteServer, *, by_token: bool) -> AirbyteWorkspace:
        login: dict[str, Any] = {"username": USER, "password": PASSWORD}
        if by_token:
            import json

            kept = json.loads((server.home / "credentials.json").read_text())
            login = {"client_id": kept["client_id"], "client_secret": kept["client_secret"]}
        return AirbyteWorkspace(
            rest_api_base_url=server.public,
            configuration_api_base_url=server.config,
            workspace_id=server.workspace_id,
            poll_interval=0.1,
            max_items_per_page=2,
            **login,
        )

    @pytest.mark.parametrize("by_token", [True, False])
    def test_it_loads_the_workspace_and_syncs(
        self, airbyte_of_its_own: MakeServer, database: Database, by_token: bool
    ) -> None:
        server = airbyte_of_its_own()
        connection = shop(server, database)
        others = [fake(server, rows=1) for _ in range(4)]
        workspace = self.workspace(server, by_token=by_token)
        data = workspace.fetch_airbyte_workspace_data()
        assert set(data.connections_by_id) == {connection.id, *(other.id for other in others)}
        streams = data.connections_by_id[connection.id].streams
        assert {name for name, stream in streams.items() if stream.selected} == {"customers", "orders"}
        assets = build_airbyte_assets_definitions(workspace=workspace)
        mine = next(a for a in assets if dg.AssetKey("customers") in a.keys)
        result = dg.materialize([mine], resources={"airbyte": workspace})
        assert result.success
        assert {key.to_user_string() for key in mine.keys} == {"customers", "orders"}
        assert connection.table("customers").num_rows == 1000
        assert sum(connection.table("orders")["amount"].to_pylist()) == pytest.approx(1252.5)

    def test_a_failed_sync_fails_the_run(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own()
        fake(server, mode="trace")
        workspace = self.workspace(server, by_token=False)
        (assets,) = build_airbyte_assets_definitions(workspace=workspace)
        result = dg.materialize([assets], resources={"airbyte": workspace}, raise_on_error=False)
        assert not result.success


class TestSyncs:
    def test_only_changes_are_landed_and_an_overwrite_replaces(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = shop(airbyte, database)
        job = connection.sync()
        assert connection.records(job) == {"customers": 1000, "orders": 500}
        assert (job["rowsSynced"], job["jobType"]) == (1500, "sync")
        assert job["bytesSynced"] == sum(
            p.stat().st_size for s in ("customers", "orders") for p in connection.files(s)
        )
        assert job["duration"].startswith("PT")
        assert None not in job.values()
        first_orders = connection.files("orders")
        database.execute("UPDATE customers SET name = 'new', updated_at = '2025-01-01' WHERE id = 7")
        database.execute("DELETE FROM orders WHERE id > 400")
        assert connection.records(connection.sync()) == {"customers": 1, "orders": 400}
        assert connection.table("customers").num_rows == 1001
        (orders,) = connection.files("orders")
        assert orders not in first_orders
        table = connection.table("orders")
        assert table.num_rows == 400
        assert set(table["_airbyte_generation_id"].to_pylist()) == {2}
        assert set(connection.table("customers")["_airbyte_generation_id"].to_pylist()) == {0}
        assert connection.records(connection.sync())["customers"] == 0

    def test_full_refresh_append_keeps_every_generation(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        streams = [{"name": "t", "syncMode": "full_refresh_append"}]
        connection = airbyte.connect(database.configuration, "postgres", streams)
        connection.sync()
        connection.sync()
        assert sorted(connection.table("t")["_airbyte_generation_id"].to_pylist()) == [1, 2]

    def test_the_place_of_a_file_is_the_start_of_its_sync(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte)
        before = time.time() * 1000
        connection.sync()
        (file,) = connection.files("things")
        epoch, _, part = file.stem.partition("_")
        assert before - 1 <= int(epoch) <= time.time() * 1000
        assert part == "0"
        day = time.strftime("%Y-%m-%d", time.gmtime(int(epoch) / 1000))
        assert file.parent.name == f"date={day}"

    def test_both_paths_land_the_same(self, airbyte_of_its_own: MakeServer, database: Database) -> None:
        shop(airbyte_of_its_own(), database)
        tables = []
        for direct in (True, False):
            server = airbyte_of_its_own(direct=direct)
            connection = server.connect(database.configuration, "postgres", None)
            connection.sync()
            tables.append(connection.table("customers").sort_by("id").select(["id", "name", "updated_at"]))
            schemas = pq.read_schema(connection.files("customers")[0])
            assert schemas.names[:4] == [
                "_airbyte_raw_id",
                "_airbyte_extracted_at",
                "_airbyte_meta",
                "_airbyte_generation_id",
            ]
        assert tables[0].equals(tables[1])

    def test_selected_fields_are_the_only_ones_read(self, airbyte: AirbyteServer, database: Database) -> None:
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, a int, secret text)", "INSERT INTO t VALUES (1, 2, 's')"
        )
        fields = [{"fieldPath": ["id"]}, {"fieldPath": ["a"]}]
        streams = [{"name": "t", "syncMode": "full_refresh_overwrite", "selectedFields": fields}]
        connection = airbyte.connect(database.configuration, "postgres", streams)
        connection.sync()
        assert connection.table("t").column_names[4:] == ["id", "a"]

    def test_a_stream_of_the_source_s_own_state_goes_on_from_it(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte, [{"name": "things", "syncMode": "incremental_append"}], rows=5)
        assert connection.records(connection.sync()) == {"things": 5}
        assert connection.table("things")["blob"].to_pylist()[0] == '{"a":[1,"x"]}'


class TestFailures:
    """A connector that misbehaves makes a failed job with the reason, and a server that lives."""

    @pytest.mark.parametrize(
        ("mode", "reason"),
        [
            ("trace", "the token has expired"),
            ("exit", "connector exited with code 1: something went wrong at line 7"),
            ("unknown_stream", "the connector sent stream other, which is not in the catalogue"),
            ("legacy_state", "the connector keeps LEGACY state"),
        ],
    )
    def test_the_reason_is_the_connector_s_own(self, airbyte: AirbyteServer, mode: str, reason: str) -> None:
        connection = fake(airbyte, mode=mode)
        failure = connection.fail()
        assert failure.startswith(reason)
        assert "\n" not in failure
        assert connection.files("things") == []

    def test_garbage_between_records_is_log(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte, mode="garbage")
        assert connection.records(connection.sync()) == {"things": 1}

    def test_bad_values_are_null_with_a_change(self, airbyte: AirbyteServer) -> None:
        records = ['{"id": "x", "name": "a"}', '{"id": 2, "price": NaN}', '{"id": 3, "born": "2024-13-01"}']
        connection = fake(airbyte, mode="records", records=records)
        connection.sync()
        rows = connection.table("things").to_pylist()
        assert [row["id"] for row in rows] == [None, 2, 3]
        changed = [[c["field"] for c in row["_airbyte_meta"]["changes"]] for row in rows]
        assert changed == [["id"], ["price"], ["born"]]

    def test_a_wrong_password_says_so(self, airbyte: AirbyteServer, database: Database) -> None:
        connection = shop(airbyte, database)
        address = f"{airbyte.public}/sources/{connection.source_id}"
        airbyte.call("PATCH", address, json={"configuration": {"password": "wrong"}})
        assert 'password authentication failed for user "shop"' in connection.fail()
        body = {"sourceId": connection.source_id}
        checked = airbyte.call("POST", f"{airbyte.config}/sources/check_connection", json=body)
        assert checked["status"] == "failed"
        assert "password authentication failed" in checked["message"]
        airbyte.call("PATCH", address, json={"configuration": {"password": "secret"}})
        connection.sync()

    def test_a_dropped_column_fails_until_the_schema_is_refreshed(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = shop(airbyte, database)
        connection.sync()
        database.execute("ALTER TABLE customers DROP COLUMN name")
        assert connection.fail().startswith(
            "stream customers: column name is gone from table public.customers"
        )
        streams = [{"name": "customers", "syncMode": "incremental_append", "cursorField": ["updated_at"]}]
        body = {"configurations": {"streams": streams}}
        airbyte.call("PATCH", f"{airbyte.public}/connections/{connection.id}", json=body)
        assert connection.records(connection.sync()) == {"customers": 0}

    def test_a_destination_that_cannot_be_written_says_so(
        self, airbyte: AirbyteServer, tmp_path: Path
    ) -> None:
        occupied = tmp_path / "a-file"
        occupied.write_text("")
        connection = fake(airbyte)
        destination = airbyte.call("GET", f"{airbyte.public}/connections/{connection.id}")["destinationId"]
        airbyte.call(
            "PATCH",
            f"{airbyte.public}/destinations/{destination}",
            json={"configuration": {"s3_endpoint": (occupied / "lake").as_uri()}},
        )
        assert "cannot write landing files: Not a directory" in connection.fail()

    def test_cancelling_kills_everything_the_job_started(self, airbyte: AirbyteServer) -> None:
        marker = unique("cancelled-marker")
        connection = fake(airbyte, mode="hang", marker=marker)
        job = connection.start()
        eventually(lambda: len(processes_with(marker)) > 0)
        cancelled = airbyte.call("DELETE", f"{airbyte.public}/jobs/{job['jobId']}")
        assert cancelled["status"] == "cancelled"
        eventually(lambda: processes_with(marker) == [])
        assert airbyte.call("DELETE", f"{airbyte.public}/jobs/{job['jobId']}")["status"] == "cancelled"
        assert connection.files("things") == []

    def test_a_job_that_hangs_is_stopped_at_its_time(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own(job_timeout_seconds=2)
        marker = unique("timeout-marker")
        connection = fake(server, mode="hang", marker=marker)
        assert "the job ran longer than" in connection.fail()
        eventually(lambda: processes_with(marker) == [])

    def test_a_stopped_server_leaves_no_process(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own()
        marker = unique("stopped-marker")
        connection = fake(server, mode="hang", marker=marker)
        job = connection.start()
        eventually(lambda: len(processes_with(marker)) > 0)
        server.stop()
        eventually(lambda: processes_with(marker) == [])
        server.start()
        job = connection.wait(job)
        assert job["status"] == "failed"
        assert "the server was stopped" in connection.failure(job)

    def test_a_source_that_never_answers_does_not_keep_the_server_from_stopping(
        self, airbyte_of_its_own: MakeServer
    ) -> None:
        server = airbyte_of_its_own()
        marker = unique("discover-marker")
        source = server.create_source({"mode": "hang_discover", "marker": marker}, "fake")
        address = f"{server.config}/sources/discover_schema"
        with pytest.raises(httpx.TimeoutException):
            server.client.post(address, json={"sourceId": source}, timeout=1)
        assert processes_with(marker)
        assert httpx.get(f"{server.config}/health").status_code == 200
        server.stop()
        eventually(lambda: processes_with(marker) == [])


class TestKilled:
    """kill -9 of the server at any moment, then the same again."""

    def test_a_job_in_flight_fails_and_leaves_nothing(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own()
        marker = unique("killed-marker")
        connection = fake(server, mode="hang", marker=marker)
        job = connection.start()
        eventually(lambda: len(processes_with(marker)) > 0)
        server.kill()
        eventually(lambda: processes_with(marker) == [])
        server.start()
        job = connection.wait(job)
        assert job["status"] == "failed"
        assert "the server restarted while this job ran" in connection.failure(job)
        assert [path for path in server.lake.rglob("*") if path.is_file()] == []

    def test_in_the_middle_of_landing_nothing_is_lost_and_nothing_partial_is_seen(
        self, airbyte_of_its_own: MakeServer, database: Database
    ) -> None:
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, at int NOT NULL, pad text)",
            "INSERT INTO t SELECT i, 0, i, repeat(md5(i::text), 8) FROM generate_series(1, 100000) i",
        )
        server = airbyte_of_its_own()
        streams = [{"name": "t", "syncMode": "incremental_append", "cursorField": ["at"]}]
        connection = server.connect(database.configuration, "postgres", streams)
        for pause in (0.4, 0.7, 0.9, 1.2):
            job = connection.start()
            eventually(lambda job=job: _status(connection, job) != "pending")
            time.sleep(pause)
            server.kill()
            _readable(connection)
            database.execute("UPDATE t SET v = v + 1, at = at + 1000000 WHERE id % 10 = 3")
            server.start()
        connection.sync()
        _readable(connection)
        latest = _latest(connection)
        assert latest == dict(database.rows("SELECT id, v FROM t"))
        assert not (server.lake / ".airbyte-incomplete").exists()

    def test_shown_but_uncommitted_files_are_removed_at_the_next_start(
        self, airbyte_of_its_own: MakeServer
    ) -> None:
        server = airbyte_of_its_own()
        connection = fake(server)
        connection.sync()
        (kept,) = connection.files("things")
        server.kill()
        shown = kept.with_name("1_0.parquet")
        shown.write_bytes(kept.read_bytes())
        import sqlite3

        with sqlite3.connect(server.home / "airbyte.db") as store:
            key = str(shown.relative_to(server.lake))
            store.execute("UPDATE jobs SET status = 'running', ended_at = NULL")
            store.execute(
                "INSERT INTO landing_files SELECT destination_id, ?, id, '', 'things', 0, 0, 0 FROM jobs",
                (key,),
            )
        server.start()
        assert connection.files("things") == [kept]

    def test_everything_else_survives(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own()
        connection = fake(server)
        job = connection.sync()
        credentials = (server.home / "credentials.json").read_bytes()
        token = _token(server)
        server.kill()
        server.start()
        assert server.call("GET", f"{server.public}/jobs/{job['jobId']}") == job
        assert (server.home / "credentials.json").read_bytes() == credentials
        answer = httpx.get(f"{server.public}/workspaces", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


def _status(connection: Connection, job: dict[str, Any]) -> str:
    return connection.server.call("GET", f"{connection.server.public}/jobs/{job['jobId']}")["status"]


def _readable(connection: Connection) -> None:
    for path in connection.files("t"):
        pq.read_table(path)


def _latest(connection: Connection) -> dict[int, int]:
    table = connection.table("t").sort_by([("_airbyte_extracted_at", "ascending"), ("at", "ascending")])
    return dict(zip(table["id"].to_pylist(), table["v"].to_pylist(), strict=True))


def _token(server: AirbyteServer, *, form: bool = False) -> str:
    import json

    kept = json.loads((server.home / "credentials.json").read_text())
    body = {name: kept[name] for name in ("client_id", "client_secret")}
    arguments: dict[str, Any] = (
        {"data": body | {"grant_type": "client_credentials"}} if form else {"json": body}
    )
    answer = httpx.post(f"{server.public}/applications/token", **arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


class TestAccess:
    @pytest.mark.parametrize("form", [True, False])
    def test_a_token_comes_for_the_client_s_credentials(self, airbyte: AirbyteServer, form: bool) -> None:
        headers = {"Authorization": f"Bearer {_token(airbyte, form=form)}"}
        assert httpx.get(f"{airbyte.public}/workspaces", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "Basic " + base64.b64encode(b"airbyte:wrong").decode(),
            "Basic not-base64",
            "Bearer x.y",
            "Bearer " + base64.urlsafe_b64encode(b'{"client_id": "x", "exp": 9e9}').decode() + ".forged",
            "Digest x",
        ],
    )
    @pytest.mark.parametrize(
        "path", ["/api/public/v1/workspaces", "/api/v1/connections/get", "/", "/api/v1/nowhere"]
    )
    def test_nobody_else_is_let_in(
        self, airbyte: AirbyteServer, path: str, authorization: str | None
    ) -> None:
        headers = {"Authorization": authorization} if authorization else {}
        answer = httpx.get(airbyte.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["status"] == 401

    def test_wrong_client_credentials_get_no_token(self, airbyte: AirbyteServer) -> None:
        body = {"client_id": "x", "client_secret": "y"}
        assert httpx.post(f"{airbyte.public}/applications/token", json=body).status_code == 401

    def test_health_is_open(self, airbyte: AirbyteServer) -> None:
        assert httpx.get(f"{airbyte.config}/health").json() == {"available": True}
        assert httpx.get(f"{airbyte.config}/health/").status_code == 200

    def test_secrets_are_kept_to_the_owner_and_never_shown(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = shop(airbyte, database)
        for name in ("credentials.json", "airbyte.db"):
            assert os.stat(airbyte.home / name).st_mode & 0o777 == 0o600
        address = f"{airbyte.public}/sources/{connection.source_id}"
        shown = airbyte.call("GET", address)["configuration"]
        assert shown["password"] == "**********"
        airbyte.call("PUT", address, json={"name": unique("renamed"), "configuration": shown})
        connection.sync()


class TestRequests:
    def test_a_trailing_slash_is_no_redirect(self, airbyte: AirbyteServer) -> None:
        assert airbyte.call("GET", f"{airbyte.public}/workspaces/") == airbyte.call(
            "GET", f"{airbyte.public}/workspaces"
        )

    @pytest.mark.parametrize(
        ("method", "path", "body", "detail"),
        [
            ("POST", "/jobs", {"connectionId": "x", "jobType": "sync", "extra": 1}, "unknown field `extra`"),
            ("POST", "/jobs", {"connectionId": "x", "jobType": "check"}, "Invalid enum value 'check'"),
            ("POST", "/jobs", {"connectionId": "x"}, "missing required field `jobType`"),
            ("POST", "/connections", {"sourceId": 1, "destinationId": "d"}, "Expected `str`, got `int`"),
            ("POST", "/sources", {"name": "n"}, "missing required field `workspaceId`"),
        ],
    )
    def test_a_wrong_body_is_refused_by_field(
        self, airbyte: AirbyteServer, method: str, path: str, body: dict[str, Any], detail: str
    ) -> None:
        answer = airbyte.call(method, airbyte.public + path, 400, json=body)
        assert set(answer) >= {"status", "type", "title", "detail"}
        assert detail in answer["detail"]

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"connectionId": "\\ud800"}', "\x00"])
    def test_a_body_that_is_no_object_is_refused(self, airbyte: AirbyteServer, text: str) -> None:
        airbyte.call("POST", f"{airbyte.public}/jobs", 400, content=text.encode())

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=x",
            "limit=101",
            "offset=-1",
            "workspace=x",
            "status=odd",
            "orderBy=x",
            "createdAtStart=x",
        ],
    )
    def test_a_wrong_query_is_refused(self, airbyte: AirbyteServer, query: str) -> None:
        airbyte.call("GET", f"{airbyte.public}/jobs?{query}", 400)

    def test_a_query_that_a_call_does_not_take_is_refused(self, airbyte: AirbyteServer) -> None:
        answer = airbyte.call("GET", f"{airbyte.public}/sources/x?limit=1", 400)
        assert "query parameter limit is unknown; known are includeSecretCoordinates" in answer["detail"]
        assert "known are none" in airbyte.call("GET", f"{airbyte.public}/jobs/1?x=1", 400)["detail"]

    def test_what_is_not_there_is_404_and_what_is_not_served_says_so(self, airbyte: AirbyteServer) -> None:
        for path in ("/sources/x", "/connections/x", "/jobs/999999", "/workspaces/x"):
            assert "there is no" in airbyte.call("GET", airbyte.public + path, 404)["detail"]
        airbyte.call("POST", f"{airbyte.config}/connections/get", 404, json={"connectionId": "x"})
        assert "is not served" in airbyte.call("GET", f"{airbyte.public}/tags", 404)["detail"]
        airbyte.call("PUT", f"{airbyte.public}/workspaces", 405)

    def test_pages_are_ordered_and_complete(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own()
        made = [server.create_source({"mode": "good"}, "fake") for _ in range(7)]
        seen: list[str] = []
        address = f"{server.public}/sources?limit=3&workspaceIds={server.workspace_id}"
        while address:
            page = server.call("GET", address)
            seen += [source["sourceId"] for source in page["data"]]
            address = page["next"]
        assert seen == made
        assert server.call("GET", f"{server.public}/sources?workspaceIds=other")["data"] == []

    def test_jobs_can_be_filtered(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte)
        first, second = connection.sync(), connection.sync()
        address = f"{airbyte.public}/jobs?connectionId={connection.id}"
        assert [job["jobId"] for job in airbyte.call("GET", address)["data"]] == [
            second["jobId"],
            first["jobId"],
        ]
        ascending = airbyte.call("GET", address + "&orderBy=createdAt|ASC")["data"]
        assert [job["jobId"] for job in ascending] == [first["jobId"], second["jobId"]]
        assert airbyte.call("GET", address + "&status=failed")["data"] == []
        assert airbyte.call("GET", address + "&createdAtStart=2100-01-01T00:00:00Z")["data"] == []

    def test_a_name_is_taken_once(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte)
        source = airbyte.call("GET", f"{airbyte.public}/sources/{connection.source_id}")
        body = {
            "name": source["name"],
            "workspaceId": airbyte.workspace_id,
            "configuration": {"sourceType": "fake"},
        }
        assert source["name"] in airbyte.call("POST", f"{airbyte.public}/sources", 409, json=body)["detail"]
        made = airbyte.call("GET", f"{airbyte.public}/connections/{connection.id}")
        body = {"name": made["name"], "sourceId": made["sourceId"], "destinationId": made["destinationId"]}
        assert made["name"] in airbyte.call("POST", f"{airbyte.public}/connections", 409, json=body)["detail"]

    def test_two_streams_never_land_at_one_place(self, airbyte: AirbyteServer) -> None:
        made = airbyte.call("GET", f"{airbyte.public}/connections/{fake(airbyte).id}")
        body = {
            "name": unique("again"), "sourceId": made["sourceId"], "destinationId": made["destinationId"],
            "namespaceDefinition": "custom_format", "namespaceFormat": made["namespaceFormat"],
        }  # fmt: skip
        answer = airbyte.call("POST", f"{airbyte.public}/connections", 409, json=body)
        assert f"where {made['name']} lands already" in answer["detail"]
        airbyte.call("POST", f"{airbyte.public}/connections", json=body | {"prefix": "other_"})

    def test_a_connection_runs_one_job_at_a_time(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte, mode="hang", marker=unique("twice"))
        job = connection.start()
        assert job["status"] in ACTIVE
        assert "already running" in connection.start(409)["detail"]
        airbyte.call("POST", f"{airbyte.config}/connections/sync", 409, json={"connectionId": connection.id})
        airbyte.call("POST", f"{airbyte.config}/jobs/cancel", json={"id": job["jobId"]})
        again = connection.start()
        airbyte.call("DELETE", f"{airbyte.public}/jobs/{again['jobId']}")

    @pytest.mark.parametrize(
        ("stream", "detail"),
        [
            (
                {"name": "nothing"},
                "stream nothing: the source has no such stream; it has customers, keyless, orders",
            ),
            (
                {
                    "name": "keyless",
                    "syncMode": "incremental_deduped_history",
                    "cursorField": ["at"],
                },
                "stream keyless: incremental_deduped_history needs primaryKey",
            ),
            (
                {"name": "customers", "syncMode": "incremental_append"},
                "an incremental sync needs cursorField",
            ),
            (
                {"name": "customers", "syncMode": "incremental_append", "cursorField": ["changed"]},
                "cursorField changed is no field of it; the fields are id, name, updated_at",
            ),
            ({"name": "customers", "primaryKey": [["key"]]}, "primaryKey key is no field of it"),
            (
                {"name": "customers", "selectedFields": [{"fieldPath": ["x"]}]},
                "selectedFields x is no field of it",
            ),
        ],
    )
    def test_a_stream_that_cannot_be_synced_is_refused(
        self, airbyte: AirbyteServer, database: Database, stream: dict[str, Any], detail: str
    ) -> None:
        made = airbyte.call("GET", f"{airbyte.public}/connections/{shop(airbyte, database).id}")
        database.execute("CREATE TABLE keyless (at int)")
        body = {
            "name": unique("bad"), "sourceId": made["sourceId"], "destinationId": made["destinationId"],
            "prefix": unique("p"), "configurations": {"streams": [stream]},
        }  # fmt: skip
        assert detail in airbyte.call("POST", f"{airbyte.public}/connections", 400, json=body)["detail"]

    def test_a_wrong_source_or_destination_is_refused_by_name(self, airbyte: AirbyteServer) -> None:
        answer = airbyte.create_source({"host": "h", "hots": "h"}, "postgres", 400)
        assert "unknown field `hots`" in answer["detail"]
        answer = airbyte.create_source({}, "oracle", 400)
        assert (
            "sourceType oracle is not available; this server has fake, files, mysql, postgres"
            in answer["detail"]
        )
        body = {
            "name": unique("d"),
            "workspaceId": airbyte.workspace_id,
            "configuration": {"destinationType": "bigquery"},
        }
        answer = airbyte.call("POST", f"{airbyte.public}/destinations", 400, json=body)
        assert "destinationType bigquery is not available; this server writes type s3" in answer["detail"]

    def test_what_is_used_cannot_be_deleted(self, airbyte: AirbyteServer) -> None:
        connection = fake(airbyte)
        address = f"{airbyte.public}/sources/{connection.source_id}"
        assert "is used by connection" in airbyte.call("DELETE", address, 409)["detail"]
        airbyte.call("DELETE", f"{airbyte.public}/connections/{connection.id}", 204)
        airbyte.call("DELETE", address, 204)
        airbyte.call("GET", address, 404)

    def test_discover_shows_the_catalogue(self, airbyte: AirbyteServer, database: Database) -> None:
        connection = shop(airbyte, database)
        body = {"sourceId": connection.source_id}
        found = airbyte.call("POST", f"{airbyte.config}/sources/discover_schema", json=body)
        streams = {entry["stream"]["name"]: entry for entry in found["catalog"]["streams"]}
        assert streams["customers"]["stream"]["sourceDefinedPrimaryKey"] == [["id"]]
        assert streams["customers"]["config"]["selected"] is True

    def test_a_connection_is_patched_as_it_was_created(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = shop(airbyte, database)
        address = f"{airbyte.public}/connections/{connection.id}"
        shown = airbyte.call("GET", address)
        body = {
            name: shown[name] for name in ("name", "sourceId", "destinationId", "namespaceFormat", "schedule")
        }
        assert airbyte.call("PATCH", address, json=body) == shown
        assert "cannot change" in airbyte.call("PATCH", address, 400, json={"sourceId": "other"})["detail"]
        airbyte.call("PATCH", address, json={"status": "inactive"})
        assert "is inactive" in connection.start(400)["detail"]

    def test_a_second_server_may_not_have_the_home(
        self, airbyte_of_its_own: MakeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = airbyte_of_its_own()
        from lakehouse.embedded.airbyte import server as module
        from lakehouse.embedded.errors import EmbeddedError

        monkeypatch.setattr(module, "_PREDECESSOR_SECONDS", 0.1)
        with pytest.raises(EmbeddedError, match="is in use by another server"):
            module.serve(module.AirbyteServerConfig(home=server.home, port=0, password="p"))


def test_sigint_stops_it_too(airbyte_of_its_own: MakeServer) -> None:
    server = airbyte_of_its_own()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) in (0, -signal.SIGINT, 130)


def test_numbers_of_a_sync_agree_with_its_files(airbyte: AirbyteServer) -> None:
    connection = fake(airbyte, rows=1234)
    job = connection.sync()
    assert pc.sum(connection.table("things")["id"]).as_py() == 1234 * 1233 // 2
    (stream,) = connection.attempt(job)["streamStats"]
    assert stream["files"] == 1
    assert stream["stats"]["recordsEmitted"] == stream["stats"]["recordsCommitted"] == 1234
