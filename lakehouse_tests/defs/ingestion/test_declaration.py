"""Declared connections: what is refused, and how references resolve."""

from pathlib import Path

import pytest

from lakehouse.defs.ingestion.apply import apply_connections, destination_of
from lakehouse.defs.ingestion.declaration import connection_of, declarations
from lakehouse.defs.ingestion.references import resolve
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings
from lakehouse.settings_sections import S3Settings

GOOD = """
type: lakehouse.defs.ingestion.component.LakehouseAirbyteComponent
attributes:
  source: {name: shop, configuration: {sourceType: postgres, password: "${env:SHOP_PASSWORD}"}}
  connection:
    name: shop
    namespace: shop
    streams: [{name: orders, sync_mode: incremental_append, cursor_field: [updated_at]}]
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "defs.yaml").write_text(text)
    return tmp_path


def test_the_projects_own_connections() -> None:
    shop, flights = connection_of("shop"), connection_of("flights")
    assert shop is not None
    assert flights is not None
    assert {stream.name for stream in shop.streams} == {"customers", "products", "orders", "order_items"}
    assert all(stream.cursor_field == ["_ab_cdc_lsn"] for stream in shop.streams)
    assert connection_of("nobody") is None


@pytest.mark.parametrize(
    ("was", "is_now", "line"),
    [
        (
            "sync_mode: incremental_append",
            "sync_mode: cdc",
            r"shop/defs.yaml: connection.streams.0.sync_mode: ",
        ),
        ("namespace: shop", "namespaces: shop", r"shop/defs.yaml: connection.namespace"),
        ("sourceType: postgres, ", "", r"shop/defs.yaml: source: configuration.sourceType is missing"),
        ("attributes:", "attribute:", r"shop/defs.yaml: has no `attributes`"),
        (
            "namespace: shop",
            "namespace: shop\n    schedule: every hour",
            "'every hour' is no schedule; write manual, continuous or a Quartz",
        ),
        ("namespace: shop", "namespace: shop\n    schedule: 30 1 * * *", "such as 0 30 1"),
        ("namespace: shop", "namespace: shop\n    schedule: 0 30 1 * * *", "such as 0 30 1"),
    ],
)
def test_wrong_declarations_are_one_clear_line(tmp_path: Path, was: str, is_now: str, line: str) -> None:
    with pytest.raises(ConfigurationError, match=line) as caught:
        declarations(folder(tmp_path, shop=GOOD.replace(was, is_now)))
    assert "\n" not in str(caught.value)


def test_two_connections_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'shop' is declared in .*/a/defs.yaml already"):
        declarations(folder(tmp_path, a=GOOD, b=GOOD))


def test_references() -> None:
    environ = {"HOST": "db", "PORT": "5432"}
    declared = {"url": "${env:HOST}:${env:PORT}", "port": "${int:PORT}", "list": [{"host": "${env:HOST}"}, 7]}
    resolved = resolve(declared, environ, where="x")
    assert resolved == {"url": "db:5432", "port": 5432, "list": [{"host": "db"}, 7]}
    assert Path(resolve("${package:json}/data", {}, where="x")).parent.name == "json"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("${env:NOBODY}", "f.yaml: source.password: NOBODY is not set"),
        ("${int:HOST}", "f.yaml: source.password: HOST is no whole number"),
        ("${package:no_such_package}", "package no_such_package is not installed; install the extra"),
        ("${vault:x}", r"unknown reference \$\{vault:x\}; known are \$\{env:NAME\}"),
    ],
)
def test_references_that_do_not_resolve(value: str, line: str) -> None:
    with pytest.raises(ConfigurationError, match=line):
        resolve({"password": value}, {"HOST": "db"}, where="f.yaml: source")


def test_a_missing_secret_is_told_before_airbyte_is_asked(tmp_path: Path) -> None:
    nobody = Settings(home=tmp_path / "home", airbyte={"url": "http://127.0.0.1:1"})  # type: ignore[arg-type]
    with pytest.raises(
        ConfigurationError, match=r"shop/defs.yaml: source.configuration.password: SHOP_PASSWORD"
    ):
        apply_connections(nobody, folder(tmp_path, shop=GOOD))


def test_the_destination_is_the_lake(tmp_path: Path) -> None:
    local = destination_of(Settings(home=tmp_path))
    assert local["s3_endpoint"] == f"file://{tmp_path}/lake"
    bucket = destination_of(Settings(lake_url="s3://datalake/prod", s3=S3Settings(region="eu-west-1")))
    assert (bucket["s3_bucket_name"], bucket["s3_bucket_path"]) == ("datalake", "prod/landing")
    assert "s3_endpoint" not in bucket
