"""Dremio type names, as in INFORMATION_SCHEMA, and what DuckDB and Arrow call them."""

from __future__ import annotations

import re

import pyarrow as pa
from sqlglot import exp

from lakehouse.embedded.dremio.sql.model import SqlError

_NAMES = {
    "INT": "INTEGER", "INTEGER": "INTEGER", "BIGINT": "BIGINT", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIME": "TIME", "TIMESTAMP": "TIMESTAMP",
    "VARCHAR": "CHARACTER VARYING", "CHAR": "CHARACTER VARYING", "CHARACTER VARYING": "CHARACTER VARYING",
    "VARBINARY": "BINARY VARYING", "BINARY VARYING": "BINARY VARYING", "DECIMAL": "DECIMAL", "NUMERIC": "DECIMAL",
}  # fmt: skip
_DUCKDB = {"CHARACTER VARYING": "VARCHAR", "BINARY VARYING": "BLOB"}
_DECLARED = re.compile(r"^\s*([A-Za-z ]+?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*$")


def declared_type(text: str) -> str:
    """The canonical name of a declared type. Raises SqlError for one the local engine does not have.

    >>> declared_type("varchar(20)"), declared_type("decimal(12,2)")
    ('CHARACTER VARYING', 'DECIMAL(12, 2)')
    """
    match = _DECLARED.match(text)
    name = _NAMES.get(match[1].upper()) if match else None
    if match is None or name is None:
        raise SqlError(
            f"type {text.strip()} is not supported by the local engine; known are {', '.join(_NAMES)}"
        )
    if name == "DECIMAL":
        return f"DECIMAL({match[2] or 38}, {match[3] or 0})"
    return name


def duckdb_type(name: str) -> str:
    """The DuckDB type of a canonical Dremio type name."""
    if name.startswith("LIST"):
        return f"{duckdb_type(name[5:-1])}[]"
    return _DUCKDB.get(name, name)


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a canonical Dremio type name; timestamps in microseconds, as Iceberg keeps them."""
    if name.startswith("DECIMAL"):
        precision, scale = name[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return {
        "INTEGER": pa.int32(), "BIGINT": pa.int64(), "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "TIME": pa.time64("us"), "TIMESTAMP": pa.timestamp("us"),
        "CHARACTER VARYING": pa.string(), "BINARY VARYING": pa.binary(),
    }[name]  # fmt: skip


def dremio_type(arrow: pa.DataType) -> str:
    """The Dremio type name of an Arrow type. Raises SqlError for a type Dremio does not have."""
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision}, {arrow.scale})"
    if pa.types.is_integer(arrow):
        return "INTEGER" if arrow.bit_width <= 32 and not pa.types.is_uint32(arrow) else "BIGINT"
    for test, name in (
        (pa.types.is_float32, "FLOAT"), (pa.types.is_floating, "DOUBLE"), (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_date, "DATE"), (pa.types.is_time, "TIME"), (pa.types.is_timestamp, "TIMESTAMP"),
        (pa.types.is_string, "CHARACTER VARYING"), (pa.types.is_large_string, "CHARACTER VARYING"),
        (pa.types.is_string_view, "CHARACTER VARYING"), (pa.types.is_binary, "BINARY VARYING"),
        (pa.types.is_large_binary, "BINARY VARYING"), (pa.types.is_null, "CHARACTER VARYING"),
        (pa.types.is_struct, "ROW"), (pa.types.is_map, "MAP"),
    ):  # fmt: skip
        if test(arrow):
            return name
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"LIST({dremio_type(arrow.value_type)})"
    raise SqlError(f"column type {arrow} has no Dremio type")


def sqlglot_type(name: str) -> exp.DataType:
    """The type for sqlglot's annotation; unknown for nested types."""
    if name.startswith(("LIST", "ROW", "MAP", "STRUCT")):
        return exp.DataType.build("UNKNOWN")
    return exp.DataType.build(duckdb_type(name), dialect="duckdb")
