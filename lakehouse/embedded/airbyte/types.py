"""Airbyte's data types: read from a stream's JSON schema, written as the Parquet types of destination-s3.

Source: "Data types" of the Airbyte protocol documentation and the Parquet mapping of destination-s3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa


class Kind(Enum):
    """What a value is, apart from how it is stored."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TIME = "time_without_timezone"
    TIME_TZ = "time_with_timezone"
    TIMESTAMP = "timestamp_without_timezone"
    TIMESTAMP_TZ = "timestamp_with_timezone"
    ARRAY = "array"
    OBJECT = "object"
    UNION = "union"
    JSON = "json"  # an array or object without a declared shape: kept as JSON text


_ARROW = {
    Kind.STRING: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.TIME_TZ: pa.time64("us"),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.TIMESTAMP_TZ: pa.timestamp("us", "UTC"),
    Kind.JSON: pa.string(),
}
TEMPORAL = frozenset({Kind.DATE, Kind.TIME, Kind.TIME_TZ, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ})
SCALAR = frozenset({Kind.STRING, Kind.BOOLEAN, Kind.INTEGER, Kind.NUMBER})


@dataclass(frozen=True)
class AirbyteType:
    """A type of the Airbyte protocol; `members` are the item type, the named fields or the alternatives."""

    kind: Kind
    members: tuple[tuple[str, AirbyteType], ...] = ()

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type whose Parquet form destination-s3 writes."""
        if self.kind is Kind.ARRAY:
            return pa.list_(pa.field("element", self.members[0][1].arrow))
        if self.kind is Kind.OBJECT:
            return pa.struct([pa.field(name, member.arrow) for name, member in self.members])
        if self.kind is Kind.UNION:
            alternatives = [pa.field(name, member.arrow) for name, member in self.members]
            return pa.struct([pa.field("type", pa.string()), *alternatives])
        return _ARROW[self.kind]

    @property
    def item(self) -> AirbyteType:
        """The type of an array's elements."""
        return self.members[0][1]


@dataclass(frozen=True)
class Column:
    """One top-level field: its name in the stream, its name in Parquet and its type."""

    source: str
    name: str
    type: AirbyteType


def columns_of(json_schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """The Parquet columns of a stream, in the order the schema declares them.

    Raises ValueError when two fields become the same Parquet column, naming both.
    """
    columns: dict[str, Column] = {}
    for source, schema in json_schema.get("properties", {}).items():
        name = parquet_name(source)
        if name in columns:
            raise ValueError(
                f"fields {columns[name].source!r} and {source!r} both become column {name!r}; deselect one"
            )
        columns[name] = Column(source, name, airbyte_type(schema))
    return tuple(columns.values())


def parquet_name(field: str) -> str:
    """A field name as destination-s3 writes it: letters, digits and underscores, no leading digit."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", field)
    return f"_{name}" if name[:1].isdigit() else name


def airbyte_type(schema: Mapping[str, Any]) -> AirbyteType:
    """The type a JSON schema fragment declares; a fragment that declares none is kept as JSON text."""
    alternatives = schema.get("oneOf") or schema.get("anyOf")
    if alternatives:
        return _union([airbyte_type(option) for option in alternatives if option.get("type") != "null"])
    names = schema.get("type")
    if isinstance(names, list):
        present = [name for name in names if name != "null"]
        return _union([airbyte_type({**schema, "type": name}) for name in present])
    return _single_type(names, schema)


def _single_type(name: str | None, schema: Mapping[str, Any]) -> AirbyteType:
    if name == "string":
        return AirbyteType(_string_kind(schema))
    if name == "boolean":
        return AirbyteType(Kind.BOOLEAN)
    if name == "integer" or (name == "number" and schema.get("airbyte_type") in ("integer", "big_integer")):
        return AirbyteType(Kind.INTEGER)
    if name == "number":
        return AirbyteType(Kind.NUMBER)
    if name == "array" and isinstance(schema.get("items"), Mapping) and schema["items"]:
        return AirbyteType(Kind.ARRAY, (("element", airbyte_type(schema["items"])),))
    if name == "object" and schema.get("properties"):
        fields = tuple((field, airbyte_type(inner)) for field, inner in schema["properties"].items())
        return AirbyteType(Kind.OBJECT, fields)
    return AirbyteType(Kind.JSON)


def _string_kind(schema: Mapping[str, Any]) -> Kind:
    declared, variant = schema.get("format"), schema.get("airbyte_type")
    if declared == "date":
        return Kind.DATE
    if declared == "date-time":
        return Kind.TIMESTAMP if variant == "timestamp_without_timezone" else Kind.TIMESTAMP_TZ
    if declared == "time":
        return Kind.TIME if variant == "time_without_timezone" else Kind.TIME_TZ
    return Kind.STRING


def _union(options: list[AirbyteType]) -> AirbyteType:
    distinct = list(dict.fromkeys(options))
    kinds = {option.kind for option in distinct}
    if not distinct:
        return AirbyteType(Kind.JSON)
    if kinds == {Kind.INTEGER, Kind.NUMBER}:
        return AirbyteType(Kind.NUMBER)
    if len(distinct) == 1:
        return distinct[0]
    if len(kinds) < len(distinct) or Kind.JSON in kinds:
        return AirbyteType(Kind.JSON)  # alternatives that cannot be told apart by kind
    return AirbyteType(Kind.UNION, tuple((option.kind.value, option) for option in distinct))


def json_schema_of(kind: Kind) -> dict[str, Any]:
    """The JSON schema fragment by which Airbyte's database sources declare a scalar kind."""
    return dict(_DECLARED[kind])


_DECLARED: dict[Kind, dict[str, Any]] = {
    Kind.STRING: {"type": "string"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.INTEGER: {"type": "number", "airbyte_type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIME: {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
    Kind.TIME_TZ: {"type": "string", "format": "time", "airbyte_type": "time_with_timezone"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
    Kind.TIMESTAMP_TZ: {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
    Kind.JSON: {"type": "object"},
}
