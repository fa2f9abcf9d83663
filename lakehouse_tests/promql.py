"""What expressions of Prometheus ask for, and the metrics that there are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest
import yaml
from prometheus_client import CollectorRegistry

from lakehouse.api.middleware.measured import Measured
from lakehouse.defs.monitoring.metrics.sources import platform_collector
from lakehouse.settings import load_settings

DOCKER = Path(__file__).parents[1] / "docker"
RULES = DOCKER / "prometheus" / "rules.yml"
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?")
_WORDS = {"and", "or", "unless", "bool", "offset"}
_OF_OTHERS = {
    "up": {"job", "instance"},
    "minio_cluster_capacity_usable_free_bytes": set(),
    "minio_cluster_capacity_usable_total_bytes": set(),
}
"""Prometheus' own, and MinIO's: https://min.io/docs/minio/linux/operations/monitoring/metrics-and-alerts.html"""


def asked(expression: str) -> dict[str, set[str]]:
    """The metrics that an expression names, with the labels that it selects by."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    plain = re.sub(r"\[[^\]]*\]", "", plain)
    plain = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", plain)
    plain = re.sub(r"[a-zA-Z_]\w*\s*\(", "(", plain)
    found: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(plain):
        if name not in _WORDS:
            labels = {
                re.split("[=!]", matcher)[0].strip() for matcher in matchers.split(",") if matcher.strip()
            }
            found.setdefault(name, set()).update(labels)
    return found


def metrics(home: Path) -> Mapping[str, set[str]]:
    """The samples that a scrape of the API may have, and those of the recording rules, with their labels."""
    registry = CollectorRegistry()
    Measured(lambda *_: None, registry)  # type: ignore[arg-type, return-value]
    with dg.DagsterInstance.ephemeral() as instance:
        collector = platform_collector(load_settings(home), instance, dict)
    found: dict[str, set[str]] = dict(_OF_OTHERS)
    declared = [metric for source in collector.sources for metric in source.metrics]
    labels = {metric.name.removesuffix("_total"): set(metric.labels) for metric in declared}
    for family in [*registry.collect(), *collector.describe()]:
        known = labels.get(family.name.removesuffix("_total"), {"route", "method", "status", "source"})
        for suffix in {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(
            family.type, [""]
        ):
            found[family.name + suffix] = known | ({"le"} if suffix == "_bucket" else set())
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = {"route", "connection", "accelerated"}
    return found


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def unknown(expression: str, known: Mapping[str, set[str]]) -> list[str]:
    """What the expression asks for and nobody tells."""
    problems = [name for name in asked(expression) if name not in known]
    for name, labels in asked(expression).items():
        problems += [f"{name}{{{label}}}" for label in labels - known.get(name, labels) - {"job", "instance"}]
    return problems


def required(program: str, package: str = "prometheus") -> str:
    """The program; the test is skipped without, or fails where TESTS_REQUIRE has the package."""
    if shutil.which(program) is None:
        problem = f"no {program} here; it is in Debian's package {package}"
        if package.removeprefix("prometheus-") in os.environ.get("TESTS_REQUIRE", "").split(","):
            pytest.fail(problem)
        pytest.skip(problem)
    return program
