"""The dashboards for Grafana: as Grafana takes them, over metrics that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lakehouse_tests.promql import DOCKER, metrics, required, unknown
from lakehouse_tests.test_prometheus import run

GRAFANA = DOCKER / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
_POSITION = {
    "type": "object",
    "required": ["x", "y", "w", "h"],
    "properties": {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "y": {"type": "integer", "minimum": 0},
        "h": {"type": "integer", "minimum": 1},
    },
}
_DATASOURCE = {"const": {"type": "prometheus", "uid": "prometheus"}}
_TARGET = {
    "type": "object",
    "required": ["refId", "datasource", "expr"],
    "properties": {"datasource": _DATASOURCE, "refId": {"pattern": "^[A-Z]$"}, "expr": {"minLength": 1}},
}
_PANEL = {
    "type": "object",
    "required": ["id", "type", "title", "gridPos"],
    "properties": {
        "type": {"enum": ["row", "stat", "timeseries", "bargauge", "table"]},
        "gridPos": _POSITION,
        "targets": {"type": "array", "minItems": 1, "items": _TARGET},
    },
    "if": {"properties": {"type": {"const": "row"}}},
    "else": {"required": ["targets", "datasource", "fieldConfig"], "properties": {"datasource": _DATASOURCE}},
}
SCHEMA = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "time", "templating", "tags"],
    "properties": {
        "uid": {"pattern": "^[a-z-]{1,40}$"},
        "schemaVersion": {"const": 39},
        "panels": {"type": "array", "minItems": 1, "items": _PANEL},
    },
    "not": {"required": ["id"]},  # of one Grafana's database; a provisioned dashboard has none
}
"""The part of Grafana's dashboard model that is used here:
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/"""


def board(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def expressions(path: Path) -> Iterator[tuple[str, str]]:
    """What each panel asks for; a variable selects everything."""
    for panel in board(path)["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$group", ".*").replace("$owner", ".*")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_has_the_form_of_a_dashboard(path: Path) -> None:
    found = board(path)
    jsonschema.validate(found, SCHEMA)
    assert found["uid"] == path.stem
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in found["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells), "panels lie over each other"
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_ask_for_metrics_that_there_are(path: Path, tmp_path: Path) -> None:
    known = metrics(tmp_path)
    assert {title: unknown(expression, known) for title, expression in expressions(path)} == {
        title: [] for title, _ in expressions(path)
    }


def test_every_expression_is_one(tmp_path: Path) -> None:
    everything = [expression for path in FILES for _, expression in expressions(path)]
    rules = [
        {"record": f"panel_{number}", "expr": expression} for number, expression in enumerate(everything)
    ]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(
        required("promtool"), "check", "rules", str(tmp_path / "panels.yml")
    )


def test_the_health_dashboard_has_what_the_specification_asks_for() -> None:
    asked = " ".join(
        expression for _, expression in expressions(GRAFANA / "dashboards" / "lakehouse-health.json")
    )
    for name in (
        "airbyte_last_sync_succeeded", "lake_disk_usage_bytes", "lakehouse_disk_free_bytes",
        "dremio_query_duration_seconds", "superset_dashboard_load_time", "api_requests_per_second",
    ):  # fmt: skip
        assert name in asked


def test_grafana_finds_the_dashboards_and_their_data_source() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())
    assert [one["uid"] for one in source["datasources"]] == ["prometheus"]
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "lakehouse.yml").read_text())
    mounted = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['providers'][0]['options']['path']}:ro" in mounted
