"""A Postgres column as the Airbyte type it becomes, and the SQL that yields it.

The mapping is source-postgres': integers stay whole, numeric and money become doubles, json, uuid, bytea and
whatever else has no Airbyte type become text. Both read paths use this SQL, so both yield the same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from lakehouse.embedded.airbyte.types import Kind, json_schema_of

_KINDS = {
    "int2": Kind.INTEGER,
    "int4": Kind.INTEGER,
    "int8": Kind.INTEGER,
    "oid": Kind.INTEGER,
    "float4": Kind.NUMBER,
    "float8": Kind.NUMBER,
    "numeric": Kind.NUMBER,
    "money": Kind.NUMBER,
    "bool": Kind.BOOLEAN,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "timetz": Kind.TIME_TZ,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMP_TZ,
}
# Values outside these have no place in ISO 8601; for JSON, SQL folds them (and the infinities) onto one value
# just outside the range, which the reader turns into NULL plus a recorded change. Binary ones need no folding:
# the infinities lie out of range there too.
_CLAMPED = "LEAST(GREATEST({column}, '0001-12-31 BC'), '10000-01-01')"
_CLAMPED_UNLESS_NULL = f"CASE WHEN {{column}} IS NOT NULL THEN {_CLAMPED} END"  # both pass over NULL
_CLAMPED_KINDS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ})
_SQL = {
    "oid": "{column}::int8",
    "float4": "{column}::text::float8",  # the shortest decimal: 0.1, not 0.10000000149
    "money": "{column}::numeric::float8",
    "timetz": "({column} AT TIME ZONE 'UTC')::time",
    "inet": "CASE WHEN {column} IS NOT NULL THEN format('%s', {column}) END",  # as the log: no /32 on a host
}
_UNBOUNDED_NUMERIC = (
    "CASE WHEN abs({column}) < 1e300 THEN CASE WHEN abs({column}) > 1e-300 THEN {column}::float8"
    " ELSE 0::float8 END WHEN {column} IS NOT NULL THEN 'NaN'::float8 END"
)
_NATIVE_ELEMENTS = frozenset({"int2", "int4", "int8", "bool"})
"""Of arrays that the Arrow reader takes as they are; other elements have values without a place in a list."""
_AS_IS = frozenset({"int2", "int4", "int8", "float8", "bool", "time", "text", "varchar", "bpchar", "name"})
_AS_IS_IN_BINARY = frozenset({"date", "timestamp", "timestamptz", "json", "jsonb"})
ABSENT = "absent "
"""Begins the names of columns that say of an array whether it is NULL in the table."""
GUARDED = frozenset({Kind.NUMBER, Kind.DATE, Kind.TIME, Kind.TIME_TZ, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ})


@dataclass(frozen=True)
class PostgresColumn:
    """A column of a table: its base type (domains resolved), and whether NULL may occur."""

    name: str
    type_name: str
    declared_type: str  # as in CREATE TABLE, for casts of literals
    digits: int | None  # of a numeric with a precision
    element: str | None  # the element's type of an array
    nullable: bool
    generated: bool
    """Whether the server computes it from other columns; the log does not have such columns."""

    @property
    def kind(self) -> Kind:
        """The Airbyte kind of the values."""
        return Kind.ARRAY if self.element else _KINDS.get(self.type_name, Kind.STRING)

    @property
    def decimal(self) -> bool:
        """Whether the values are decimal numbers, which land as doubles."""
        return self.type_name in ("numeric", "money")

    @property
    def json_schema(self) -> dict[str, Any]:
        """How `discover` declares the column."""
        if self.element:
            return {"type": "array", "items": json_schema_of(_KINDS.get(self.element, Kind.STRING))}
        return json_schema_of(self.kind)

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.name)

    @property
    def absent(self) -> sql.Composable | None:
        """For arrays that the Arrow reader takes as they are: whether NULL is the value, not a nested array."""
        if self.element not in _NATIVE_ELEMENTS:
            return None
        return sql.SQL("{} IS NULL AS {}").format(self.identifier, sql.Identifier(ABSENT + self.name))

    def value(self, *, for_arrow: bool) -> sql.Composable:
        """The select-list expression; arrays are JSON, for the Arrow reader as text or as they are, see `absent`."""
        if self.element and for_arrow and self.absent:
            # The Arrow reader knows no domains, and no lists that begin elsewhere than at 1; those of a slice do.
            plain = f"{{column}}::{self.element}[]"
            template = (
                f"CASE WHEN array_ndims({{column}}) > 1 THEN NULL"
                f" WHEN array_lower({{column}}, 1) <> 1 THEN ({plain})[:] ELSE {plain} END"
            )
        elif self.element:
            template = "to_json({column})::text" if for_arrow else "to_json({column})"
        elif self.type_name == "numeric":
            template = _UNBOUNDED_NUMERIC if self.digits is None else "{column}::float8"
        elif for_arrow and self.type_name in _AS_IS_IN_BINARY:
            template = "{column}"
        elif self.kind in _CLAMPED_KINDS:
            template = _CLAMPED_UNLESS_NULL if self.nullable else _CLAMPED
        else:
            template = _SQL.get(self.type_name, "{column}" if self.type_name in _AS_IS else "{column}::text")
        return sql.SQL(template).format(column=self.identifier) + sql.SQL(" AS ") + self.identifier
