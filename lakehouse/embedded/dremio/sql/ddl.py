"""CREATE and ALTER: Dremio's grammar for tables, views, folders and dataset options."""

from __future__ import annotations

from sqlglot import exp

from lakehouse.embedded.dremio.sql.grammar import parse_query
from lakehouse.embedded.dremio.sql.model import (
    AlterTable,
    Column,
    CreateFolder,
    CreateTable,
    CreateView,
    PartitionField,
    SetDefaultReflection,
    SqlError,
    Statement,
)
from lakehouse.embedded.dremio.sql.reader import Reader
from lakehouse.embedded.dremio.sql.types import declared_type

_TRANSFORMS = ("YEAR", "MONTH", "DAY", "HOUR", "BUCKET", "TRUNCATE", "IDENTITY")


def parse_create(reader: Reader) -> Statement:
    """CREATE TABLE | VIEW | VDS | FOLDER. Raises SqlError naming any other kind."""
    reader.take()
    or_replace = reader.accept("OR", "REPLACE")
    kind = reader.take().upper()
    if kind == "TABLE":
        return _table(reader, or_replace)
    if kind in ("VIEW", "VDS"):
        return _view(reader, or_replace)
    if kind == "FOLDER":
        if_not_exists = reader.accept("IF", "NOT", "EXISTS")
        path = reader.path()
        reader.end()
        return CreateFolder(path, if_not_exists, text=reader.text)
    raise SqlError(f"CREATE {kind} is not supported by the local engine; run it on a Dremio server")


def _table(reader: Reader, or_replace: bool) -> CreateTable:
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    path = reader.path()
    columns = _column_definitions(reader) if reader.peek() == "(" else ()
    partition_by: tuple[PartitionField, ...] = ()
    sort_by: tuple[str, ...] = ()
    query: exp.Expression | None = None
    while not reader.done:
        if reader.accept("AS"):
            query = parse_query(reader.rest())
            query = query.unnest() if isinstance(query, exp.Subquery) else query
            break
        if reader.peek() in ("HASH", "STRIPED", "ROUNDROBIN") and reader.peek(1) == "PARTITION":
            reader.take()
        if reader.accept("PARTITION", "BY"):
            partition_by = _partition_fields(reader)
        elif reader.accept("LOCALSORT", "BY"):
            sort_by = reader.identifiers()
        elif reader.accept("DISTRIBUTE", "BY") or reader.accept("STORE", "AS"):
            reader.skip_parentheses()  # placement and format hints: every table here is Iceberg on parquet
        elif not reader.accept("WITH", "SINGLE", "WRITER"):
            raise SqlError(f"CREATE TABLE: unexpected {reader.place()}")
    if query is None and not columns:
        raise SqlError("CREATE TABLE needs columns or AS <query>")
    return CreateTable(
        path, query, columns, if_not_exists, or_replace, partition_by, sort_by, text=reader.text
    )


def _column_definitions(reader: Reader) -> tuple[Column, ...]:
    reader.expect("(")
    columns = []
    while True:
        name = reader.take()
        declared = reader.until(",", ")", "NOT", "NULL")
        nullable = not reader.accept("NOT", "NULL")
        reader.accept("NULL")
        columns.append(Column(name, declared_type(declared), nullable))
        if not reader.accept(","):
            break
    reader.expect(")")
    return tuple(columns)


def _partition_fields(reader: Reader) -> tuple[PartitionField, ...]:
    reader.expect("(")
    fields = []
    while True:
        if reader.peek() in _TRANSFORMS and reader.peek(1) == "(":
            transform = reader.take().lower()
            reader.expect("(")
            argument = int(reader.take()) if transform in ("bucket", "truncate") else None
            if argument is not None:
                reader.expect(",")
            fields.append(PartitionField(reader.take(), transform, argument))
            reader.expect(")")
        else:
            fields.append(PartitionField(reader.take()))
        if not reader.accept(","):
            break
    reader.expect(")")
    return tuple(fields)


def _view(reader: Reader, or_replace: bool) -> CreateView:
    path = reader.path()
    columns = reader.identifiers() if reader.peek() == "(" else ()
    reader.expect("AS")
    text = reader.rest()
    return CreateView(path, parse_query(text), text, or_replace, columns, text=reader.text)


def parse_alter(reader: Reader) -> Statement:
    """ALTER TABLE | PDS | VDS | VIEW | DATASET in the forms that clients send."""
    reader.take()
    kind = reader.take().upper()
    if kind not in ("TABLE", "PDS", "VDS", "VIEW", "DATASET"):
        raise SqlError(f"ALTER {kind} is not supported by the local engine; run it on a Dremio server")
    path = reader.path()
    text = reader.text
    if reader.accept("REFRESH", "METADATA"):
        return AlterTable(path, "refresh_metadata", text=text)  # its options tune what is always done here
    if reader.accept("REFRESH", "REFLECTIONS"):
        reader.end()
        return AlterTable(path, "refresh_reflections", text=text)
    if reader.accept("ADD", "COLUMNS"):
        columns = _column_definitions(reader)
        reader.end()
        return AlterTable(path, "add_columns", columns, text=text)
    if reader.accept("DROP", "COLUMN"):
        column = reader.take()
        reader.end()
        return AlterTable(path, "drop_column", column=column, text=text)
    if any(reader.accept(word, "COLUMN") for word in ("ALTER", "MODIFY", "CHANGE")):
        column, name = reader.take(), reader.take()
        declared = declared_type(reader.rest())
        return AlterTable(path, "alter_column", (Column(name, declared),), column, text=text)
    if reader.accept("SET", "ENABLE_DEFAULT_REFLECTION"):
        reader.expect("=")
        value = reader.take().upper()
        reader.end()
        return SetDefaultReflection(path, value == "TRUE", text=text)
    raise SqlError(
        f"ALTER {kind} {reader.peek() or ''}: not supported by the local engine; run it on a Dremio server"
    )
