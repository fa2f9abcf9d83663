"""How a stream is proposed to be read, kept and staged; pure functions of what its source tells."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lakehouse.errors import ConfigurationError
from lakehouse.scaffold.databases import Table
from lakehouse.scaffold.discovered import Stream, landed_name
from lakehouse.scaffold.source import slug

_CHANGED_AT = ("updated_at", "modified_at", "last_modified", "last_updated", "changed_at")
# A day in the life of what a row is about, rather than the day the row belongs to.
_NOT_THE_ROWS_DAY = re.compile(r"birth|born|expir|valid|due|until|end|deadline|hired|update|modif")

_LONGEST = timedelta(days=10_000)
"""Of older days there are too many for a partition each; often the oldest is a mistyped year."""


@dataclass(frozen=True)
class Asked:
    """What a person asks for by hand, by stream."""

    keys: Mapping[str, tuple[str, ...]]
    partitions: Mapping[str, tuple[str, date | None]]
    """Column and first day; without the day the database is asked for it."""


@dataclass(frozen=True)
class Proposal:
    """A stream that becomes a bronze table and a staging model."""

    stream: Stream
    sync_mode: str
    cursor: tuple[str, ...]
    primary_key: tuple[str, ...]
    required: frozenset[str]
    """Columns that are never NULL in the source, the key's among them."""
    partition: tuple[str, date] | None
    """The column of the row's day, and the first day there is."""

    @property
    def day(self) -> str | None:
        """The staging model's date column: a table is cut into days by a date, not by a moment."""
        if self.partition is None:
            return None
        column = self.partition[0]
        return column if self.stream.columns[column] == "date" else f"{column}_day"

    @property
    def table(self) -> str:
        """The stream's name as a table's."""
        return slug(self.stream.name)

    @property
    def how(self) -> str:
        """How it is read, for people."""
        if self.sync_mode == "full_refresh_overwrite":
            return "read in full by every sync"
        if self.cursor and self.cursor[0].startswith("_ab_cdc_"):
            return "followed by its log"
        if self.stream.source_defined_cursor:
            return "read where it is new or has changed"
        return f"read by {self.cursor[0]}; deletes are not seen"


def propose(stream: Stream, asked: Asked, table: Table | None) -> Proposal:
    """A proposal for one stream; `table` is what its database tells, None for what is no database.

    Raises:
        ConfigurationError: a column that is asked for is none of its columns.
    """
    key = asked.keys.get(stream.name, stream.primary_key)
    _require_columns(stream, key, "--key")
    sync_mode, cursor = _reading(stream)
    known = {landed_name(name) for name in table.required} if table else set()
    required = frozenset(key) | (known & stream.columns.keys())
    return Proposal(stream, sync_mode, cursor, key, required, _partition(stream, asked, table))


def chosen(
    streams: Mapping[str, Stream], tables: Collection[str], asked: Asked, where: str
) -> tuple[list[str], dict[str, str]]:
    """The streams to add: those asked for, else all that can be added; and why the others cannot.

    `where` is the source, for the messages.

    Raises:
        ConfigurationError: a name that the source does not have, a stream that is asked for and cannot be added,
            or not one that can.
    """
    named = [*tables, *asked.keys, *asked.partitions]
    for name in named:
        if name not in streams:
            raise ConfigurationError(
                f"has no stream {name!r}", where=where, remedy=f"it has {', '.join(sorted(streams))}"
            )
    added: dict[str, str] = {}  # by table
    left_out = {}
    for name in dict.fromkeys(tables or streams):
        problem = _obstacle(streams[name], asked, added)
        if problem is None:
            added[slug(name)] = name
        elif tables:
            raise ConfigurationError(problem, where=f"stream {name}", remedy=_columns(streams[name]))
        else:
            left_out[name] = problem
    if not added:
        some = "; ".join(f"{name}: {problem}" for name, problem in left_out.items()) or "it has none"
        raise ConfigurationError("has no stream that can be added", where=where, remedy=some)
    return list(added.values()), left_out


def _obstacle(stream: Stream, asked: Asked, added: Mapping[str, str]) -> str | None:
    """Why a stream cannot become a table beside those that are `added`, by table; None when it can."""
    if not (stream.primary_key or stream.name in asked.keys):
        return f"has no primary key, by which bronze tells rows apart; add it with --key {stream.name}=COLUMN[,COLUMN]"
    table = slug(stream.name)
    if not table:
        return "its name has no letter from a to z and no digit; read it through a view with another name"
    if table in added:
        return f"it would become table {table}, as {added[table]} does; add it alone, under another --name"
    if stream.alike:
        return f"bronze cannot tell its columns {' and '.join(stream.alike)} apart; read it through a view"
    return None


def _reading(stream: Stream) -> tuple[str, tuple[str, ...]]:
    if not stream.incremental:
        return "full_refresh_overwrite", ()
    if stream.source_defined_cursor:
        return "incremental_append", stream.cursor
    changed_at = next((name for name in _CHANGED_AT if stream.columns.get(name) == "timestamp"), None)
    return ("incremental_append", (changed_at,)) if changed_at else ("full_refresh_overwrite", ())


def _partition(stream: Stream, asked: Asked, table: Table | None) -> tuple[str, date] | None:
    oldest = {landed_name(name): day for name, day in table.oldest.items()} if table else {}
    if stream.name not in asked.partitions:
        begins = datetime.now(UTC).date() - _LONGEST
        known = (
            at for at in oldest.items() if at[1] > begins and not _NOT_THE_ROWS_DAY.search(at[0].lower())
        )
        return next(known, None)
    column, first = asked.partitions[stream.name]
    _require_columns(stream, (column,), "--partition")
    if stream.columns[column] not in ("date", "timestamp"):
        raise ConfigurationError(
            f"column {column} of stream {stream.name} is neither date nor timestamp", where="--partition"
        )
    if first is None and not oldest.get(column):
        raise ConfigurationError(
            f"the first day of {stream.name} is not known",
            where="--partition",
            remedy=f"write --partition {stream.name}={column}:YYYY-MM-DD",
        )
    return column, first or oldest[column]


def _require_columns(stream: Stream, names: Collection[str], option: str) -> None:
    for name in names:
        if name not in stream.columns:
            raise ConfigurationError(
                f"stream {stream.name} has no column {name!r}", where=option, remedy=_columns(stream)
            )


def _columns(stream: Stream) -> str:
    return f"its columns are {', '.join(stream.columns)}"
