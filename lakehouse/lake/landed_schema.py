"""What the landed objects hold, read from their Parquet footers: columns, types and generation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import UnsupportedPyArrowTypeException, pyarrow_to_schema
from pyiceberg.types import IcebergType

from lakehouse.errors import PermanentError, TransientError
from lakehouse.lake.filesystem import path_of

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from lakehouse.lake.layout import LandingObject

RAW_ID = "_airbyte_raw_id"
EXTRACTED_AT = "_airbyte_extracted_at"
GENERATION_ID = "_airbyte_generation_id"
AIRBYTE_COLUMNS = (RAW_ID, EXTRACTED_AT, GENERATION_ID)
"""The columns of destination-s3 that bronze keeps."""
AIRBYTE_META = "_airbyte_meta"
CDC_PREFIX = "_ab_cdc_"
LSN = "_ab_cdc_lsn"
CDC_CURSOR = "_ab_cdc_cursor"
DELETED_AT = "_ab_cdc_deleted_at"
GENERATION_KEY = b"ab-generation-id"
"""In the footer of an object of the embedded server; an object without rows says its generation only here."""

_FOOTER_READERS = 8


@dataclass(frozen=True)
class LandedFile:
    """The footer of one landed object."""

    landing: LandingObject
    columns: dict[str, IcebergType]
    rows: int
    generation: int | None
    """`_airbyte_generation_id` of its rows; None when it has no rows and does not say."""

    @property
    def tells(self) -> bool:
        """Whether it has rows, or at least says that a generation has none."""
        return self.rows > 0 or self.generation is not None


def read_footers(filesystem: FileSystem, objects: Sequence[LandingObject]) -> list[LandedFile]:
    """The footers of the objects, in the same order.

    Raises:
        PermanentError: an object that is no Parquet file, lacks Airbyte's columns, holds several generations,
            or has a column of a type that Iceberg does not know.
        TransientError: an object vanished since it was listed.
    """
    with ThreadPoolExecutor(_FOOTER_READERS) as readers:
        return list(readers.map(lambda landing: _read_footer(filesystem, landing), objects))


def _read_footer(filesystem: FileSystem, landing: LandingObject) -> LandedFile:
    try:
        metadata = pq.read_metadata(path_of(landing.url), filesystem=filesystem)
    except FileNotFoundError as error:
        raise TransientError(
            "landed object vanished while it was read", where=landing.url, remedy="run the merge again"
        ) from error
    except pa.ArrowInvalid as error:
        raise PermanentError(
            f"not a Parquet file: {str(error).splitlines()[0]}",
            where=landing.url,
            remedy="remove it from landing/ and sync again",
        ) from error
    columns = _columns(metadata.schema.to_arrow_schema(), landing)
    missing = [name for name in AIRBYTE_COLUMNS if name not in columns]
    if missing:
        raise PermanentError(
            f"column {missing[0]} is missing",
            where=landing.url,
            remedy="landing holds what Airbyte's destination-s3 writes; remove what something else put there",
        )
    return LandedFile(landing, columns, metadata.num_rows, _generation(filesystem, landing, metadata))


def _columns(schema: pa.Schema, landing: LandingObject) -> dict[str, IcebergType]:
    field_ids = itertools.count(1)
    columns = {}
    for field in schema:
        if field.name == AIRBYTE_META:
            continue
        try:
            converted = pyarrow_to_schema(pa.schema([_with_field_ids(field, field_ids)]))
        except (UnsupportedPyArrowTypeException, TypeError, ValueError) as error:
            raise PermanentError(
                f"column {field.name} has type {field.type}, which Iceberg does not hold",
                where=landing.url,
                remedy="exclude the column in the Airbyte connection",
            ) from error
        columns[field.name] = converted.fields[0].field_type
    return columns


def _with_field_ids(field: pa.Field, field_ids: Iterator[int]) -> pa.Field:
    """The field with fresh Parquet field ids throughout, without which pyiceberg converts no Arrow type."""
    kind = field.type
    if pa.types.is_struct(kind):
        kind = pa.struct([_with_field_ids(child, field_ids) for child in kind])
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = pa.list_(_with_field_ids(kind.value_field, field_ids))
    return pa.field(field.name, kind, True, {b"PARQUET:field_id": str(next(field_ids)).encode()})


def _generation(filesystem: FileSystem, landing: LandingObject, metadata: pq.FileMetaData) -> int | None:
    if metadata.num_rows == 0:
        told = (metadata.metadata or {}).get(GENERATION_KEY)
        return None if told is None else int(told)
    leaf = next(i for i in range(metadata.num_columns) if metadata.schema.column(i).path == GENERATION_ID)
    found: set[Any] = set()
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(leaf).statistics
        if statistics is None or not statistics.has_min_max:
            column = pq.read_table(path_of(landing.url), columns=[GENERATION_ID], filesystem=filesystem)
            found = set(column.column(0).unique().to_pylist())
            break
        found |= {statistics.min, statistics.max}
    if len(found) != 1 or None in found:
        raise PermanentError(
            f"rows of generations {sorted(map(str, found))} in one object",
            where=landing.url,
            remedy="destination-s3 writes one generation an object; remove it from landing/ and sync again",
        )
    return int(found.pop())
