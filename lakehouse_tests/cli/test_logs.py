"""`lakehouse logs search`: what a person and a program see."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.cli import main
from lakehouse.observability.logs.record import LogRecord, record_id
from lakehouse.observability.logs.store import open_log_store
from lakehouse.settings import load_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    now = datetime.now(UTC).replace(microsecond=0)
    lines = [
        (120, "ERROR", "airbyte", "sync of shop failed: the source is down"),
        (60, "ERROR", "dbt", "model fct_orders failed"),
        (10, "INFO", "airbyte", "sync of shop succeeded [all]"),
        (1, "ERROR", "airbyte", "sync of flights failed"),
    ]
    store = open_log_store(load_settings())
    store.add(
        [
            LogRecord(
                id=record_id("test", number),
                timestamp=now - timedelta(minutes=minutes),
                level=level,
                service=service,
                message=message,
                job_id="12" if service == "airbyte" else None,
            )
            for number, (minutes, level, service, message) in enumerate(lines)
        ]
    )
    store.close()
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["logs", "search", *arguments])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_what_is_found_is_shown_in_the_order_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "failed", "--level", "error", "--service", "airbyte", "--since", "3h")
    assert code == 0
    first, second = out.splitlines()
    assert "ERROR" in first
    assert "airbyte" in first
    assert "sync of shop failed: the source is down  job=12" in first
    assert "sync of flights failed" in second
    assert run(capsys, "failed", "--since", "30m")[1].count("\n") == 1
    assert "succeeded [all]" in run(capsys, "succeeded")[1]


def test_json_pages_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads(run(capsys, "--json", "--limit", "3")[1])
    assert [one["message"][:12] for one in first["records"]] == [
        "sync of flig",
        "sync of shop",
        "model fct_or",
    ]
    assert first["records"][0]["job_id"] == "12"
    last = json.loads(run(capsys, "--json", "--limit", "3", "--page", first["next"])[1])
    assert [one["service"] for one in last["records"]] == ["airbyte"]
    assert last["next"] is None
    counted = run(capsys, "--level", "ERROR", "--since", "90m", "--by", "service", "--json")
    assert json.loads(counted[1]) == {"by": "service", "counts": {"airbyte": 1, "dbt": 1}}
    assert run(capsys, "failed", "--by", "service")[1].splitlines() == [
        "         2  airbyte",
        "         1  dbt",
    ]


def test_what_cannot_be_asked_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, problem in (
        (("--level", "LOUD"), "there is no level 'LOUD'"),
        (("--since", "yesterday"), "--since"),
        (("--by", "weather"), "logs are not counted by 'weather'"),
        (("--limit", "0"), "is not between 1 and 1000"),
        (("--page", "x"), "is no page"),
        (("--follow", "--by", "service"), "--follow"),
        (("'--'",), "holds no word"),
    ):
        code, _, err = run(capsys, *arguments)
        assert code == 1
        assert problem in err
        assert err.count("\n") == 1
    code, out, err = run(capsys, "nowhere")
    assert (code, out) == (0, "")
    assert "nothing in the logs" in err
