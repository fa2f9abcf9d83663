"""What counts as an installed Superset."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.superset import installation


def test_the_lock_holds_hashes_and_no_addresses() -> None:
    lock = installation.LOCK.read_text()
    packages = re.findall(r"^[\w.-]+==", lock, re.MULTILINE)
    assert "apache-superset==" in packages
    assert lock.count("--hash=sha256:") >= len(packages)
    assert "://" not in lock


def test_an_environment_of_another_lock_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nothing-prepared"))
    home = tmp_path / "superset"
    place = home / ".venv"
    assert installation.environment(home) == place
    with pytest.raises(EmbeddedError, match="is not installed; run `lakehouse superset install`"):
        installation.require_installed(home)
    place.mkdir(parents=True)
    (place / ".installed").write_text("of another lock")
    assert not installation.is_installed(place)
