"""alerts.yaml: routes, quiet hours, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.defs.monitoring.declaration import alerting_of
from lakehouse.errors import ConfigurationError
from lakehouse.observability.alerts.alert import AlertName, Severity
from lakehouse.observability.alerts.declaration import Alerting, QuietHours
from lakehouse.settings import load_settings
from lakehouse_tests.observability.alerts.made import alert

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def declared(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Alerting:
    (tmp_path / "mine.yaml").write_text(text)
    monkeypatch.setenv("LAKEHOUSE_ALERTS__FILE", str(tmp_path / "mine.yaml"))
    return alerting_of(load_settings(tmp_path))


def test_the_shipped_file_logs_everything(tmp_path: Path) -> None:
    shipped = alerting_of(load_settings(tmp_path))
    assert {name: sink.type for name, sink in shipped.sinks.items()} == {"log": "log"}
    assert shipped.routes_of(alert()) == {"log": "everything"}
    assert shipped.deadman_url is None


ROUTES = """
sinks: {a: {type: log}, b: {type: log}, c: {type: webhook, url: "${env:HOOK}"}}
routes:
  - {name: every, sinks: [a], continue: true}
  - {name: mine, match: {owner: ["team:com*"], severity: [critical]}, sinks: [b]}
  - {name: none, match: {name: [TestAlert]}, sinks: []}
  - {name: rest, sinks: [a, c]}
"""


def test_the_first_route_that_takes_an_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "http://secret")
    rules = declared(tmp_path, ROUTES, monkeypatch)
    assert rules.routes_of(alert()) == {"a": "every", "b": "mine"}
    assert rules.routes_of(alert(severity=WARNING)) == {"a": "every", "c": "rest"}
    assert rules.routes_of(alert(owner="ana@x.y,team:commerce")) == {"a": "every", "b": "mine"}
    assert rules.routes_of(alert(name=AlertName.TEST, owner="team:data")) == {"a": "every"}
    assert "secret" not in repr(rules)


LOG = "sinks: {log: {type: log}}\n"
EVERY = "routes: [{name: all, sinks: [log]}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOG + EVERY + "colour: red", "mine.yaml: colour: unknown key"),
        (LOG + "routes: [{name: all, sinks: [log], when: now}]", "mine.yaml: routes.0.when: unknown key"),
        ("sinks: {log: {type: log, colour: red}}\n" + EVERY, "mine.yaml: sinks.log.log.colour: unknown key"),
        ("sinks: {log: {type: pigeon}}\n" + EVERY, "mine.yaml: sinks.log: .*'pigeon'"),
        (LOG + "routes: [{name: all, sinks: [lgo]}]", "no sink is named 'lgo'; there are log"),
        (LOG + "routes: [{name: all, match: {}, sinks: [log]}]", "the last route must take every alert"),
        (LOG + EVERY + "hold: {Asset: 1m}", "mine.yaml: hold.Asset.*"),
        (LOG + EVERY + "undelivered_after: soon", "undelivered_after: 'soon' is no duration"),
        (LOG + EVERY + "deadman_url: ${env:NOT_SET}", "mine.yaml.deadman_url: NOT_SET is not set"),
        (
            LOG + "routes: [{name: all, sinks: [log], quiet_hours: {from: 22:00, to: 07:00}}]",
            'quiet_hours.from: 1320 is no time of day; write it in quotes, such as "22:00"',
        ),
        (
            LOG
            + 'routes: [{name: a, sinks: [], quiet_hours: {from: "22:00", to: "07:00", timezone: Paris}}]',
            "'Paris' is no time zone",
        ),
        ("[", "mine.yaml: is no YAML"),
        ("", "mine.yaml: declares nothing"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        declared(tmp_path, text, monkeypatch)


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ALERTS__FILE", str(tmp_path / "gone.yaml"))
    with pytest.raises(ConfigurationError, match=r"gone.yaml: No such file.*LAKEHOUSE_ALERTS__FILE"):
        alerting_of(load_settings(tmp_path))


def test_quiet_hours_go_over_midnight_in_their_own_time_zone() -> None:
    quiet = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Paris"})
    at = {hour: datetime(2026, 3, 2, hour, 30, tzinfo=UTC) for hour in (3, 5, 6, 20, 21)}
    assert {hour: quiet.hold(WARNING, moment) for hour, moment in at.items()} == {
        3: True,
        5: True,
        6: False,  # 07:30 in Paris
        20: False,
        21: True,
    }
    assert not quiet.hold(CRITICAL, at[3])
    day = QuietHours.model_validate({"from": "09:00", "to": "17:00"})
    assert [day.hold(WARNING, at[hour]) for hour in (6, 20)] == [False, False]
    assert day.hold(WARNING, datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
