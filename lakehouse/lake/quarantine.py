"""Landed rows that may not enter bronze: kept as they were landed, with the reason, until somebody decides.

`<lake>/landing_quarantine/<source>/<stream>/date=YYYY-MM-DD/<name>` has the rejected rows of the landed object
of the same name. The name makes it exactly once: a merge writes the file before it commits, and one that is
repeated after a crash writes the same file again. A file counts as soon as the table's watermark has consumed
its object, which is decided by the commit; until then it is of a merge that did not happen.
"""

# ruff: noqa: S608  names and literals are quoted by column_types.quoted and duckdb_session.literal

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from lakehouse.lake.admission import IN_COLUMN, OBJECT, REASON, ROW
from lakehouse.lake.duckdb_session import literal
from lakehouse.lake.filesystem import open_filesystem, path_of, readable
from lakehouse.lake.landed_schema import read_footers
from lakehouse.lake.layout import LandingObject, list_landing, quarantine_prefix

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from pyarrow.fs import FileSystem

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.pending import Pending
    from lakehouse.lake.watermark import Watermark
    from lakehouse.settings import Settings

PREFIX = "_quarantine_"
"""Of the columns that are added to the landed ones: reason, column, object, row, at, merge."""
_METADATA = "lakehouse_quarantine"


@dataclass(frozen=True)
class QuarantineFile:
    """The rejected rows of one landed object."""

    place: LandingObject
    """The object's place in the order of delivery, at the quarantine file's URL."""
    rows: int
    reasons: Counter[str]
    """`<column>: <reason>` with the rows of it."""
    generation: int
    at: datetime
    """When the rows were quarantined, UTC."""


def list_quarantine(settings: Settings, spec: MergeSpec, watermark: Watermark | None) -> list[QuarantineFile]:
    """The files of the stream that count, in the order of delivery."""
    if watermark is None:
        return []
    filesystem = open_filesystem(settings)
    files = [_read(filesystem, found) for found in _listed(settings, spec) if watermark.consumed(found)]
    return [file for file in files if file.generation in watermark.generations]


def read_quarantine(
    connection: DuckDBPyConnection, files: Sequence[QuarantineFile], limit: int | None = None
) -> pa.Table:
    """Rows of the files; a column that was landed with different types is text, which they have in common."""
    return connection.sql(_rows(files, limit)).to_arrow_table()


def json_rows(
    connection: DuckDBPyConnection, files: Sequence[QuarantineFile], limit: int | None = None
) -> list[str]:
    """Rows of the files, each as a JSON object."""
    found = connection.execute(f"SELECT to_json(rows) FROM ({_rows(files, limit)}) rows").fetchall()
    return [row[0] for row in found]


def _rows(files: Sequence[QuarantineFile], limit: int | None) -> str:
    urls = ", ".join(literal(readable(file.place.url)) for file in files)
    rows = f"SELECT * FROM read_parquet([{urls}], union_by_name = true, hive_partitioning = false)"
    return f"{rows} LIMIT {limit}" if limit is not None else rows


def remove_quarantine(settings: Settings, files: Sequence[QuarantineFile]) -> None:
    """Delete the files; those that another process deleted are passed over."""
    filesystem = open_filesystem(settings)
    for file in files:
        _delete(filesystem, file.place.url)


def write_quarantine(
    connection: DuckDBPyConnection, settings: Settings, spec: MergeSpec, pending: Pending, merge: str
) -> int:
    """Write the rows of `rejected` that are of newly consumed objects; the number of them.

    A file that an earlier attempt wrote for an object whose rows are all in order now is deleted.
    """
    consumed = {landing.name for landing in pending.consumed}
    counts = dict(connection.execute(f"SELECT {OBJECT}, count(*) FROM rejected GROUP BY {OBJECT}").fetchall())
    there = {found.name for found in _listed(settings, spec)}
    written = 0
    for place, file in enumerate(pending.files):
        landing = file.landing
        if landing.name not in consumed:
            continue
        if place in counts:
            _write_rejected(connection, settings, landing, place, merge)
            written += counts[place]
        elif landing.name in there:
            _delete(open_filesystem(settings), quarantine_url(settings, landing))
    return written


