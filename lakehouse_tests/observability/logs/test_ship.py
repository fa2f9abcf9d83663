"""Logs arrive in the store and in the lake, every line once, whatever is killed or down meanwhile."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lakehouse.errors import PermanentError
from lakehouse.observability.logs import ship
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.ship import Shipper
from lakehouse.observability.logs.shipping import shipper_of
from lakehouse.observability.logs.sources.files import LogFiles
from lakehouse.observability.logs.store import open_log_store
from lakehouse.settings import Settings, load_settings
from lakehouse_tests.elasticsearch_peer import ElasticsearchPeer
from lakehouse_tests.embedded.processes import eventually
from lakehouse_tests.observability.logs.written import Writer, archived, once, started, stored


@contextmanager
def shipper(settings: Settings) -> Iterator[tuple[Shipper, list[str]]]:
    told: list[str] = []
    with shipper_of(settings, lambda message, _: told.append(message)) as made:
        made.sources = [source for source in made.sources if isinstance(source, LogFiles)]
        yield made, told


def test_every_line_arrives_once_through_rotation_and_restarts(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    writer = Writer(tmp_path, max_bytes=20_000)  # a new file every 150 lines, three old ones are kept
    for _ in range(3):
        with shipper(settings) as (shipping, told):
            for _ in range(3):
                writer.write(210)
                shipping.once(everything=True)
            assert told == []
    assert len(list((tmp_path / "logs").iterdir())) == 4
    store = open_log_store(settings)
    assert stored(store) == archived(tmp_path) == once(writer.written)
    newest = store.search(LogQuery("many"), limit=3).records
    assert [record.message for record in newest] == [f"line {n} of many" for n in (1889, 1888, 1887)]
    assert newest[0].job_id == "18"
    assert newest[0].service == "airbyte"


def test_lines_of_any_kind_become_records(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "dbt" / "silver").mkdir(parents=True)
    (tmp_path / "logs" / "dremio.jsonl").write_bytes(
        b'{"timestamp": "2026-11-28T10:00:00.5+00:00", "level": "warn", "service": "dremio", "message": "slow",'
        b' "stack_trace": "Traceback", "records_synced": 7, "other": [1]}\n'
        b"no json \xff at all\n"
        b"\n"
        b'{"message": "of another place", "service": "../etc", "timestamp": "never"}\n'
        b'{"message": "not yet whole'
    )
    (tmp_path / "dbt" / "silver" / "dbt.log").write_text(
        '{"info": {"level": "error", "msg": "Failure in test unique", "ts": "2026-11-28T10:00:01.123456Z"},'
        ' "data": {}}\n{"info": {"level": "info", "msg": ""}, "data": {}}\n'
    )
    with shipper(load_settings(tmp_path)) as (shipping, told):
        shipping.once(everything=True)
        assert told == []
    found = open_log_store(load_settings(tmp_path)).search(LogQuery()).records
    assert {(one.service, one.level, one.message) for one in found} == {
        ("dremio", "WARNING", "slow\nTraceback"),
        ("dremio", "INFO", "no json � at all"),
        ("_etc", "INFO", "of another place"),
        ("dbt", "ERROR", "Failure in test unique"),
    }
    assert next(one.records_synced for one in found if one.level == "WARNING") == 7
    assert sorted(path.name for path in (tmp_path / "lake" / "logs").iterdir()) == ["_etc", "dbt", "dremio"]


@pytest.mark.slow
def test_nothing_is_lost_or_twice_when_the_shipper_is_killed(tmp_path: Path) -> None:
    """Killed with SIGKILL while it has much to do; the store is in its process, and dies with it in a bulk."""
    dice = random.Random(7)
    writer = Writer(tmp_path)
    writer.write(40_000)
    interrupted = 0
    store = open_log_store(load_settings(tmp_path))
    for _ in range(4):
        process = started(tmp_path)
        while (
            before := store.count(LogQuery(), "service").get("airbyte", 0)
        ) == 0 and process.poll() is None:
            time.sleep(0.02)
        time.sleep(dice.uniform(0.3, 1.2))
        writer.write(10_000)
        process.kill()
        process.wait()
        interrupted += before < store.count(LogQuery(), "service")["airbyte"] < writer.written
    assert interrupted, "it was never killed at work"
    with shipper(load_settings(tmp_path)) as (shipping, told):
        shipping.once(everything=True)
        assert told == []
    assert stored(store) == archived(tmp_path) == once(writer.written)


@pytest.mark.slow
def test_elasticsearch_gets_what_was_written_while_it_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped while bulks arrive, comes back, and has every line once; the lake has them meanwhile."""
    monkeypatch.setattr(ship, "_FIRST_PAUSE", 0.0)
    peer = ElasticsearchPeer(tmp_path / "peer")
    monkeypatch.setenv("LAKEHOUSE_ELASTICSEARCH__URL", peer.url)
    writer = Writer(tmp_path)
    with shipper(load_settings(tmp_path)) as (shipping, told):
        writer.write(1000)
        shipping.once(everything=True)
        assert told[0].startswith(f"store: Elasticsearch at {peer.url}: does not answer: ")
        assert told[0].endswith("; 1000 records wait")
        assert archived(tmp_path) == once(1000)
        peer.start()
        writer.write(6000)
        stopping = threading.Thread(target=peer.stop_when, args=(1000,))
        stopping.start()
        shipping.once(everything=True)
        stopping.join()
        assert shipping.troubles(), "it was never stopped in a bulk"
        peer.start()
        shipping.once(everything=True)
        httpx.post(f"{peer.url}/airbyte-logs-*/_refresh", trust_env=False)
        assert stored(shipping.store) == archived(tmp_path) == once(writer.written)
        assert told[-1] == "store: is well again"
    peer.stop()


def test_a_lake_that_cannot_be_written_gets_its_logs_later(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    (tmp_path / "lake").write_text("in the way")
    with shipper(load_settings(tmp_path)) as (shipping, told):
        writer.write(10)
        shipping.once(everything=True)
        assert "archive: " in told[0]
        assert "cannot write logs" in told[0]
        assert stored(shipping.store) == once(10)
        (tmp_path / "lake").unlink()
        writer.write(10)
        shipping.once(everything=True)
        assert archived(tmp_path) == stored(shipping.store) == once(20)


def test_a_full_spool_makes_sources_wait(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    (tmp_path / "lake").write_text("in the way")
    with shipper(load_settings(tmp_path)) as (shipping, told):
        shipping.full_bytes = 100
        writer.write(10)
        shipping.once(everything=True)
        shipping._turn("room").due = 0.0
        writer.write(10)
        shipping.once(everything=True)
        assert told[-1] == "room: 0 MiB of logs wait; no more are collected"
        assert stored(shipping.store) == once(10)
        (tmp_path / "lake").unlink()
        shipping.once(everything=True)
        shipping._turn("room").due = 0.0
        shipping.once(everything=True)
        assert archived(tmp_path) == stored(shipping.store) == once(20)


def test_only_one_ships_the_logs_of_a_home(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    with shipper(settings), pytest.raises(PermanentError, match="another one ships"), shipper(settings):
        pass


def test_as_a_service_it_ships_until_it_is_told_to_stop(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    process = started(tmp_path)
    store = open_log_store(load_settings(tmp_path))
    writer.write(5)
    eventually(lambda: stored(store) == once(5))
    writer.write(5)
    eventually(lambda: stored(store) == once(10))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
