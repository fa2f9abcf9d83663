"""`lakehouse.connect()` against a real engine: shapes of an answer, parameters, retries, streams, the notebook."""

from __future__ import annotations

import doctest
import gc
import importlib
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

import lakehouse
from lakehouse.client import Connection, Received, TerminalProgress, bound
from lakehouse.clients.flight import FlightSql
from lakehouse.errors import ConfigurationError, ServiceDownError, ServiceRefusedError
from lakehouse.settings_sections import DremioSettings
from lakehouse_tests.engine import PASSWORD, USER, Engine, free_port, running_engine

ROOT = Path(lakehouse.__file__).parents[1]
EXAMPLES = sorted(
    path.stem for path in (ROOT / "lakehouse" / "client").glob("*.py") if ">>>" in path.read_text()
)
MILLION = "from lake.gold.million"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("dremio")) as engine:
        ten = ", ".join(f"({n})" for n in range(10))
        engine.rows(f"create table lake.gold.ten as select n from (values {ten}) as t(n)")
        product = ", ".join(f"lake.gold.ten {name}" for name in "abcdef")
        engine.rows(f"create table lake.gold.million as select a.n, b.n as m from {product}")
        yield engine


def settings_of(engine: Engine) -> DremioSettings:
    return DremioSettings(
        port=engine.port, flight_port=engine.flight_port, user=USER, password=SecretStr(PASSWORD)
    )


@pytest.fixture(scope="module")
def lake(engine: Engine) -> Iterator[Connection]:
    with lakehouse.connect(settings_of(engine)) as lake:
        yield lake


@pytest.fixture
def engine_in_environment(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "HOME": tmp_path,
        "DREMIO__FLIGHT_PORT": engine.flight_port,
        "DREMIO__USER": USER,
        "DREMIO__PASSWORD": PASSWORD,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"LAKEHOUSE_{name}", str(value))


@pytest.mark.slow
@pytest.mark.usefixtures("engine_in_environment")
@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_of_the_docstrings(module: str) -> None:
    name = "lakehouse.client" if module == "__init__" else f"lakehouse.client.{module}"
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.slow
@pytest.mark.parametrize("value", [
    "text", "O'Hara", "", "\\'; drop table lake.gold.ten --", "line\nbreak", "漢字 🦆", 'a "name"', "/* -- */ ?",
    0, -7, 2**31, 2**63 - 1, -(2**63) + 1, True, False, None,
    0.1, -1e300, 5e-324, Decimal("-123.4500"), Decimal("0.05"), Decimal("1E+3"),
    date(2025, 1, 31), datetime(2025, 1, 31, 12, 30, 15, 250_000), clock(23, 59, 59),
])  # fmt: skip
def test_a_parameter_comes_back_as_it_went(lake: Connection, value: object) -> None:
    got = lake.sql("select ? as v", [value]).arrow()["v"][0].as_py()  # type: ignore[list-item]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.slow
def test_numpy_numbers_are_numbers(lake: Connection) -> None:
    values = [np.int64(3), np.float64(0.5), np.bool_(True)]
    assert lake.sql("select ? a, ? b, ? c", values).arrow().to_pylist() == [{"a": 3, "b": 0.5, "c": True}]  # type: ignore[arg-type]


