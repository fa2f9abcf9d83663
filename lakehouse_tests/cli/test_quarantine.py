"""`lakehouse quarantine` over a lake with landed rows that may not enter bronze."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse.cli import main
from lakehouse.defs.bronze.spec import merge_spec
from lakehouse.defs.project import declared_datasets
from lakehouse.lake.merge import merge_table
from lakehouse_tests.lake.conftest import Lake

pytestmark = pytest.mark.slow
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "updated_at": pa.timestamp("us", "UTC")}
TABLE = "bronze.shop__orders"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return Lake(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["quarantine", *arguments])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


def merge(lake: Lake) -> None:
    (orders,) = (table for table in declared_datasets().bronze if table.table == "orders")
    merge_table(merge_spec(orders, lake.settings), lake.settings)


def test_rows_are_listed_shown_retried_and_discarded(lake: Lake, run: Run) -> None:
    assert run("list", "--format", "json")[:2] == (0, "[]\n")
    assert run("show", TABLE)[:2] == (0, f"no row of {TABLE} is in quarantine\n")
    lake.land([{"order_id": 1}, {"order_date": None}, {"order_date": None}], FIELDS)
    merge(lake)

    _, out, _ = run("list", "--format", "json")
    (listed,) = json.loads(out)
    assert listed.pop("oldest") == listed.pop("newest")
    assert listed == {"table": TABLE, "reason": "order_id: NULL in the primary key", "rows": 2}
    _, out, _ = run("list")
    assert "NULL in the primary key" in out

    _, out, _ = run("show", TABLE, "-f", "json")
    rows = json.loads(out)
    assert [row["_quarantine_row"] for row in rows] == [1, 2]
    assert {row["_quarantine_column"] for row in rows} == {"order_id"}

    _, out, _ = run("retry", TABLE)
    assert "0 rows left quarantine, 2 stay" in out
    assert run("discard", TABLE, "--yes")[:2] == (0, f"2 rows of {TABLE} removed from quarantine\n")
    assert run("list", "--format", "json")[1] == "[]\n"


def test_discard_asks_first(lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land([{"order_id": None}], FIELDS)
    merge(lake)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(SystemExit(1)))
    assert run("discard", TABLE)[0] == 1
    assert len(json.loads(run("list", "--format", "json")[1])) == 1


@pytest.mark.parametrize("command", ["show", "retry", "discard"])
def test_an_unknown_table_is_one_line(lake: Lake, run: Run, command: str) -> None:
    code, out, err = run(command, "bronze.nothing")
    assert (code, out) == (1, "")
    assert "error: no bronze table 'bronze.nothing'; known are bronze.flights__" in err
    assert len(err.splitlines()) == 1
