"""Every alert has its runbook where its link leads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.defs.monitoring.declaration import alerting_of
from lakehouse.observability.alerts.alert import AlertName
from lakehouse.settings import load_settings
from lakehouse_tests.observability.alerts.made import alert

ROOT = Path(__file__).parents[3]


def test_every_alert_has_a_section() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n+(.+)", text, re.MULTILINE))
    assert set(sections) == {name.value for name in AlertName}


def test_the_example_is_a_declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(
        r"^```yaml\n(.+?)^```", (ROOT / "docs" / "alerts.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "example.yaml").write_text(example)
    monkeypatch.setenv("LAKEHOUSE_ALERTS__FILE", str(tmp_path / "example.yaml"))
    for variable in re.findall(r"\$\{env:(\w+)\}", example):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    rules = alerting_of(load_settings(tmp_path))
    assert {sink.type for sink in rules.sinks.values()} == {
        "log",
        "alertmanager",
        "webhook",
        "slack",
        "email",
    }
    assert rules.routes_of(alert()) == {"log": "always", "alertmanager": "always", "commerce": "commerce"}
