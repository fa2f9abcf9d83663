"""The lake on files and on S3: what each reader of it is told. No network is needed to be told."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lakehouse.errors import ConfigurationError, PermanentError, TransientError
from lakehouse.lake.duckdb_session import duckdb_session, literal
from lakehouse.lake.filesystem import open_filesystem, path_of, readable
from lakehouse.lake.iceberg import open_catalog, storage_properties
from lakehouse.settings import Settings
from lakehouse.settings_sections import IcebergSettings, S3Settings

MINIO = S3Settings(
    endpoint="http://127.0.0.1:9000", access_key_id="key", secret_access_key=SecretStr("it's secret")
)


def s3_lake(home: Path, s3: S3Settings = MINIO) -> Settings:
    return Settings(home=home, lake_url="s3://datalake/company", s3=s3)


def test_urls_and_paths() -> None:
    assert path_of("file:///srv/a lake/x.parquet") == "/srv/a lake/x.parquet"
    assert path_of("s3://datalake/x.parquet") == "datalake/x.parquet"
    assert readable("s3://datalake/x.parquet") == "s3://datalake/x.parquet"
    assert readable("file:///srv/x.parquet") == "/srv/x.parquet"


def test_s3_through_pyarrow(tmp_path: Path) -> None:
    filesystem = open_filesystem(s3_lake(tmp_path))
    assert filesystem.type_name == "s3"
    assert filesystem.region == "us-east-1"


def test_s3_through_pyiceberg(tmp_path: Path) -> None:
    assert storage_properties(s3_lake(tmp_path)) == {
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        "s3.endpoint": "http://127.0.0.1:9000",
        "s3.region": "us-east-1",
        "s3.access-key-id": "key",
        "s3.secret-access-key": "it's secret",
    }


def test_s3_through_duckdb_with_the_extension_of_the_wheel(tmp_path: Path) -> None:
    with duckdb_session(s3_lake(tmp_path), "bronze.shop__orders") as connection:
        loaded = connection.execute(
            "SELECT extension_name FROM duckdb_extensions() WHERE loaded AND extension_name = 'httpfs'"
        ).fetchall()
        assert loaded == [("httpfs",)]
        [(secret,)] = connection.execute("SELECT secret_string FROM duckdb_secrets()").fetchall()
    for part in ("endpoint=127.0.0.1:9000", "use_ssl=false", "url_style=path", "key_id=key"):
        assert part in secret


def test_no_s3_credentials_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with (
        pytest.raises(ConfigurationError, match="LAKEHOUSE_S3__ACCESS_KEY_ID"),
        duckdb_session(s3_lake(tmp_path, S3Settings(endpoint="http://127.0.0.1:9000")), "bronze.x"),
    ):
        pass


def test_the_catalogue_has_the_three_layers_and_makes_its_directory(lake: Any) -> None:
    assert sorted(open_catalog(lake.settings).list_namespaces()) == [("bronze",), ("gold",), ("silver",)]
    assert (lake.home / "iceberg/catalog.db").is_file()


def test_a_rest_catalogue_without_an_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="LAKEHOUSE_ICEBERG__URI"):
        open_catalog(Settings(home=tmp_path, iceberg=IcebergSettings(type="rest")))


def test_a_rest_catalogue_that_is_down_is_transient_and_named(tmp_path: Path) -> None:
    nowhere = IcebergSettings(type="rest", uri="http://127.0.0.1:9/iceberg")
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:9/iceberg: the Iceberg catalogue") as down:
        open_catalog(Settings(home=tmp_path, iceberg=nowhere))
    assert "\n" not in str(down.value)


def test_a_merge_that_needs_more_memory_than_it_may_use_says_so(lake: Any) -> None:
    with (
        pytest.raises(PermanentError, match="memory limit 1MB does not suffice") as refused,
        duckdb_session(lake.settings, "bronze.shop__orders", "1MB") as connection,
    ):
        connection.execute("CREATE TABLE wide AS SELECT range, md5(range::text) FROM range(10_000_000)")
    assert "bronze.shop__orders" in str(refused.value)


def test_what_a_killed_merge_spilled_is_removed_by_the_next(lake: Any) -> None:
    spill = lake.settings.home / "spill"
    for name in ("killed", "running"):
        (spill / name).mkdir(parents=True)
    with (spill / "running" / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with duckdb_session(lake.settings, "bronze.shop__orders") as connection:
            connection.execute("SELECT 1")
    assert [left.name for left in spill.iterdir() if left.is_dir()] == ["running"]


def test_literals_are_quoted() -> None:
    assert literal("it's") == "'it''s'"
