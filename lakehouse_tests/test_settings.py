"""Settings: order of sources, and errors that name the key, the place and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import ConfigurationError
from lakehouse.settings import environment, load_settings


def test_defaults_are_the_embedded_stack(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert settings.lake == f"file://{tmp_path}/lake"
    assert settings.iceberg_uri == f"sqlite:///{tmp_path}/iceberg/catalog.db"
    assert settings.dremio.url == "http://127.0.0.1:9047"
    assert settings.dremio.flight_url == "grpc+tcp://127.0.0.1:32010"


def test_environment_wins_over_the_home_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lakehouse.env").write_text(
        "LAKEHOUSE_DREMIO__PORT=1\nLAKEHOUSE_DREMIO__PASSWORD=from-file\n"
    )
    monkeypatch.setenv("LAKEHOUSE_DREMIO__PORT", "2")
    settings = load_settings(tmp_path)
    assert settings.dremio.port == 2
    assert settings.dremio.password is not None
    assert settings.dremio.password.get_secret_value() == "from-file"


def test_secrets_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_DREMIO__PASSWORD", "hunter2")
    settings = load_settings(tmp_path)
    assert "hunter2" not in repr(settings)
    assert settings.environ["LAKEHOUSE_DREMIO__PASSWORD"] == "hunter2"


def test_a_bad_value_of_a_secret_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_METADATA__URL", "mysql://user:hunter2@host/database")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path)
    assert "LAKEHOUSE_METADATA__URL: bad value: allowed are postgresql://" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("LAKEHOUSE_DREMIO__PROT", "1", "PROT (environment): unknown setting; did you mean LAKEHOUSE_DREMIO__PORT?"),
        ("LAKEHOUSE_DREMIO__PORT", "x", "LAKEHOUSE_DREMIO__PORT: bad value 'x': Input should be a valid integer"),
        ("LAKEHOUSE_LAKE_URL", "hdfs://a", "allowed are file:///<absolute path> and s3://<bucket>[/<prefix>]"),
        ("LAKEHOUSE_API__TOKENS", "long-enough-to-be-a-token,", "LAKEHOUSE_API__TOKENS: bad value: tokens have at least 20"),
        ("LAKEHOUSE_ICEBERG__TYPE", "hive", "LAKEHOUSE_ICEBERG__TYPE: bad value 'hive': Input should be 'sql' or 'rest'"),
    ],
)  # fmt: skip
def test_bad_settings_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str, line: str
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_key_in_the_home_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.env").write_text("LAKEHOUSE_NONSENSE=1\n")
    with pytest.raises(ConfigurationError, match=r"LAKEHOUSE_NONSENSE \(.*lakehouse\.env\): unknown setting"):
        load_settings(tmp_path)


def test_references_resolve_against_environment_file_and_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lakehouse.env").write_text("LAKEHOUSE_POSTGRES__PASSWORD=secret\n")
    monkeypatch.setenv("OTHER", "value")
    names = environment(load_settings(tmp_path))
    assert names["LAKEHOUSE_POSTGRES__PASSWORD"] == "secret"
    assert names["LAKEHOUSE_POSTGRES__PORT"] == "15432"
    assert names["OTHER"] == "value"


def test_the_environment_is_not_read_from_the_home_file(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.env").write_text("LAKEHOUSE_ENVIRONMENT=production\n")
    with pytest.raises(
        ConfigurationError, match=r"LAKEHOUSE_ENVIRONMENT \(.*lakehouse\.env\): is read from the env"
    ):
        load_settings(tmp_path)