ATTACKS = [
    "' or 1=1 --", "'' or ''=''", "'; delete from lake.gold.ten; --", "\\' or 1=1 --", "' union select 1 --",
    "*/ or 1=1 /*", "\u02bc or 1=1", "'/**/or/**/1=1--", "?", ":name", "' || (select 'x') || '",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_parameter_stays_a_value(lake: Connection, attack: str) -> None:
    table = "(values ('a', 1), ('b', 2)) as t(name, n)"
    assert lake.sql(f"select n from {table} where name = ?", [attack]).arrow().num_rows == 0
    assert (
        lake.sql(f"select n from {table} where name = :name or :name is null", {"name": attack})
        .arrow()
        .num_rows
        == 0
    )
    assert lake.sql("select count(*) as n from lake.gold.ten").arrow()["n"][0].as_py() == 10


@given(st.text(st.characters(exclude_categories=["C"])))
@settings(max_examples=100, deadline=None)
def test_a_text_is_one_token_whatever_it_holds(text: str) -> None:
    from sqlglot.dialects.dremio import Dremio

    tokens = Dremio().tokenize(bound("select 'a'? , :x", [text]))
    assert [token.text for token in tokens] == ["select", "a", text, ",", ":", "x"]


def test_placeholders_in_text_names_and_comments_are_none() -> None:
    sql = "select '?', \"?\", ':x' /* ? :x */ -- ?\n, n-? from t"
    assert bound(sql, [-1]) == sql.replace("n-?", "n- (-1)")
    assert bound("select :from, x::date", {"from": 1}) == "select 1, x::date"
    assert bound("select?", [1]) == "select 1"


class Sneaky(str):
    def __str__(self) -> str:
        return "' or 1=1 --"


@pytest.mark.parametrize(("sql", "parameters", "says"), [
    ("select ?", [[1, 2]], "parameter number 1: a list cannot be sent; known are None, Decimal, bool, date"),
    ("select ?", [b"x"], "a bytes cannot be sent"),
    ("select ?", [Sneaky("x")], "Sneaky cannot be sent"),
    ("select :a", {"a": object()}, "parameter :a: a object cannot be sent"),
    ("select ?", [np.datetime64("2025-01-01")], "numpy.datetime64 cannot be sent"),
    ("select ?", [float("nan")], "nan cannot be sent"),
    ("select ?", [Decimal("Infinity")], "Infinity cannot be sent"),
    ("select ?", [2**63], "beyond 64 bits"),
    ("select ?", [Decimal(10**38)], "more than 38 digits"),
    ("select ?", ["a\0b"], "zero character"),
    ("select ?", [datetime(2025, 1, 1, tzinfo=UTC)], "have no zone"),
    ("select ?", [datetime(2025, 1, 1, 0, 0, 0, 1)], "end at milliseconds"),
    ("select ?, ?", [1], "2 placeholders and 1 values"),
    ("select 1", [1], "0 placeholders and 1 values"),
    ("select ?", "x", "a text is not a list of values"),
    ("select :a, :b", {"a": 1}, "no value for :b"),
    ("select :a", {"a": 1, "b": 2}, "the statement has no :b"),
    ("select 'x", [], "the statement: cannot be read"),
])  # fmt: skip
def test_what_cannot_be_bound_is_refused(sql: str, parameters: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        bound(sql, parameters)  # type: ignore[arg-type]


@pytest.mark.slow
def test_every_shape_holds_the_same(lake: Connection) -> None:
    values = (
        "(9007199254740993, true, cast('1.10' as decimal(5, 2)), date '2025-01-01'), (null, null, null, null)"
    )
    result = lake.sql(f"select * from (values {values}) as t(id, ok, amount, day)")
    rows = [(9007199254740993, True, Decimal("1.10"), date(2025, 1, 1)), (None, None, None, None)]
    assert [tuple(row.values()) for row in result.arrow().to_pylist()] == rows
    assert result.polars().rows() == rows
    frame = result.pandas()
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "boolean", "object", "object"]
    assert tuple(frame.loc[0]) == rows[0]
    assert frame.loc[1].isna().all()
    nothing = lake.sql("select n from lake.gold.ten where n > 99")
    assert (len(nothing.pandas()), nothing.polars().shape, nothing.arrow().schema.names) == (0, (0, 1), ["n"])


@pytest.mark.slow
def test_a_stream_comes_in_batches_and_tells_how_far(engine: Engine) -> None:
    told: list[Received] = []
    with lakehouse.connect(settings_of(engine), progress=told.append) as lake:
        stream = lake.sql(f"select n, m {MILLION}").batches()
        sizes = [batch.num_rows for batch in stream]
    assert isinstance(stream, pa.RecordBatchReader)
    assert (sum(sizes), len(told)) == (1_000_000, len(sizes))
    assert max(sizes) <= 1_000_000 // 4
    assert (told[-1].rows, told[0].rows) == (1_000_000, sizes[0])
    assert told[-1].bytes > told[0].bytes > 0


@pytest.mark.parametrize(("terminal", "shown"), [("1", "65,536 rows, 3 MB"), ("0", "")])
def test_progress_is_for_terminals(
    terminal: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)  # as rich is told of one
    monkeypatch.setattr("lakehouse.client.progress._QUIET_SECONDS", 0)
    with TerminalProgress() as progress:
        progress(Received(rows=65_536, bytes=3_000_000))
    out, err = capsys.readouterr()
    assert (out, shown in err, bool(err)) == ("", True, bool(shown))


@pytest.mark.slow
def test_a_dropped_stream_cancels_its_query(lake: Connection, engine: Engine) -> None:
    marker = "'dropped early'"
    stream = lake.sql(f"select a.n, {marker} as x from lake.gold.million a, lake.gold.ten b").batches()
    stream.read_next_batch()
    del stream
    gc.collect()
    state = (
        "select status from sys.jobs_recent where query like '%dropped early%' and query not like '%sys.%'"
    )
    deadline = time.monotonic() + 20
    while "RUNNING" in str(found := engine.rows(state)) or "PENDING" in str(found):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found == [("CANCELED",)]


@pytest.mark.slow
def test_a_restarted_engine_is_asked_again_and_a_write_is_not_sent_twice(engine: Engine) -> None:
    with lakehouse.connect(settings_of(engine)) as lake:
        assert lake.sql("select 1 as one").arrow().num_rows == 1
        engine.stop()
        engine.start()
        assert lake.sql("select count(*) as n from lake.gold.ten").arrow()["n"][0].as_py() == 10
        lake.sql("insert into lake.gold.ten values (?)", [10]).arrow()
        assert lake.sql("select count(*) as n from lake.gold.ten").arrow()["n"][0].as_py() == 11
        lake.sql("delete from lake.gold.ten where n = ?", [10]).arrow()


@pytest.mark.slow
def test_a_login_that_expired_is_made_anew(engine: Engine) -> None:
    with lakehouse.connect(settings_of(engine)) as lake:
        client, _ = lake.flight._login()
        expired = fl.FlightCallOptions(headers=[(b"authorization", b"Bearer expired")])
        lake.flight._session = client, expired
        assert lake.sql("select 1 as one").arrow().num_rows == 1
        lake.flight._session = lake.flight._login()[0], expired
        lake.sql("delete from lake.gold.ten where n > 99").arrow()


class Broken(FlightSql):
    """Loses the connection at the start of each of the first `times` statements."""

    def __init__(self, settings: DremioSettings, times: int) -> None:
        super().__init__(settings)
        self.times, self.sent = times, 0

    def reader(self, sql: str):  # type: ignore[no-untyped-def]
        self.sent += 1
        if self.sent <= self.times:
            raise ServiceDownError("does not answer")
        return super().reader(sql)


@pytest.mark.slow
def test_reads_are_tried_four_times_and_writes_once(engine: Engine) -> None:
    for times, statement, sent in [
        (3, "select 1 as one", 4),
        (1, "delete from lake.gold.ten where n > 99", 1),
    ]:
        flight = Broken(settings_of(engine), times)
        with Connection(flight, None) as lake:
            if sent == 4:
                assert lake.sql(statement).arrow().num_rows == 1
            else:
                with pytest.raises(ServiceDownError):
                    lake.sql(statement).arrow()
        assert flight.sent == sent


@pytest.mark.slow
def test_an_error_in_the_stream_is_an_error_and_nothing_is_sent_again(engine: Engine) -> None:
    flight = Broken(settings_of(engine), 0)
    with Connection(flight, None) as lake:
        for n in (0, 9):  # in the first batch, after it
            with pytest.raises(ServiceRefusedError, match=r"Dremio at .*division by zero") as caught:
                lake.sql(f"select 10 / (n - {n}) as x {MILLION} order by n").arrow()
            assert "gRPC" not in str(caught.value)
    assert flight.sent == 2


@pytest.mark.slow
def test_a_refusal_is_told_at_once(lake: Connection, engine: Engine) -> None:
    with pytest.raises(ServiceRefusedError, match="nowhere"):
        lake.sql("select * from lake.gold.nowhere").batches()
    wrong = settings_of(engine).model_copy(update={"password": SecretStr("wrong")})
    with pytest.raises(ServiceRefusedError, match="credentials refused"):
        lakehouse.connect(wrong)


def test_nobody_there() -> None:
    nobody = DremioSettings(flight_port=free_port(), password=SecretStr("x"))
    with pytest.raises(ServiceDownError, match="start it with `lakehouse up`"):
        lakehouse.connect(nobody)


@pytest.mark.slow
@pytest.mark.usefixtures("engine_in_environment")
def test_the_notebook_of_the_documentation_runs(engine: Engine) -> None:
    nbformat, nbclient = importlib.import_module("nbformat"), importlib.import_module("nbclient")
    done = "'completed', date '2025-01-01'"
    rows = f"(1, {done}, 5.50), (2, {done}, 4.50), (1, 'open', date '2025-01-02', 9.00)"
    columns = "customer_id, status, order_date, amount"
    engine.rows(f"create table lake.gold.fct_orders as select * from (values {rows}) as t({columns})")
    notebook = nbformat.read(ROOT / "docs" / "examples" / "orders.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [cell["outputs"][0]["data"]["text/plain"] for cell in notebook.cells if cell.get("outputs")]
    assert "2025-01-01       2  10.00" in shown[0]
    assert shown[-1] == "3"
