"""Any sequence of deliveries and merges leaves the table that a plain dictionary says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeResult, MergeSpec, PeriodPartition

EPOCH = 1_764_000_000_000
DAY_MS = 86_400_000
DAYS = [date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 3), None]
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "amount": pa.float64()}
CURSOR = FIELDS | {"updated_at": pa.timestamp("us", "UTC")}
CDC = FIELDS | {"_ab_cdc_lsn": pa.float64(), "_ab_cdc_deleted_at": pa.string()}

Row = tuple[Any, ...]
"""The source's columns without the key; the day is the first."""
State = dict[int, Row]

keys = st.integers(1, 6)
contents = st.tuples(st.sampled_from(DAYS), st.sampled_from([1.0, 2.0, 3.0]))
partitions = st.sampled_from([None, PeriodPartition("order_date")])
# Short sequences find what long ones find, and a merge is a tenth of a second.
thorough = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Checked:
    """A table under test: every merge is compared with the state it should reach, and what it says it did."""

    def __init__(self, lake: Any, spec: MergeSpec, columns: Iterable[str]) -> None:
        self.lake = lake
        self.spec = spec
        self.columns = [name for name in columns if not name.startswith("_ab_cdc_")]
        self.state: State = {}

    def merge(self, expected: State | None = None) -> None:
        """Merge; `expected` None when a sync is half published, so that only its outcome counts."""
        result = merge_table(self.spec, self.lake.settings)
        before, self.state = self.state, self._table(result)
        if expected is not None:
            assert self.state == expected
        self._compare_report(result, before)
        again = merge_table(self.spec, self.lake.settings)
        assert not again.committed
        assert again.watermark == result.watermark

    def _table(self, result: MergeResult) -> State:
        if result.snapshot_id is None:
            return {}
        return {key: tuple(row.values())[1:] for key, row in self.lake.rows(self.columns).items()}

    def _compare_report(self, result: MergeResult, before: State) -> None:
        assert result.rows == len(self.state)
        assert result.inserted == len(self.state.keys() - before.keys())
        assert result.deleted == len(before.keys() - self.state.keys())
        common = before.keys() & self.state.keys()
        assert result.updated == sum(before[key] != self.state[key] for key in common)
        if self.spec.partition:
            touched = {day for day in DAYS if _rows_of(before, day) != _rows_of(self.state, day)}
            assert result.partitions == {day: len(_rows_of(self.state, day)) for day in touched}
        else:
            assert set(result.partitions) == ({None} if before != self.state else set())


def _rows_of(state: State, day: date | None) -> State:
    return {key: row for key, row in state.items() if row[0] == day}


@st.composite
def syncs_of_parts(draw: st.DrawFn, count: int) -> list[list[list[int]]]:
    """How `count` events are delivered: syncs of parts of event numbers, later syncs repeating some."""
    syncs, reached = [], 0
    while reached < count:
        start = draw(st.integers(max(0, reached - 3), reached))
        reached = draw(st.integers(reached + 1, count))
        cuts = sorted(draw(st.sets(st.integers(start + 1, reached), max_size=2)) - {reached})
        bounds = [start, *cuts, reached]
        syncs.append([list(range(a, b)) for a, b in itertools.pairwise(bounds)])
    return syncs


@pytest.mark.slow
@thorough
@given(data=st.data())
def test_change_data_capture(new_lake: Callable[[], Any], data: st.DataObject) -> None:
    """Inserts, updates, moves, deletes; transactions of one position; repeated, and parts out of order."""
    changes = data.draw(
        st.lists(st.tuples(keys, contents | st.none(), st.booleans()), min_size=1, max_size=12)
    )
    lake = new_lake()
    table = Checked(lake, lake.spec(partition=data.draw(partitions)), CDC)
    log: list[dict[str, Any]] = []
    lsn = 100.0
    for key, content, same_transaction in changes:
        lsn += 0.0 if same_transaction else 1.0
        log.append(_change(key, content, lsn))
    expected: State = {}
    for number, parts in enumerate(data.draw(syncs_of_parts(len(log)))):
        epoch = EPOCH + number * DAY_MS // 2
        for event in (event for part in parts for event in part):
            _apply(expected, log[event])
        for place, part in enumerate(data.draw(st.permutations(range(len(parts))))):
            lake.land([log[event] for event in parts[part]], CDC, epoch=epoch, part=part)
            if place + 1 < len(parts) and data.draw(st.booleans()):
                table.merge()
        if data.draw(st.booleans()):
            table.merge(expected)
    table.merge(expected)


