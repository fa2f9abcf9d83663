"""An Iceberg table's data files as a DuckDB SELECT, by field id, so that schema evolution is honoured."""

from __future__ import annotations

from collections import OrderedDict
from urllib.parse import urlparse

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

from lakehouse.embedded.dremio.sql.model import Column, SqlError, Version
from lakehouse.embedded.dremio.sql.types import dremio_type

_PRIMITIVES: dict[type[IcebergType], str] = {
    BooleanType: "BOOLEAN", IntegerType: "INTEGER", LongType: "BIGINT", FloatType: "FLOAT", DoubleType: "DOUBLE",
    DateType: "DATE", TimeType: "TIME", TimestampType: "TIMESTAMP", TimestamptzType: "TIMESTAMP WITH TIME ZONE",
    StringType: "VARCHAR", UUIDType: "UUID", BinaryType: "BLOB", FixedType: "BLOB",
}  # fmt: skip
_REMEMBERED = 512

FileList = tuple[str, ...]


def columns_of(table: Table) -> tuple[Column, ...]:
    """The table's columns under Dremio's type names."""
    fields = table.schema().fields
    arrow = schema_to_pyarrow(table.schema(), include_field_ids=False)
    return tuple(Column(f.name, dremio_type(arrow.field(f.name).type), not f.required) for f in fields)


def snapshot_id(table: Table, version: Version | None) -> int | None:
    """The snapshot to read; None when the table has none yet. Raises SqlError for one that is not there."""
    if version is None:
        current = table.current_snapshot()
        return current.snapshot_id if current else None
    name = ".".join(table.name())
    if version.kind == "snapshot":
        if not version.value.isdigit() or table.snapshot_by_id(int(version.value)) is None:
            raise SqlError(f"table {name} has no snapshot {version.value}")
        return int(version.value)
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(version.value)
    except ValueError:
        raise SqlError(f"AT TIMESTAMP '{version.value}' is no timestamp") from None
    found = table.snapshot_as_of_timestamp(
        int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    )
    if found is None:
        raise SqlError(f"table {name} has no snapshot as old as {version.value}")
    return found.snapshot_id


class FileLists:
    """Which files make up a snapshot; snapshots never change, so the answers are kept."""

    def __init__(self) -> None:
        self._lists: OrderedDict[tuple[str, int], FileList] = OrderedDict()
        self._checked: set[str] = set()

    def files(self, table: Table, snapshot: int | None) -> FileList:
        """Paths of the data files. Raises SqlError for tables with delete files or files without field ids."""
        if snapshot is None:
            return ()
        key = (str(table.metadata.table_uuid), snapshot)
        found = self._lists.get(key)
        if found is None:
            tasks = list(table.scan(snapshot_id=snapshot).plan_files())
            if any(task.delete_files for task in tasks):
                raise SqlError(
                    f"table {'.'.join(table.name())} has delete files, which the local engine cannot apply; compact it"
                )
            found = tuple(task.file.file_path for task in tasks)
            self._check_field_ids(table, found)
            self._lists[key] = found
            while len(self._lists) > _REMEMBERED:
                self._lists.popitem(last=False)
        return found

    def _check_field_ids(self, table: Table, files: FileList) -> None:
        """A file without field ids would read as NULLs: refuse it. All files of one writer are alike."""
        for path in files[:1] + files[-1:]:
            if path in self._checked:
                continue
            with table.io.new_input(path).open() as stream:
                schema = pq.read_schema(stream)
            if any(b"PARQUET:field_id" not in (field.metadata or {}) for field in schema):
                raise SqlError(f"table {'.'.join(table.name())}: file {path} has no Iceberg field ids")
            self._checked.add(path)


def select_sql(table: Table, files: FileList) -> str:
    """A DuckDB SELECT that gives the table's columns, timestamps without zone (UTC)."""
    fields = table.schema().fields
    if not files:
        nulls = ", ".join(
            f"CAST(NULL AS {_plain(field.field_type)}) AS {_quoted(field.name)}" for field in fields
        )
        return f"SELECT {nulls} WHERE false"
    paths = ", ".join(_literal(local_path(path)) for path in files)
    schema = ", ".join(_schema_entry(field) for field in fields)
    projection = ", ".join(_projection(field) for field in fields)
    return f"SELECT {projection} FROM read_parquet([{paths}], schema=MAP {{{schema}}})"  # noqa: S608


def local_path(url: str) -> str:
    """A path for DuckDB: file URLs as paths, as pyiceberg takes them (nothing decoded), object stores as URLs."""
    return urlparse(url).path if url.startswith("file:") else url


def _schema_entry(field: NestedField) -> str:
    name, kind = _literal(field.name), _literal(_duckdb(field.field_type))
    return f"{field.field_id}: {{name: {name}, type: {kind}, default_value: NULL}}"


def _projection(field: NestedField) -> str:
    name = _quoted(field.name)
    if isinstance(field.field_type, TimestamptzType):
        return f"{name} AT TIME ZONE 'UTC' AS {name}"
    if isinstance(field.field_type, UUIDType):
        return f"CAST({name} AS VARCHAR) AS {name}"
    return name


def _duckdb(kind: IcebergType) -> str:
    if isinstance(kind, DecimalType):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    name = _PRIMITIVES.get(type(kind))
    if name is None:
        from pyiceberg.types import ListType, MapType, StructType

        if isinstance(kind, ListType):
            return f"{_duckdb(kind.element_type)}[]"
        if isinstance(kind, MapType):
            return f"MAP({_duckdb(kind.key_type)}, {_duckdb(kind.value_type)})"
        if isinstance(kind, StructType):
            return (
                "STRUCT(" + ", ".join(f"{_quoted(f.name)} {_duckdb(f.field_type)}" for f in kind.fields) + ")"
            )
        raise SqlError(f"Iceberg type {kind} is not supported by the local engine")
    return name


def _plain(kind: IcebergType) -> str:
    return {"TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "UUID": "VARCHAR"}.get(_duckdb(kind), _duckdb(kind))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
