"""What commands make of a Superset that is installed, or is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.cli.services import OPTIONAL, address, embedded_settings, is_local, stack_services
from lakehouse.cli.superset import configure, is_waiting
from lakehouse.embedded.errors import EmbeddedError
from lakehouse.errors import ConfigurationError
from lakehouse.settings import load_settings


def test_installing_says_where_it_is_and_makes_secrets_once(tmp_path: Path) -> None:
    first = configure(tmp_path).superset
    assert first.url == "http://127.0.0.1:8088"
    assert first.password is not None
    assert first.secret_key is not None
    assert len({first.password.get_secret_value(), first.secret_key.get_secret_value()}) == 2
    assert (tmp_path / "lakehouse.env").stat().st_mode & 0o777 == 0o600
    assert configure(tmp_path).superset == first


def test_a_home_without_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = embedded_settings(load_settings(tmp_path))
    assert not is_waiting(settings)
    with pytest.raises(
        ConfigurationError, match="superset: is not installed; run `lakehouse superset install`"
    ):
        stack_services(settings, OPTIONAL)
    monkeypatch.setattr("sys.prefix", str(tmp_path))  # without the environment of `make superset`
    configured = configure(tmp_path)
    assert not is_waiting(configured)
    with pytest.raises(EmbeddedError, match="superset: is not installed; run `lakehouse superset install`"):
        stack_services(configured, OPTIONAL)


def test_one_on_another_machine_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_SUPERSET__URL", "https://superset.example.com")
    settings = configure(tmp_path)
    assert address(settings, "superset") == "superset.example.com:443"
    assert not is_local(settings, "superset")
    assert not is_waiting(settings)
    with pytest.raises(ConfigurationError, match="not on this machine"):
        stack_services(settings, OPTIONAL)
