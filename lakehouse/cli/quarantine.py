"""`lakehouse quarantine list|show|retry|discard`: the landed rows that may not enter bronze."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse.cli.query import Format

if TYPE_CHECKING:
    from lakehouse.catalog.datasets import BronzeTable
    from lakehouse.lake.quarantine import QuarantineFile
    from lakehouse.settings import Settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Show, retry or discard the landed rows that may not enter bronze.",
)

Table = Annotated[str, typer.Argument(help="A bronze table, such as bronze.shop__orders.")]


class ListFormat(StrEnum):
    table = "table"
    json = "json"


@app.command(name="list")
def list_(
    *,
    format: Annotated[  # noqa: A002
        ListFormat, typer.Option("--format", "-f", help="Shape of the answer.")
    ] = ListFormat.table,
) -> None:
    """List the bronze tables with rows in quarantine: how many for which reason, the oldest and the newest."""
    import pyarrow as pa

    from lakehouse.cli.answers import write_answer
    from lakehouse.settings import load_settings

    settings = load_settings()
    rows: list[dict[str, Any]] = []
    for table in _tables():
        files = _files(table, settings)
        for reason in sorted({reason for file in files for reason in file.reasons}):
            having = [file for file in files if reason in file.reasons]
            rows.append(
                {
                    "table": _name(table),
                    "reason": reason,
                    "rows": sum(file.reasons[reason] for file in having),
                    "oldest": min(file.at for file in having),
                    "newest": max(file.at for file in having),
                }
            )
    moment = pa.timestamp("us", "UTC")
    schema = pa.schema(
        [
            ("table", pa.string()),
            ("reason", pa.string()),
            ("rows", pa.int64()),
            ("oldest", moment),
            ("newest", moment),
        ]
    )
    write_answer(pa.Table.from_pylist(rows, schema), format.value, None)


@app.command()
def show(
    table: Table,
    *,
    format: Annotated[Format, typer.Option("--format", "-f", help="Shape of the answer.")] = Format.table,  # noqa: A002
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, not to standard output.")
    ] = None,
) -> None:
    """Show the rows as they were landed, with the reason, the column, the object and the time.

    The formats are those of `lakehouse query`.
    """
    from lakehouse.cli.answers import write_answer
    from lakehouse.lake.duckdb_session import duckdb_session
    from lakehouse.lake.quarantine import read_quarantine
    from lakehouse.settings import load_settings

    settings, found = load_settings(), _table(table)
    files = _files(found, settings)
    if not files:
        print(f"no row of {_name(found)} is in quarantine")
        return
    with duckdb_session(settings, _name(found)) as connection:
        write_answer(read_quarantine(connection, files), format.value, output)


@app.command()
def retry(table: Table) -> None:
    """Merge the rows that fit by now, after the contract or the source's type was corrected.

    A row never replaces a later version of its key. What still does not fit stays.
    """
    from lakehouse.defs.bronze.spec import merge_spec
    from lakehouse.lake.retry import retry_quarantine
    from lakehouse.settings import load_settings

    settings, found = load_settings(), _table(table)
    before = _rows(_files(found, settings))
    result = retry_quarantine(merge_spec(found, settings), settings)
    stay = _rows(_files(found, settings))
    print(
        f"{_name(found)}: {before - stay} rows left quarantine, {stay} stay; bronze:"
        f" {result.inserted} inserted, {result.updated} updated, {result.deleted} deleted"
    )


@app.command()
def discard(
    table: Table, *, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove the rows of a table from quarantine for good; they stay in landing as long as that keeps them."""
    from lakehouse.lake.quarantine import remove_quarantine
    from lakehouse.settings import load_settings

    settings, found = load_settings(), _table(table)
    files = _files(found, settings)
    if files and not yes:
        typer.confirm(f"Remove {_rows(files)} rows of {_name(found)} from quarantine?", abort=True)
    remove_quarantine(settings, files)
    print(f"{_rows(files)} rows of {_name(found)} removed from quarantine")


def _tables() -> tuple[BronzeTable, ...]:
    from lakehouse.defs.project import declared_datasets

    return declared_datasets().bronze


def _table(name: str) -> BronzeTable:
    from lakehouse.errors import ConfigurationError

    tables = {_name(table): table for table in _tables()}
    if name not in tables:
        raise ConfigurationError(f"no bronze table {name!r}", remedy=f"known are {', '.join(sorted(tables))}")
    return tables[name]


def _name(table: BronzeTable) -> str:
    return f"{table.relation.schema}.{table.relation.name}"


def _rows(files: list[QuarantineFile]) -> int:
    return sum(file.rows for file in files)


def _files(table: BronzeTable, settings: Settings) -> list[QuarantineFile]:
    """The table's files in quarantine; none while the table was never merged."""
    from lakehouse.defs.bronze.spec import merge_spec
    from lakehouse.lake.commit import load
    from lakehouse.lake.iceberg import open_catalog
    from lakehouse.lake.quarantine import list_quarantine
    from lakehouse.lake.watermark import read_watermark

    spec = merge_spec(table, settings)
    current = load(open_catalog(settings), spec)
    return list_quarantine(settings, spec, read_watermark(current) if current else None)
