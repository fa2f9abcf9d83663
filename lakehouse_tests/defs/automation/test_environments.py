"""Environments name what runs in them, and nothing else does."""

from pathlib import Path

import pytest

from lakehouse.defs.automation.environments import environments, here, runs_here
from lakehouse.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKEHOUSE_ENVIRONMENT", raising=False)


def written(folder: Path, text: str) -> Path:
    file = folder / "environments.yaml"
    file.write_text(text)
    return file


def test_local_is_the_default_and_has_no_schedule() -> None:
    assert here() == environments()["local"]
    assert here().schedules == ()
    assert runs_here("changes")
    assert not runs_here("nightly")


def test_production_has_the_nightly_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ENVIRONMENT", "production")
    assert runs_here("nightly")
    assert here().zone.key == "UTC"


def test_an_unknown_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ENVIRONMENT", "productoin")
    with pytest.raises(
        ConfigurationError, match=r"LAKEHOUSE_ENVIRONMENT.*'productoin'; .* declares local, production$"
    ):
        here()


def test_a_name_that_nothing_has_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"environments\.yaml: nothing is named 'nigthly'; known are nightly"
    ):
        runs_here("nigthly")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("environments: {a: {schedule: []}}", r"environments\.yaml: environments\.a\.schedule: unknown key$"),
        ("environments: {a: {schedules: [weekly]}}", r"environments\.a\.schedules\.0: Input should be 'nightly'.*'weekly'$"),
        ("environments: {a: {sensors: [nightly]}}", r"environments\.a\.sensors\.0: Input should be 'changes'.*'nightly'$"),
        ("environments: {a: {timezone: Mars/Base}}", r"environments\.a\.timezone: 'Mars/Base' is no time zone"),
        ("environments: {a: {timezone: ../etc}}", r"environments\.a\.timezone: '\.\./etc' is no time zone"),
        ("environments: {a: {sensors: [changes, automation_bronze]}}", r"environments\.a: changes and automation_bronze"),
        ("environments: [", r"environments\.yaml: is no YAML"),
        ("", r"environments\.yaml: "),
        ("places: {}", r"environments\.yaml: environments: Field required"),
    ],
)  # fmt: skip
def test_what_is_declared_wrongly_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        environments(written(tmp_path, text))
