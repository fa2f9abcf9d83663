"""What the stack hands to its services."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.cli.services import embedded_settings, stack_services
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
