"""The compose file is valid, names only settings that exist, and holds no secret."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lakehouse.settings import known_keys

DOCKER = Path(__file__).parents[1] / "docker"


def test_every_setting_named_there_exists() -> None:
    named = set()
    for name in ("compose.yaml", "env.example", "README.md"):
        named |= set(re.findall(r"LAKEHOUSE_[A-Z0-9_]+", (DOCKER / name).read_text()))
    assert named
    assert named <= set(known_keys())


def test_services_are_complete() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {
        "postgres", "minio", "bucket", "nessie", "dremio", "code", "webserver", "daemon", "api", "prometheus",
        "alertmanager", "grafana",
    }  # fmt: skip
    for name, service in services.items():
        assert "image" in service, name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists(), volume
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), port


def test_no_secret_has_a_value() -> None:
    values = dict(
        line.split("=", 1) for line in (DOCKER / "env.example").read_text().splitlines() if "=" in line
    )
    assert [key for key, value in values.items() if "PASSWORD" in key or "SECRET" in key if value] == []
