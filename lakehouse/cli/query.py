"""`lakehouse query "select …"`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pyarrow as pa

    from lakehouse.settings import Settings


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement; `-` reads it from standard input.")],
    *,
    format: Annotated[Format, typer.Option("--format", "-f", help="Shape of the answer.")] = Format.table,  # noqa: A002
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, not to standard output.")
    ] = None,
) -> None:
    """Ask Dremio over Arrow Flight and print the answer.

    Works whether or not the stack is up: when the embedded engine does not run, it is started for this one
    call.

    **json** is an array with one object a row: integers and decimals as numbers with all their digits, dates
    and times as ISO 8601 text, binary as base64, NaN and infinities as null. **csv** has a header line,
    nested values as JSON text, and binary as base64. **parquet** is binary: redirect it or use `--output`.
    **table** is for people and shows the first 500 rows.
    """
    import sys

    from lakehouse.cli.answers import write_answer
    from lakehouse.errors import ConfigurationError
    from lakehouse.settings import load_settings

    if output is None and format is Format.parquet and sys.stdout.isatty():
        raise ConfigurationError("parquet is binary", remedy="redirect it or use --output FILE")
    statement = sys.stdin.read() if sql == "-" else sql
    write_answer(_ask(load_settings(), statement), format.value, output)


def _ask(settings: Settings, sql: str) -> pa.Table:
    from lakehouse.cli.engine import reachable_engine
    from lakehouse.client import TerminalProgress, connect

    with (
        reachable_engine(settings) as reached,
        TerminalProgress() as progress,
        connect(reached.dremio, progress=progress) as lake,
    ):
        return lake.sql(sql).arrow()
