"""What the stack hands to its services."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lakehouse.cli.services import embedded_settings, stack_services
from lakehouse.embedded.alone import alone
from lakehouse.embedded.ports import free_port
from lakehouse.settings import load_settings


def test_the_airbyte_server_gets_the_limits_of_its_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_AIRBYTE__TIMEOUT_MINUTES", "5")
    monkeypatch.setenv("LAKEHOUSE_AIRBYTE__MAX_RETRIES", "1")
    (service,) = stack_services(embedded_settings(load_settings(tmp_path)), ["airbyte"])
    given = {name.removeprefix("LAKEHOUSE_AIRBYTE__"): value for name, value in service.env.items()}
    assert (float(given["TIMEOUT_MINUTES"]), given["MAX_RETRIES"]) == (5, "1")
    assert {"THREADS", "BATCH_SIZE", "BUFFER_SIZE_MB", "PASSWORD"} <= set(given)


@pytest.mark.slow
def test_the_api_of_the_stack_knows_the_generated_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_API__PORT", str(free_port()))
    settings = embedded_settings(load_settings(tmp_path))
    (service,) = stack_services(settings, ["api"])
    (token,) = settings.api.accepted_tokens
    assert (tmp_path / "lakehouse.env").stat().st_mode & 0o777 == 0o600
    with alone(service, tmp_path):
        answer = httpx.get(f"{service.address}/api/v1/runs", headers={"Authorization": f"Bearer {token}"})
        assert answer.json() == {"items": [], "next": None}
        assert httpx.get(f"{service.address}/api/v1/runs").status_code == 401
    assert (tmp_path / "dagster" / "history").is_dir()
