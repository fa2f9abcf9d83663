"""Iceberg column types: their names for people and for DuckDB, and which of two types holds both."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_DUCKDB_NAMES: dict[type[IcebergType], str] = {
    BinaryType: "BLOB",
    BooleanType: "BOOLEAN",
    DateType: "DATE",
    DoubleType: "DOUBLE",
    FixedType: "BLOB",
    FloatType: "FLOAT",
    IntegerType: "INTEGER",
    LongType: "BIGINT",
    StringType: "VARCHAR",
    TimeType: "TIME",
    TimestampType: "TIMESTAMP",
    TimestamptzType: "TIMESTAMPTZ",
    UUIDType: "UUID",
}
_INTEGERS = (IntegerType, LongType)
_FLOATS = (FloatType, DoubleType)


def type_name(column_type: IcebergType) -> str:
    """The type as people write it, without Iceberg's field ids: `list<struct<a: long>>`."""
    if isinstance(column_type, StructType):
        return f"struct<{', '.join(f'{f.name}: {type_name(f.field_type)}' for f in column_type.fields)}>"
    if isinstance(column_type, ListType):
        return f"list<{type_name(column_type.element_type)}>"
    if isinstance(column_type, MapType):
        return f"map<{type_name(column_type.key_type)}, {type_name(column_type.value_type)}>"
    return str(column_type)


def duckdb_type(column_type: IcebergType) -> str:
    """The DuckDB type that holds every value of an Iceberg type.

    Raises:
        KeyError: a type that DuckDB has no counterpart for.
    """
    if isinstance(column_type, StructType):
        fields = (f"{quoted(f.name)} {duckdb_type(f.field_type)}" for f in column_type.fields)
        return f"STRUCT({', '.join(fields)})"
    if isinstance(column_type, ListType):
        return f"{duckdb_type(column_type.element_type)}[]"
    if isinstance(column_type, MapType):
        return f"MAP({duckdb_type(column_type.key_type)}, {duckdb_type(column_type.value_type)})"
    if isinstance(column_type, DecimalType):
        return f"DECIMAL({column_type.precision}, {column_type.scale})"
    return _DUCKDB_NAMES[type(column_type)]


def common_type(one: IcebergType, other: IcebergType) -> IcebergType | None:
    """The type that holds the values of both, or None when only a retype could make them one.

    Integers and floating-point numbers widen, and meet in `double`, which is how Airbyte lands a column that
    turned from integer to number; integers beyond 2^53 lose digits there, as they do in Airbyte.
    """
    if type_name(one) == type_name(other):
        return one
    kinds = {type(one), type(other)}
    if kinds <= set(_INTEGERS):
        return LongType()
    if kinds <= {*_INTEGERS, *_FLOATS}:
        return DoubleType()
    if isinstance(one, DecimalType) and isinstance(other, DecimalType) and one.scale == other.scale:
        return DecimalType(max(one.precision, other.precision), one.scale)
    if isinstance(one, StructType) and isinstance(other, StructType):
        return _common_struct(one, other)
    if isinstance(one, ListType) and isinstance(other, ListType):
        element = common_type(one.element_type, other.element_type)
        return ListType(one.element_id, element, element_required=False) if element else None
    return None


def promotes(current: IcebergType, wider: IcebergType) -> bool:
    """Whether Iceberg allows the change in place (https://iceberg.apache.org/spec/#schema-evolution)."""
    if type_name(current) == type_name(wider):
        return True
    if isinstance(current, StructType) and isinstance(wider, StructType):
        kinds = {field.name: field.field_type for field in wider.fields}
        return all(f.name in kinds and promotes(f.field_type, kinds[f.name]) for f in current.fields)
    if isinstance(current, ListType) and isinstance(wider, ListType):
        return promotes(current.element_type, wider.element_type)
    if isinstance(current, DecimalType) and isinstance(wider, DecimalType):
        return current.scale == wider.scale and current.precision <= wider.precision
    return (type(current), type(wider)) in {(IntegerType, LongType), (FloatType, DoubleType)}


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Iterable[str], table: str | None = None) -> str:
    """Names as a comma-separated list of identifiers, of `table` when one is given."""
    prefix = f"{table}." if table else ""
    return ", ".join(prefix + quoted(name) for name in names)


def _common_struct(one: StructType, other: StructType) -> StructType | None:
    fields = {field.name: field for field in one.fields}
    for field in other.fields:
        known = fields.get(field.name)
        if known is None:
            fields[field.name] = field
            continue
        joined = common_type(known.field_type, field.field_type)
        if joined is None:
            return None
        fields[field.name] = NestedField(known.field_id, known.name, joined, required=False)
    return StructType(*fields.values())
