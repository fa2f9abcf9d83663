"""`lakehouse alerts`: what a person sees and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.cli import main
from lakehouse.observability.alerts.silence import silenced_by
from lakehouse.observability.alerts.store import alert_store
from lakehouse.observability.alerts.transitions import Found, changes
from lakehouse.settings import load_settings
from lakehouse_tests.observability.alerts.made import alert
from lakehouse_tests.observability.alerts.receiver import Receiver


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    receiver.stop()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["alerts", *arguments])
    return int(ended.value.code or 0)


def fire(home: Path, *subjects: str) -> None:
    now = datetime.now(UTC)
    found = [Found("test", alert(subject)) for subject in subjects]
    store = alert_store(load_settings(home))
    covered = silenced_by(store.silences(now))
    store.record(
        now,
        {},
        lambda before: changes(
            before,
            found,
            {"test"},
            now=now,
            routes_of=lambda _: {"hook": "all"},
            silenced=covered,
            hold={},
        ),
    )


def test_nothing_fires(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert capsys.readouterr().out == "nothing fires\n"


def test_what_fires_and_what_is_silenced(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("silence", "gold/da*", "--for", "2h", "--json") == 0
    silence = json.loads(capsys.readouterr().out)
    assert (silence["pattern"], silence["firing"]) == ("gold/da*", [])
    assert datetime.fromisoformat(silence["until"]) - datetime.now(UTC) > timedelta(minutes=119)
    fire(home, "gold/orders", "gold/days")
    assert run("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {row["key"]: row["told"] for row in listed["firing"]} == {
        "AssetStale/gold/orders": ["hook"],
        "AssetStale/gold/days": [],
    }
    assert [one["key"] for one in listed["undelivered"]] == ["AssetStale/gold/orders"]
    assert run("list") == 0
    out = capsys.readouterr().out
    assert "critical AssetStale/gold/orders  since" in out
    assert "undelivered to hook: AssetStale/gold/orders firing" in out
    assert "silenced until" in out
    assert run("silence", "AssetStale/*", "--for", "30m") == 0
    assert "of what fires: AssetStale/gold/days, AssetStale/gold/orders" in capsys.readouterr().out


def test_a_silence_for_no_time(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("silence", "x", "--for", "long") == 1
    assert "--for: 'long' is no duration" in " ".join(capsys.readouterr().err.split())


def test_every_sink_is_tried(
    home: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "mine.yaml").write_text(
        f"sinks: {{log: {{type: log}}, hook: {{type: webhook, url: '{receiver.url}'}}}}\n"
        "routes: [{name: all, sinks: [log]}]\n"
    )
    monkeypatch.setenv("LAKEHOUSE_ALERTS__FILE", str(home / "mine.yaml"))
    assert run("test") == 0
    assert receiver.told == [("firing", "TestAlert/hook"), ("resolved", "TestAlert/hook")]
    assert "✓ hook: webhook took the alert and its end" in capsys.readouterr().out
    receiver.stop()
    assert run("test", "--sink", "hook") == 1
    assert "does not answer" in capsys.readouterr().out
    assert run("test", "--sink", "hok") == 1
    assert "no sink is named 'hok'; declared are log, hook" in " ".join(capsys.readouterr().err.split())