@pytest.mark.slow
@settings(thorough, max_examples=10)
@given(data=st.data())
def test_snapshots_that_start_over(new_lake: Callable[[], Any], data: st.DataObject) -> None:
    """Changes go on while snapshots of new generations land object by object, positions starting again.

    The table equals the source whenever no snapshot is half landed.
    """
    lake = new_lake()
    table = Checked(lake, lake.spec(partition=data.draw(partitions)), CDC)
    source: State = {}
    landed: list[tuple[int, Any]] = []
    generation, lsn = 0, 100.0
    for number in range(data.draw(st.integers(2, 5))):
        epoch = EPOCH + number * DAY_MS // 2
        complete = []
        log = []
        if number == 0 or data.draw(st.booleans()):
            generation += 1
            lsn = data.draw(st.sampled_from([lsn, 1.0]))
            for key in data.draw(st.sets(keys)):  # lost with the old log: no change says so
                source.pop(key, None)
            log = [_change(key, content, lsn) for key, content in source.items()]
            complete = [path for older, path in landed if older < generation]
            if not log:  # an empty snapshot lands nothing, and nothing can be known of it
                log = [_change(1, (DAYS[0], 1.0), lsn)]
                _apply(source, log[-1])
        for key, content in data.draw(st.lists(st.tuples(keys, contents | st.none()), max_size=4)):
            lsn += 1.0
            log.append(_change(key, content, lsn))
            _apply(source, log[-1])
        cut = data.draw(st.integers(0, len(log)))
        for part, rows in enumerate((log[:cut], log[cut:])):
            path = lake.land(rows, CDC, epoch=epoch, part=part, generation=generation)
            landed.append((generation, path))
            if part == 0 and data.draw(st.booleans()):
                table.merge()
        if complete and data.draw(st.booleans()):
            table.merge()  # the snapshot is complete, the older objects are still there
        for path in complete:
            path.unlink(missing_ok=True)
        if data.draw(st.booleans()):
            table.merge(source)
    table.merge(source)


@pytest.mark.slow
@thorough
@given(data=st.data())
def test_incremental_with_a_cursor(new_lake: Callable[[], Any], data: st.DataObject) -> None:
    """Versions arrive in any order, older ones late; the newest by cursor, then by delivery, stays."""
    versions = st.tuples(keys, contents, st.integers(0, 4) | st.none())
    lake = new_lake()
    table = Checked(lake, lake.spec(cursor_field="updated_at", partition=data.draw(partitions)), CURSOR)
    delivered: list[tuple[tuple[Any, ...], int, Row]] = []
    for number in range(data.draw(st.integers(1, 4))):
        epoch = EPOCH + number * DAY_MS // 2
        parts = data.draw(st.lists(st.lists(versions, min_size=1, max_size=4), min_size=1, max_size=3))
        for place, part in enumerate(data.draw(st.permutations(range(len(parts))))):
            rows = [_version(*version) for version in parts[part]]
            lake.land(rows, CURSOR, epoch=epoch, part=part)
            delivered += [
                (
                    (-1 if cursor is None else cursor, number, part, position),
                    key,
                    (*content, _moment(cursor)),
                )
                for position, (key, content, cursor) in enumerate(parts[part])
            ]
            if place + 1 == len(parts) or data.draw(st.booleans()):
                table.merge(_newest(delivered))


@pytest.mark.slow
@thorough
@given(data=st.data())
def test_full_refresh_overwrite(new_lake: Callable[[], Any], data: st.DataObject) -> None:
    """Each sync a whole new generation or a resumed one; the old objects cleaned up or left behind."""
    rows = st.lists(st.tuples(keys, contents), min_size=1, max_size=5)
    lake = new_lake()
    table = Checked(lake, lake.spec(mode="overwrite", partition=data.draw(partitions)), FIELDS)
    generation, expected, objects = 0, {}, []
    for number in range(data.draw(st.integers(1, 4))):
        if number == 0 or data.draw(st.booleans()):
            generation += 1
            expected = {}
        landed = data.draw(rows)
        path = lake.land(
            [_version(key, content, None) for key, content in landed],
            FIELDS,
            epoch=EPOCH + number * DAY_MS // 2,
            generation=generation,
        )
        expected |= dict(landed)
        objects.append((generation, path))
        if data.draw(st.booleans()):
            for old, gone in objects:
                if old < generation:
                    gone.unlink(missing_ok=True)
        if data.draw(st.booleans()):
            table.merge(expected)
    table.merge(expected)


def _change(key: int, content: Row | None, lsn: float) -> dict[str, Any]:
    if content is None:
        return {"order_id": key, "_ab_cdc_lsn": lsn, "_ab_cdc_deleted_at": "2025-06-02T00:00:00Z"}
    return {"order_id": key, "order_date": content[0], "amount": content[1], "_ab_cdc_lsn": lsn}


def _apply(state: State, change: dict[str, Any]) -> None:
    if "_ab_cdc_deleted_at" in change:
        state.pop(change["order_id"], None)
    else:
        state[change["order_id"]] = (change["order_date"], change["amount"])


def _version(key: int, content: Row, cursor: int | None) -> dict[str, Any]:
    return {
        "order_id": key,
        "order_date": content[0],
        "amount": content[1],
        "updated_at": _moment(cursor),
    }


def _moment(cursor: int | None) -> datetime | None:
    return None if cursor is None else datetime(2025, 6, 1, tzinfo=UTC) + timedelta(hours=cursor)


def _newest(delivered: Iterable[tuple[tuple[Any, ...], int, Row]]) -> State:
    return {key: content for _, key, content in sorted(delivered, key=lambda version: version[0])}
