"""Clients of Airbyte that others wrote, unmodified: both generations of its SDK, and the older part of dagster-airbyte."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from dagster_airbyte import AirbyteResource
from openapi_spec_validator import OpenAPIV31SpecValidator

from lakehouse_tests.embedded.airbyte.fixtures import (
    PASSWORD,
    USER,
    AirbyteServer,
    Database,
    airbyte,
    database,
    postgres_port,
)

__all__ = ["airbyte", "database", "postgres_port"]
pytestmark = pytest.mark.slow
SCENARIO = Path(__file__).with_name("sdk_scenario.py")
OLD_CLIENT = Path(sys.prefix) / "airbyte-api-0"


def client_credentials(server: AirbyteServer) -> dict[str, str]:
    kept = json.loads((server.home / "credentials.json").read_text())
    login = {name: kept[name] for name in ("client_id", "client_secret")}
    return login | {"token_url": f"{server.public}/applications/token"}


class TestSdk:
    @pytest.mark.parametrize("old", [False, True], ids=["second generation", "first generation"])
    def test_it_does_all_that_it_can(self, airbyte: AirbyteServer, database: Database, old: bool) -> None:
        if old and not OLD_CLIENT.exists():
            pytest.skip(f"{OLD_CLIENT} is missing; `make install` makes it")
        database.execute("CREATE TABLE t (id int PRIMARY KEY, at int)", "INSERT INTO t VALUES (1, 1), (2, 2)")
        names = ("host", "port", "database", "username", "password")
        given = {
            "url": airbyte.public,
            "login": client_credentials(airbyte),
            "postgres": {name: database.configuration[name] for name in names} | {"schemas": ["public"]},
            "lake": airbyte.lake.as_uri(),
        }
        environment = os.environ | ({"PYTHONPATH": str(OLD_CLIENT)} if old else {})
        ran = subprocess.run(
            [sys.executable, str(SCENARIO), json.dumps(given)],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3000:]
        seen = json.loads(ran.stdout)
        assert seen.pop("version").startswith("0." if old else "1.")
        assert seen["definitions"]["destination"] == ["s3"]
        assert {"postgres", "files"} <= set(seen.pop("definitions")["source"])
        modes = [
            "full_refresh_append",
            "full_refresh_overwrite",
            "incremental_append",
            "incremental_deduped_history",
        ]
        assert seen == {
            "health": 200,
            "source": [True, "postgres", True],
            "listed": [True, True],
            "streams": {"t": [modes, [["id"]], [["id"], ["at"]]]},
            "connection": ["0 0 0 1 1 ?", "propagate_columns", "incremental_deduped_history", [["id"]]],
            "patched": ["manual", True],
            "jobs": [
                ["sync", "succeeded", 2],
                ["refresh", "succeeded", 2],
                ["clear", "succeeded", 0],
                ["reset", "succeeded", 0],
            ],
            "listed jobs": ["sync", "refresh", "clear", "reset"],
            "cancelled": "succeeded",
            "deleted": [204, 204, 204],
        }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("forward_logs", [True, False])
def test_the_older_dagster_resource_syncs(airbyte: AirbyteServer, forward_logs: bool) -> None:
    connection = airbyte.connect({}, "fake", None)
    resource = AirbyteResource(
        host="127.0.0.1",
        port=str(airbyte.port),
        username=USER,
        password=PASSWORD,
        poll_interval=0.1,
        forward_logs=forward_logs,
    )
    output = resource.sync_and_poll(connection.id)
    assert output.job_details["job"]["status"] == "succeeded"
    attempt = output.job_details["attempts"][-1]
    attempt = attempt["attempt"] if forward_logs else attempt  # jobs/list has attempts without their logs
    assert attempt["streamStats"][0]["stats"]["recordsEmitted"] == 3
    workspace = resource.get_default_workspace()
    assert workspace == airbyte.workspace_id
    assert resource.get_source_definition_by_name("postgres")
    schema = resource.get_source_schema(connection.source_id)
    assert [entry["stream"]["name"] for entry in schema["catalog"]["streams"]] == ["things"]
    listed = resource.make_request("/connections/list", {"workspaceId": workspace})
    assert connection.id in [one["connectionId"] for one in (listed or {})["connections"]]


class TestConfigurationApi:
    """What clients of the configuration API do beyond this, call by call."""

    def test_sources_destinations_and_connections_live_and_die(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        def call(path: str, expected: int = 200, **body: Any) -> Any:
            return airbyte.call("POST", f"{airbyte.config}/{path}", expected, json=body)

        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        (workspace,) = call("workspaces/list")["workspaces"]
        assert call("workspaces/get", workspaceId=workspace["workspaceId"]) == workspace
        kinds = {
            one["name"]: one["sourceDefinitionId"]
            for one in call("source_definitions/list")["sourceDefinitions"]
        }
        (s3,) = call("destination_definitions/list")["destinationDefinitions"]
        source = call(
            "sources/create", name="made by calls", workspaceId=workspace["workspaceId"],
            sourceDefinitionId=kinds["postgres"], connectionConfiguration=database.configuration,
        )  # fmt: skip
        assert (source["sourceName"], source["connectionConfiguration"]["password"]) == (
            "postgres",
            "**********",
        )
        assert call("sources/check_connection", sourceId=source["sourceId"])["status"] == "succeeded"
        layout = {
            "s3_bucket_name": "lake", "s3_bucket_path": "landing", "s3_bucket_region": "",
            "s3_endpoint": airbyte.lake.as_uri(), "s3_path_format": "calls/${STREAM_NAME}/${EPOCH}_",
            "format": {"format_type": "Parquet"},
        }  # fmt: skip
        destination = call(
            "destinations/create", name="made by calls", workspaceId=workspace["workspaceId"],
            destinationDefinitionId=s3["destinationDefinitionId"], connectionConfiguration=layout,
        )  # fmt: skip
        assert (
            call("destinations/check_connection", destinationId=destination["destinationId"])["status"]
            == "succeeded"
        )
        assert not list(airbyte.lake.glob("_airbyte_check*"))
        discovered = call("sources/discover_schema", sourceId=source["sourceId"])["catalog"]
        discovered["streams"][0]["config"] |= {"destinationSyncMode": "append"}
        connection = call(
            "connections/create", name="made by calls", sourceId=source["sourceId"],
            destinationId=destination["destinationId"], syncCatalog=discovered, scheduleType="manual",
            nonBreakingChangesPreference="disable", namespaceDefinition="source", status="active",
        )  # fmt: skip
        (entry,) = connection["syncCatalog"]["streams"]
        assert (entry["config"]["syncMode"], entry["config"]["destinationSyncMode"]) == (
            "full_refresh",
            "append",
        )
        one = {"connectionId": connection["connectionId"]}
        assert call("connections/get", **one) == connection
        assert connection in call("connections/list", workspaceId=workspace["workspaceId"])["connections"]
        cron = {"cron": {"cronExpression": "0 0 0 1 1 ?", "cronTimeZone": "Europe/Berlin"}}
        catalog = connection["syncCatalog"]
        changed = call(
            "connections/update", **one, syncCatalog=catalog, scheduleType="cron", scheduleData=cron
        )
        assert (changed["scheduleData"], changed["syncCatalog"]) == (cron, catalog)
        job = call("connections/sync", **one)["job"]
        while call("jobs/get", id=job["id"])["job"]["status"] in ("pending", "running"):
            time.sleep(0.05)
        listed = call(
            "jobs/list", configTypes=["sync"], configId=one["connectionId"], pagination={"pageSize": 5}
        )
        assert [each["job"]["id"] for each in listed["jobs"]] == [job["id"]]
        assert (listed["totalJobCount"], listed["jobs"][0]["attempts"][0]["status"]) == (1, "succeeded")
        assert call("jobs/get_debug_info", id=job["id"])["job"]["configType"] == "sync"
        assert call("operations/list", **one) == {"operations": []}
        call("connections/delete", 204, **one)
        call("connections/get", 404, **one)
        renamed = call(
            "sources/update", sourceId=source["sourceId"], name="renamed by calls",
            connectionConfiguration=database.configuration,
        )  # fmt: skip
        assert renamed in call("sources/list", workspaceId=workspace["workspaceId"])["sources"]
        call("sources/delete", 204, sourceId=source["sourceId"])
        assert destination in call("destinations/list", workspaceId=workspace["workspaceId"])["destinations"]
        call("destinations/delete", 204, destinationId=destination["destinationId"])

    def test_the_instance_says_what_it_is(self, airbyte: AirbyteServer) -> None:
        instance = airbyte.call("GET", f"{airbyte.config}/instance_configuration")
        assert (instance["edition"], instance["initialSetupComplete"]) == ("community", True)

    @pytest.mark.parametrize(
        ("schedule", "problem"),
        [
            ({"scheduleType": "basic"}, "needs scheduleData.basicSchedule"),
            ({"scheduleType": "cron", "scheduleData": {}}, "needs scheduleData.cron"),
            (
                {"scheduleType": "cron", "scheduleData": {"cron": {"cronExpression": "0 * * * *"}}},
                "5 fields; Quartz has 6 or 7",
            ),
            (
                {
                    "scheduleType": "manual",
                    "scheduleData": {"basicSchedule": {"timeUnit": "hours", "units": 1}},
                },
                "scheduleData belongs to scheduleType basic or cron",
            ),
        ],
    )
    def test_a_schedule_must_be_whole(
        self, airbyte: AirbyteServer, schedule: dict[str, Any], problem: str
    ) -> None:
        body = {"connectionId": airbyte.connect({}, "fake", None).id, **schedule}
        assert (
            problem in airbyte.call("POST", f"{airbyte.config}/connections/update", 400, json=body)["detail"]
        )


class TestOpenApi:
    def test_it_is_valid_and_has_every_route(self, airbyte: AirbyteServer) -> None:
        from lakehouse.embedded.airbyte.api import configuration, public

        described = airbyte.call("GET", f"{airbyte.public}/openapi.json")
        OpenAPIV31SpecValidator(described).validate()
        # Operations are only listed here: none of them is called, so nothing needs to stand behind them.
        unused: Any = None
        served = {
            (operation.method.lower(), prefix + re.sub(r":int\}", "}", operation.path))
            for prefix, operations in (
                (public.PREFIX, public.operations(unused, unused)),
                (configuration.PREFIX, configuration.operations(unused)),
            )
            for operation in operations
        }
        documented = {(method, path) for path, methods in described["paths"].items() for method in methods}
        assert documented == served | {("get", "/api/public/v1/openapi.json")}
        assert len(documented) > 60

    def test_what_it_says_of_credentials_is_true(self, airbyte: AirbyteServer) -> None:
        described = airbyte.call("GET", f"{airbyte.public}/openapi.json")
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                answer = httpx.request(method, airbyte.url + re.sub(r"\{\w+\}", "1", path), json={})
                assert (answer.status_code == 401) == bool(operation["security"]) or "token" in path, path
