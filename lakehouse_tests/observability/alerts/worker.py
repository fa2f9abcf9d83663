"""A process that looks again and again at a world in a file, until it is killed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from lakehouse_tests.observability.alerts.made import alert
from lakehouse_tests.observability.alerts.pipeline import Pipeline, alerting


def look_at(world: Path, home: Path, url: str) -> None:
    """Never returns."""
    looks = Pipeline(home, alerting(sinks={"hook": {"type": "webhook", "url": url}}))
    while True:
        looks.now = datetime.now(UTC)
        looks.tick(*[alert(subject) for subject in json.loads(world.read_text())], seconds=0)
