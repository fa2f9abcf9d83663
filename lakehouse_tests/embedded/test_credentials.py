"""`<home>/lakehouse.env`: generated once, private, and never overwritten."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lakehouse.embedded.credentials import ENV_FILE_NAME, ensure_credentials
from lakehouse.settings import load_settings


def test_first_start_generates_private_credentials_that_the_settings_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = ensure_credentials(home)
    assert (home / ENV_FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert uuid.UUID(made["LAKEHOUSE_AIRBYTE__WORKSPACE_ID"])
    secrets = [value for key, value in made.items() if key.endswith("PASSWORD")]
    assert len(set(secrets)) == 3
    assert all(len(secret) >= 32 for secret in secrets)
    settings = load_settings(home)
    assert settings.postgres.password is not None
    assert settings.postgres.password.get_secret_value() == made["LAKEHOUSE_POSTGRES__PASSWORD"]


def test_later_starts_change_nothing(tmp_path: Path) -> None:
    first = ensure_credentials(tmp_path)
    text = (tmp_path / ENV_FILE_NAME).read_text()
    assert ensure_credentials(tmp_path) == first
    assert (tmp_path / ENV_FILE_NAME).read_text() == text


def test_what_is_set_by_hand_is_kept_and_what_is_missing_is_added(tmp_path: Path) -> None:
    path = tmp_path / ENV_FILE_NAME
    path.write_text("# mine\nLAKEHOUSE_DREMIO__PASSWORD=mine\nLAKEHOUSE_DREMIO__PORT=19047")
    path.chmod(0o644)
    made = ensure_credentials(tmp_path, {"LAKEHOUSE_DREMIO__PORT": "1", "LAKEHOUSE_DAGSTER__PORT": "13000"})
    assert made["LAKEHOUSE_DREMIO__PASSWORD"] == "mine"
    assert made["LAKEHOUSE_DREMIO__PORT"] == "19047"
    assert made["LAKEHOUSE_DAGSTER__PORT"] == "13000"
    assert path.read_text().startswith(
        "# mine\nLAKEHOUSE_DREMIO__PASSWORD=mine\nLAKEHOUSE_DREMIO__PORT=19047\n"
    )
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_homes_share_nothing(tmp_path: Path) -> None:
    one, other = ensure_credentials(tmp_path / "one"), ensure_credentials(tmp_path / "other")
    assert not set(one.values()) & set(other.values())


def test_first_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ensure_credentials(tmp_path / "home"), range(16)))
    assert all(each == made[0] for each in made)
