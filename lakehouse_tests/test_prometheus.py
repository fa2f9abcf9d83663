"""What docker/ ships for Prometheus and Alertmanager: valid, over metrics that there are, and tested."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from lakehouse_tests.promql import DOCKER, RULES, asked, metrics, required, rules, unknown

ALERTMANAGER = DOCKER / "alertmanager" / "alertmanager.yml"
PAGE = (DOCKER.parent / "docs" / "metrics.md").read_text()
ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]


def run(*command: str, within: Path = RULES.parent) -> str:
    done = subprocess.run(command, cwd=within, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def receivers(**labels: str) -> list[str]:
    given = [f"{name}={value}" for name, value in labels.items()]
    told = run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *given)
    return told.strip().split(",")


def test_expressions_are_taken_apart() -> None:
    selected = asked('sum by (le) (rate(a_bucket{x="b, c=d", y!~"e.*"}[5m])) / ignoring (z) b:rate > 0.5')
    assert selected == {"a_bucket": {"x", "y"}, "b:rate": set()}
    assert asked("max without (a) (b:p95) > 10 and vector(1)") == {"b:p95": set()}


def test_rules_and_configuration_are_valid() -> None:
    promtool = required("promtool")
    assert "SUCCESS" in run(promtool, "check", "rules", "rules.yml")
    # The token is a secret of the container, so only the syntax can be checked here.
    assert "SUCCESS" in run(promtool, "check", "config", "--syntax-only", "prometheus.yml")


def test_the_unit_tests_of_the_rules_pass() -> None:
    assert "SUCCESS" in run(required("promtool"), "test", "rules", "rules.test.yml")


def test_every_alert_has_a_unit_test_in_which_it_fires() -> None:
    tests = yaml.safe_load(RULES.with_name("rules.test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == set(ALERTS)


def test_rules_ask_for_metrics_that_there_are(tmp_path: Path) -> None:
    known = metrics(tmp_path)
    assert {rule.get("alert", rule.get("record")): unknown(rule["expr"], known) for rule in rules()} == {
        rule.get("alert", rule.get("record")): [] for rule in rules()
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_it_means_and_what_to_do(alert: str) -> None:
    rule = next(rule for rule in rules() if rule.get("alert") == alert)
    assert rule["annotations"]["summary"]  # type: ignore[index]
    assert {"severity", "subject"} <= set(rule["labels"])
    assert re.search(rf"^\| `{alert}` \| [^|]{{20,}} \| [^|]{{20,}} \|$", PAGE, re.MULTILINE)


def test_prometheus_finds_rules_and_services() -> None:
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    targets = [
        target.partition(":")[0]
        for job in [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
        for static in job["static_configs"]
        for target in static["targets"]
    ]
    assert set(targets) - {"127.0.0.1"} == {"api", "minio", "alertmanager"} <= set(services)


def test_who_is_told() -> None:
    required("amtool", "prometheus-alertmanager")
    assert "SUCCESS" in run("amtool", "check-config", str(ALERTMANAGER))
    assert receivers(alertname="LakehouseStaleData", severity="warning", owner="team:data") == ["data-team"]
    critical = receivers(
        alertname="LakehouseStaleData", severity="critical", owner="team:commerce,ana@example.com"
    )
    assert critical == ["on-call", "commerce", "data-team"]
    for watchdog in ("Watchdog", "LakehouseWatchdog"):
        assert receivers(alertname=watchdog, severity="warning") == ["watchdog"]


def test_no_address_of_a_receiver_is_in_the_file() -> None:
    assert not re.search(r"https?://|\b(api_url|routing_key|url|password):", ALERTMANAGER.read_text())
