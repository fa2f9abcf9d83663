"""What jobs logged and how they ended, as the Airbyte-compatible server tells it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lakehouse.clients.airbyte import AirbyteClient
from lakehouse.embedded.ports import free_port
from lakehouse.errors import ServiceDownError
from lakehouse.observability.logs.record import LogRecord
from lakehouse.observability.logs.sources.airbyte import AirbyteJobs
from lakehouse.observability.logs.spool import Spool
from lakehouse_tests.defs.ingestion.conftest import site
from lakehouse_tests.defs.ingestion.site import THINGS, Site

pytestmark = pytest.mark.slow
__all__ = ["site"]


def looked(site: Site, spool: Spool) -> list[LogRecord]:
    """By a shipper that begins anew with what the spool has."""
    found: list[LogRecord] = []
    with AirbyteClient(site.settings.airbyte) as client:
        for collected in AirbyteJobs(client, spool, oldest_days=1).look():
            spool.take(collected)
            found += collected.records
    return found


def test_lines_and_outcomes_come_once(site: Site, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "shipper.db")
    good = site.connect("fake", {"mode": "good", "rows": 3}, THINGS)
    bad = site.connect("fake", {"mode": "trace"}, THINGS)
    first = good.made.sync()
    bad.made.fail()
    records = looked(site, spool)
    assert max(Counter(record.id for record in records).values()) == 1
    assert {record.service for record in records} == {"airbyte"}
    ends = {record.connection_id: record for record in records if record.records_synced is not None}
    well = ends[good.made.id]
    assert (well.level, well.records_synced, well.job_id) == ("INFO", 3, str(first["jobId"]))
    assert well.bytes_synced
    assert f"sync job {well.job_id} succeeded: 3 records" in well.message
    assert ends[bad.made.id].level == "ERROR"
    lines = [
        record
        for record in records
        if record.connection_id == bad.made.id and record is not ends[bad.made.id]
    ]
    assert any(record.level == "ERROR" for record in lines)
    assert not any(record.message.startswith("20") for record in lines), "the time stamp is a field"

    assert looked(site, spool) == []
    second = good.made.sync()
    assert {record.job_id for record in looked(site, spool)} == {str(second["jobId"])}


def test_a_server_that_is_down_says_so(site: Site, tmp_path: Path) -> None:
    settings = site.settings.airbyte.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})
    with AirbyteClient(settings) as client, pytest.raises(ServiceDownError, match="does not answer"):
        list(AirbyteJobs(client, Spool(tmp_path / "shipper.db"), oldest_days=1).look())
