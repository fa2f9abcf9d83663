"""Every alert has its runbook where its link leads."""

from __future__ import annotations

import re
from pathlib import Path

from lakehouse.observability.alerts.alert import AlertName

ROOT = Path(__file__).parents[3]


def test_every_alert_has_a_section() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n+(.+)", text, re.MULTILINE))
    assert set(sections) == {name.value for name in AlertName}
