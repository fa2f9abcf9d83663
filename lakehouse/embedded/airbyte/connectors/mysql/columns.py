"""A MySQL column as the Airbyte type it becomes, and the SQL that yields it.

The mapping is source-mysql's: tinyint(1) and bit(1) are booleans, decimals without a scale and years are
integers, bytes of every kind become base64 text, and whatever else has no Airbyte type is text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lakehouse.embedded.airbyte.connectors.mysql.sessions import quoted
from lakehouse.embedded.airbyte.types import Kind, json_schema_of

_KINDS = {
    "tinyint": Kind.INTEGER,
    "smallint": Kind.INTEGER,
    "mediumint": Kind.INTEGER,
    "int": Kind.INTEGER,
    "bigint": Kind.INTEGER,
    "year": Kind.INTEGER,
    "float": Kind.NUMBER,
    "double": Kind.NUMBER,
    "decimal": Kind.NUMBER,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "datetime": Kind.TIMESTAMP,
    "timestamp": Kind.TIMESTAMP_TZ,
}
_BYTES = frozenset(
    {
        "bit", "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob",
        "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
        "geometrycollection", "geomcollection",
    }
)  # fmt: skip
_UNORDERED = frozenset({"json", "enum", "set", "tinyint(1)", "bit"})
# What the binary log writes of these is not their text, and the library that reads it does not know them.
_NOT_IN_THE_LOG = frozenset({"uuid", "inet4", "inet6", "vector"})


@dataclass(frozen=True)
class MysqlColumn:
    """A column of a table."""

    name: str
    type_name: str  # as information_schema's DATA_TYPE
    declared_type: str  # as in CREATE TABLE, in lower case
    length: int | None  # characters or bytes
    scale: int | None
    nullable: bool
    is_boolean: bool

    @property
    def kind(self) -> Kind:
        """The Airbyte kind of the values."""
        if self.is_boolean:
            return Kind.BOOLEAN
        if self.type_name == "decimal" and not self.scale:
            return Kind.INTEGER
        return _KINDS.get(self.type_name, Kind.STRING)

    @property
    def json_schema(self) -> dict[str, Any]:
        """How `discover` declares the column."""
        return json_schema_of(self.kind)

    @property
    def holds_bytes(self) -> bool:
        """Whether the text is base64 of what the server has."""
        return self.type_name in _BYTES and not self.is_boolean

    @property
    def can_be_cursor(self) -> bool:
        """Whether its values have an order that a comparison with a literal follows."""
        return self.kind is not Kind.BOOLEAN and not self.holds_bytes and self.type_name not in _UNORDERED

    @property
    def can_be_logged(self) -> bool:
        """Whether the values can be read from the binary log."""
        return self.type_name not in _NOT_IN_THE_LOG and "/*" not in self.declared_type

    @property
    def expression(self) -> str:
        """SQL of the value; the server prints six digits of a float, but all of a double."""
        name = quoted(self.name)
        return f"({name} + 0e0)" if self.type_name == "float" else name


def is_boolean(type_name: str, declared_type: str, *, tiny_is_boolean: bool) -> bool:
    """Whether MySQL's driver, and so the real connector, takes the column for a boolean."""
    if type_name == "bit":
        return declared_type == "bit(1)"
    return tiny_is_boolean and declared_type == "tinyint(1)"
