"""Log records go by age, in the store and in the lake."""

from __future__ import annotations

import gzip
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakehouse.defs.hygiene.logs import remove_archived, remove_searchable
from lakehouse.observability.logs.archive import LogArchive
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.record import LogRecord, moment, record_id
from lakehouse.observability.logs.store import open_log_store
from lakehouse.settings import Settings, load_settings


def with_ages(home: Path, *days: int) -> Settings:
    settings, now = load_settings(home), datetime.now(UTC)
    archive = LogArchive(settings)
    with closing(open_log_store(settings)) as store:
        for age in days:
            at = moment(now - timedelta(days=age), now)
            store.add(
                [
                    LogRecord(
                        id=record_id("x", age), timestamp=at, level="INFO", service="dbt", message=str(age)
                    )
                ]
            )
            archive.write("dbt", f"{at:%Y-%m-%d}", f"part-{age}", [gzip.compress(b"{}\n")])
    return settings


def test_what_is_older_than_kept_goes_and_nothing_else(tmp_path: Path) -> None:
    settings = with_ages(tmp_path, 0, 29, 31, 89, 91, 400)
    assert remove_searchable(settings, dry_run=True).count == 4
    assert remove_archived(settings, dry_run=True).count == 2
    removed = remove_searchable(settings, dry_run=False)
    assert (removed.what, removed.count) == ("searchable log records", 4)
    files = remove_archived(settings, dry_run=False)
    assert files.count == 2
    assert files.bytes
    with closing(open_log_store(settings)) as store:
        assert [record.message for record in store.search(LogQuery()).records] == ["0", "29"]
    kept = {path.name for path in (tmp_path / "lake").rglob("*.json.gz")}
    assert kept == {f"part-{age}.json.gz" for age in (0, 29, 31, 89)}
    assert (
        remove_archived(settings, dry_run=False).count
        == remove_searchable(settings, dry_run=False).count
        == 0
    )


def test_a_home_without_logs(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert remove_searchable(settings, dry_run=False).count == 0
    assert remove_archived(settings, dry_run=True).count == 0
