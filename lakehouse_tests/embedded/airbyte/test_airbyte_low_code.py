"""A low-code manifest as a source: airbyte-cdk's own runner against a REST and GraphQL API of the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.embedded.airbyte.connectors.installation import CDK_ENVIRONMENT, install_manifest, remove
from lakehouse.embedded.airbyte.connectors.installed import Installed, installed, record
from lakehouse.embedded.errors import EmbeddedError
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer
from lakehouse_tests.embedded.airbyte.rest_api import RestApi

MANIFEST = Path(__file__).with_name("shop_api.yaml")
STREAMS = [
    {"name": "items", "syncMode": "incremental_append"},
    {"name": "things", "syncMode": "full_refresh_overwrite"},
]

needs_cdk = pytest.mark.skipif(
    not (Path(sys.prefix) / CDK_ENVIRONMENT / "bin" / "source-declarative-manifest").exists(),
    reason="airbyte-cdk's environment is not there: run `make install`",
)


@pytest.fixture
def api() -> Iterator[tuple[RestApi, str]]:
    api = RestApi()
    with api.served() as address:
        yield api, address


def ids(table: Any) -> list[int]:
    return sorted(table["id"].to_pylist())


@needs_cdk
@pytest.mark.slow
def test_a_manifest_reads_what_is_new_and_goes_on_after_a_kill(
    api: tuple[RestApi, str], airbyte_of_its_own: Callable[..., AirbyteServer]
) -> None:
    rest, address = api
    rest.add(250)
    server = airbyte_of_its_own()
    assert "shop-api" in server.create_source({"url": address}, "shop-api", status=400)["detail"]
    install_manifest(server.home, "source-shop-api", MANIFEST)  # the server sees it without a restart
    refused = server.create_source({"url": address}, "shop-api", status=400)
    assert "'api_key' is a required property" in refused["detail"]

    connection = server.connect({"url": address, "api_key": "the-key"}, "shop-api", STREAMS)
    assert connection.records(connection.sync()) == {"items": 250, "things": 250}

    rest.add(150)
    rest.asked.clear()
    rest.holds_page = 1
    job = connection.start()
    assert rest.held.wait(60)
    server.kill()
    rest.holds_page = None
    rest.go_on.set()
    server.start()
    assert connection.wait(server.call("GET", f"{server.public}/jobs/{job['jobId']}"))["status"] == "failed"
    assert connection.records(connection.sync()) == {"items": 150, "things": 400}
    assert {asked["since"] for asked in rest.asked} == {rest.items[249]["updated_at"]}
    assert ids(connection.table("items")) == list(range(400))
    assert ids(connection.table("things")) == list(range(400))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("source-x", "no: manifest", r"is no low-code manifest; it needs `version`"),
        ("source-x", "{version: 1, type: DeclarativeSource}", r"has no spec\.connection_specification"),
        ("source-x", "[", "cannot be read"),
        ("Bad/Name", "", "is no connector's name"),
        ("source-postgres", "", "source postgres is built in"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(EmbeddedError, match=reason):
        install_manifest(tmp_path / "home", name, path)


@needs_cdk
def test_only_a_finished_installation_is_a_connector(tmp_path: Path) -> None:
    killed = tmp_path / "connectors" / "shop" / "env-killed"
    killed.mkdir(parents=True)
    assert installed(tmp_path) == []
    first = install_manifest(tmp_path, "source-shop", MANIFEST)
    assert [(found.type, found.version) for found in installed(tmp_path)] == [("shop", "6.0.0")]
    assert not killed.exists()
    second = install_manifest(tmp_path, "source-shop", MANIFEST)
    assert (Path(first.folder).exists(), Path(second.folder).exists()) == (False, True)
    remove(tmp_path, "source-shop")
    assert (installed(tmp_path), killed.parent.exists()) == ([], False)


def test_what_is_not_installed_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="source-x is not installed"):
        remove(tmp_path, "source-x")


@pytest.mark.slow
def test_discovered_streams_are_kept_until_the_connector_changes(
    airbyte: AirbyteServer, tmp_path: Path
) -> None:
    script, calls = tmp_path / "source", tmp_path / "calls"
    catalog = (
        '{"type":"CATALOG","catalog":{"streams":[{"name":"s","json_schema":{},"supported_sync_modes":[]}]}}'
    )
    script.write_text(f"#!/bin/sh\necho call >> {calls}\necho '{catalog}'\n")
    script.chmod(0o755)

    def install(version: str) -> None:
        (airbyte.home / "connectors" / "cached").mkdir(parents=True, exist_ok=True)
        command = (str(script),)
        record(
            airbyte.home,
            Installed(
                type="cached", package="p", version=version, command=command, spec={}, folder=str(tmp_path)
            ),
        )

    def discover(**options: bool) -> int:
        body = {"sourceId": source, **options}
        found = airbyte.call("POST", f"{airbyte.config}/sources/discover_schema", json=body)
        assert [entry["stream"]["name"] for entry in found["catalog"]["streams"]] == ["s"]
        return calls.read_text().count("call")

    install("1")
    source = airbyte.create_source({"a": 1}, "cached")
    assert [discover(), discover(), discover(disable_cache=True), discover()] == [1, 1, 2, 2]
    install("2")
    assert discover() == 3
    airbyte.call("PATCH", f"{airbyte.public}/sources/{source}", json={"configuration": {"a": 2}})
    assert discover() == 4
    (airbyte.home / "connectors" / "cached" / "connector.json").unlink()


@pytest.mark.slow
def test_what_a_specification_calls_secret_is_not_shown(airbyte: AirbyteServer, tmp_path: Path) -> None:
    secret = {"type": "string", "airbyte_secret": True}
    login = {"oneOf": [{"properties": {"pem": secret, "user": {"type": "string"}}}]}
    spec = {"type": "object", "properties": {"personal_key": secret, "login": login}}
    (airbyte.home / "connectors" / "secretive").mkdir(parents=True)
    record(
        airbyte.home,
        Installed(
            type="secretive", package="p", version="1", command=("true",), spec=spec, folder=str(tmp_path)
        ),
    )
    given = {"personal_key": "hidden-1", "login": {"pem": "hidden-2", "user": "ann"}}
    ours = {
        "root": "s3://bucket",
        "aws_secret_access_key": "hidden-3",
        "streams": [{"name": "a", "format": {"filetype": "csv"}}],
    }
    for configuration, type_ in ((given, "secretive"), (ours, "files")):
        source = airbyte.create_source(configuration, type_)
        shown = airbyte.call("GET", f"{airbyte.public}/sources/{source}")
        told = airbyte.call("POST", f"{airbyte.config}/sources/get", json={"sourceId": source})
        assert "hidden" not in str(shown) + str(told)
        assert shown["configuration"].get("login", {"user": "ann"})["user"] == "ann"
