"""What must stay within the memory of one worker: many streams, many columns, long values, long transactions."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from lakehouse.cli.bench.laboratory import Laboratory, Measured, laboratory
from lakehouse.cli.bench.result import Result, at_most

MEMORY_MB = 500.0
STREAMS, COLUMNS = 200, 500
_MEGABYTE = 2**20


def sizes(scale: float) -> list[Result]:
    """200 tables in one connection, a table of 500 columns, 1 GB of one text column, a transaction of 2M rows.

    The scale is of the rows. All are read from the log, in transactions of a table, and then in full.
    """
    with laboratory() as lab:
        plain = ("text text, number float8", "'text ' || i, i")
        numbers = range(COLUMNS - 1)
        kinds, values = (_alternating(numbers, of) for of in (_KINDS, _VALUES))
        columns = (", ".join(f"c{n} {kind}" for n, kind in enumerate(kinds)), ", ".join(values))
        megabyte = ("text text", f"repeat(md5(i::text), {_MEGABYTE // 32})")
        return [
            *_measured(lab, "streams", STREAMS, plain, int(1_000 * scale)),
            *_measured(lab, "columns", 1, columns, int(20_000 * scale)),
            *_measured(lab, "text", 1, megabyte, int(1_000 * scale)),
            *_measured(lab, "transaction", 1, plain, int(2_000_000 * scale)),
        ]


_KINDS = ("bigint", "text", "float8", "timestamptz")
_VALUES = ("i", "'text ' || i", "i * 1.5", "now()")


def _alternating(numbers: range, of: Sequence[str]) -> list[str]:
    return [of[number % len(of)] for number in numbers]


def _measured(lab: Laboratory, what: str, tables: int, columns: tuple[str, str], rows: int) -> list[Result]:
    """`columns` are those beside the key: their declarations, and their values for the row `i`."""
    declared, values = columns
    names = [f"{what}_{number}" for number in range(tables)]
    fill = "INSERT INTO {} SELECT i, " + values + f" FROM generate_series(1, {rows}) i"  # noqa: S608
    for name in names:
        _run(lab, "CREATE TABLE {} (id int PRIMARY KEY, " + declared + ")", name)
    by_log, in_full = f"{what}_log", f"{what}_full"
    _connect(lab, by_log, names, log=True)
    lab.sync(by_log)
    for name in names:
        _run(lab, fill, name)
    _connect(lab, in_full, names, log=False)
    return [_memory(name, lab.sync(name), rows * tables) for name in (by_log, in_full)]


def _connect(lab: Laboratory, name: str, tables: Sequence[str], *, log: bool) -> None:
    method = (
        {"method": "CDC", "replication_slot": name, "publication": name} if log else {"method": "Standard"}
    )
    by_log = {"syncMode": "incremental_append", "cursorField": ["_ab_cdc_lsn"]}
    mode = by_log if log else {"syncMode": "full_refresh_overwrite"}
    streams = [{"name": table, **mode} for table in tables]
    lab.connect(name, lab.source | {"replication_method": method}, streams)


def _memory(name: str, measured: Measured, rows: int) -> Result:
    if measured.rows != rows:
        raise AssertionError(f"{name}: {measured.rows} rows landed, not {rows}")
    peak = measured.peak_bytes / _MEGABYTE
    return at_most(f"ingest.sizes.{name}", peak, MEMORY_MB, goal=1.0, of="the bound", unit="MB")


def _run(lab: Laboratory, statement: str, table: str) -> None:
    with lab.postgres() as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