def settle_retried(connection: DuckDBPyConnection, settings: Settings, pending: Pending) -> None:
    """Leave those rows of the retried files that are still rejected; a file without any is deleted."""
    found = connection.execute(f"SELECT DISTINCT {OBJECT} FROM rejected").fetchall()
    rejected = {row[0] for row in found}
    for place in pending.retried:
        landing = pending.files[place].landing
        if place in rejected:
            reason = f"r.{REASON} AS {PREFIX}reason, r.{IN_COLUMN} AS {PREFIX}column"
            columns = f"l.* EXCLUDE (file_row_number) REPLACE ({reason})"
            _copy(connection, settings, landing, place, columns)
        else:
            _delete(open_filesystem(settings), landing.url)


def _write_rejected(
    connection: DuckDBPyConnection, settings: Settings, landing: LandingObject, place: int, merge: str
) -> None:
    added = {
        "reason": f"r.{REASON}",
        "column": f"r.{IN_COLUMN}",
        "object": literal(landing.url),
        "row": f"r.{ROW}",
        "at": f"TIMESTAMPTZ {literal(datetime.now(UTC).isoformat())}",
        "merge": literal(merge),
    }
    columns = ", ".join(f"{value} AS {PREFIX}{name}" for name, value in added.items())
    _copy(connection, settings, landing, place, f"l.* EXCLUDE (file_row_number), {columns}")


def _copy(
    connection: DuckDBPyConnection, settings: Settings, landing: LandingObject, place: int, columns: str
) -> None:
    """Write the rejected rows of the object at `place`, whole or not at all."""
    filesystem, url = open_filesystem(settings), quarantine_url(settings, landing)
    # On S3 an object appears whole; a file has to be written aside.
    aside = "/.".join(url.rsplit("/", 1)) + f".{uuid.uuid4().hex}" if url.startswith("file://") else url
    if aside != url:
        filesystem.create_dir(path_of(url.rsplit("/", 1)[0]), recursive=True)
    reasons = connection.execute(
        f"SELECT {IN_COLUMN} || ': ' || {REASON}, count(*) FROM rejected WHERE {OBJECT} = {place} GROUP BY ALL"
    ).fetchall()
    metadata = json.dumps({"reasons": dict(reasons), "at": datetime.now(UTC).isoformat()})
    connection.execute(
        f"COPY (SELECT {columns}"
        f" FROM read_parquet({literal(readable(landing.url))}, hive_partitioning = false,"
        f" file_row_number = true) l"
        f" JOIN rejected r ON r.{ROW} = l.file_row_number AND r.{OBJECT} = {place} ORDER BY r.{ROW})"
        f" TO {literal(readable(aside))} (FORMAT parquet, COMPRESSION snappy,"
        f" KV_METADATA {{{_METADATA}: {literal(metadata)}}})"
    )
    if aside != url:
        filesystem.move(path_of(aside), path_of(url))


def remove_superseded(settings: Settings, spec: MergeSpec, generations: Collection[int]) -> None:
    """Delete the files of generations that the table no longer has rows of: their rows are gone as well."""
    filesystem = open_filesystem(settings)
    for found in _listed(settings, spec):
        if _read(filesystem, found).generation not in generations:
            _delete(filesystem, found.url)


def quarantine_url(settings: Settings, landing: LandingObject) -> str:
    """Where the rejected rows of a landed object are."""
    return f"{quarantine_prefix(settings, landing.source, landing.stream)}/{landing.place}"


def _listed(settings: Settings, spec: MergeSpec) -> list[LandingObject]:
    prefix = quarantine_prefix(settings, spec.source, spec.stream)
    return list_landing(settings, spec.source, spec.stream, prefix=prefix)


def _read(filesystem: FileSystem, place: LandingObject) -> QuarantineFile:
    (file,) = read_footers(filesystem, [place])
    footer = pq.read_metadata(path_of(place.url), filesystem=filesystem)
    told = json.loads(footer.metadata[_METADATA.encode()])
    return QuarantineFile(
        place,
        file.rows,
        Counter(told["reasons"]),
        int(file.generation or 0),
        datetime.fromisoformat(told["at"]),
    )


def _delete(filesystem: FileSystem, url: str) -> None:
    try:
        filesystem.delete_file(path_of(url))
    except FileNotFoundError:
        return
