"""Following a log: what is there, then what comes in, each once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakehouse.observability.logs.follow import follow
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.record import LogRecord, moment, record_id
from lakehouse.observability.logs.sqlite_store import SqliteLogStore


def record(number: int, ago: float = 0.0, message: str = "it failed") -> LogRecord:
    now = datetime.now(UTC)
    at = moment(now - timedelta(seconds=ago), now)
    text = f"{message} {number}"
    return LogRecord(id=record_id("x", number), timestamp=at, level="INFO", service="dbt", message=text)


def test_what_comes_in_is_given_once_and_late_ones_too(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path / "logs.db")
    store.add([record(number, ago=100 - number) for number in range(5)])
    following = follow(store, LogQuery("failed"), last=3, every_seconds=0.0)

    def given() -> list[str]:
        return [one.message.split()[-1] for one in next(following)]

    assert given() == ["2", "3", "4"]
    assert given() == []
    store.add([record(10), record(11, message="it worked")])
    assert given() == ["10"]
    store.add([record(12, ago=20)])  # written before the one that was seen, and shipped after it
    assert given() == ["12"]
    assert given() == []


def test_following_an_empty_log(tmp_path: Path) -> None:
    store = SqliteLogStore(tmp_path / "logs.db")
    following = follow(store, LogQuery(), last=3, every_seconds=0.0)
    assert next(following) == []
    store.add([record(1)])
    assert [one.message for one in next(following)] == ["it failed 1"]
    assert next(following) == []
