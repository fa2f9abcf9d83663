"""Events of runs, and what steps print, as a real webserver tells them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lakehouse.clients.dagster import DagsterClient
from lakehouse.embedded.ports import free_port
from lakehouse.errors import ServiceDownError
from lakehouse.observability.logs.record import LogRecord
from lakehouse.observability.logs.sources import dagster
from lakehouse.observability.logs.sources.dagster import DagsterRuns
from lakehouse.observability.logs.spool import Spool
from lakehouse.settings_sections import DagsterSettings
from lakehouse_tests.embedded.processes import eventually

pytestmark = pytest.mark.slow

CODE = """
import sys
import dagster as dg

@dg.asset(key_prefix="gold", partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def revenue(context):
    context.log.warning("few orders")
    print("printed é\\nand more")
    print("2026-11-28 10:00:00,250 ERROR of a library", file=sys.stderr)
    return 1

@dg.asset
def broken():
    raise ValueError("no such table")
"""


RUNS = """
import dagster as dg
from code_of_test import broken, revenue

with dg.DagsterInstance.get() as instance:
    dg.materialize([revenue], instance=instance, partition_key="a")
    dg.materialize([broken], instance=instance, raise_on_error=False)
"""


@pytest.fixture(scope="module")
def webserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterSettings]:
    """One with a run that succeeded and one that failed."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (folder / "code_of_test.py").write_text(CODE)
    env = {**os.environ, "DAGSTER_HOME": str(folder)}
    subprocess.run([sys.executable, "-c", RUNS], env=env, cwd=folder, capture_output=True, check=True)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_webserver", "-p", str(port), "--empty-workspace"],
        env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(lambda: answers(port), seconds=120)
        yield DagsterSettings(port=port)
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/server_info", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(autouse=True)
def _without_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster, "_LOOK_SECONDS", 60.0)


def looked(source: DagsterRuns, spool: Spool) -> list[LogRecord]:
    found: list[LogRecord] = []
    for collected in source.look():
        spool.take(collected)
        found += collected.records
    return found


def test_events_and_printed_lines_come_once(
    webserver: DagsterSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster, "_EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(dagster, "_BYTES_AT_ONCE", 50)
    spool = Spool(tmp_path / "shipper.db")
    client = DagsterClient(webserver)
    records = looked(DagsterRuns(client, spool, oldest_days=1), spool)
    assert max(Counter(record.id for record in records).values()) == 1
    assert len({record.run_id for record in records}) == 2
    by_message = {record.message.splitlines()[0]: record for record in records}
    made = next(one for one in records if one.message.startswith("Materialized value gold revenue"))
    assert (made.asset, made.partition, made.service) == ("gold/revenue", "a", "dagster")
    assert next(one for one in records if one.message.endswith("few orders")).level == "WARNING"
    failed = next(one for one in records if 'Execution of step "broken" failed' in one.message)
    assert failed.level == "ERROR"
    assert "no such table" in failed.message
    assert by_message["printed é"].service == "dagster-steps"
    assert by_message["and more"].run_id == made.run_id
    (line,) = [one for one in records if "of a library" in one.message]
    assert (line.level, line.timestamp.isoformat()) == ("ERROR", "2026-11-28T10:00:00.250000+00:00")
    again = DagsterRuns(client, spool, oldest_days=1)
    assert looked(again, spool) == []
    monkeypatch.setattr(dagster, "_LATE_SECONDS", -1.0)
    again = DagsterRuns(
        client, spool, oldest_days=1
    )  # the runs are over now, and each is looked at once more
    for state in again._runs.values():
        state.pop("again")
    assert looked(again, spool) == []
    assert all(state["done"] for state in spool.positions("dagster run ").values())


def test_a_webserver_that_is_down_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "shipper.db")
    with pytest.raises(ServiceDownError, match="does not answer"):
        looked(DagsterRuns(DagsterClient(DagsterSettings(port=free_port())), spool, oldest_days=1), spool)
