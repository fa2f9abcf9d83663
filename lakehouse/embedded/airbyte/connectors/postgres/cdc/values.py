"""Column values as logical decoding writes them (the database's text output) -> typed Arrow arrays.

The same values as a full read of the table gives.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg.adapt import Transformer
from psycopg.pq import Format

from lakehouse.embedded.airbyte.coercion import cast_strings, coerce_column
from lakehouse.embedded.airbyte.connectors.postgres.projection import PostgresColumn
from lakehouse.embedded.airbyte.types import AirbyteType, Kind

_TEXT_ARRAY = 1009  # the type oid of text[], whose loader splits the text of any array
_NOT_MONEY = re.compile(rb"[^0-9.\-]")


def typed(
    values: Sequence[bytes | None], column: PostgresColumn, target: AirbyteType
) -> tuple[pa.Array, list[int]]:
    """The values as one Arrow array of the column's type, and the positions that had to become NULL."""
    if column.element:
        return _arrays(values, column.element, target)
    if column.type_name == "money":
        values = [None if value is None else _NOT_MONEY.sub(b"", value) for value in values]
    texts = pa.array(values, pa.binary()).cast(pa.string())
    if target.kind is Kind.BOOLEAN:
        return pc.equal(texts, "t"), []
    return cast_strings(texts, target)


def _arrays(values: Sequence[bytes | None], element: str, target: AirbyteType) -> tuple[pa.Array, list[int]]:
    split = Transformer().get_loader(_TEXT_ARRAY, Format.TEXT).load
    plain = json.loads if element in ("json", "jsonb") else _ELEMENTS.get(target.item.kind, str)
    lists = [None if value is None else _each(split(value), plain) for value in values]
    return coerce_column(lists, target)


def _each(value: Any, plain: Callable[[str], Any]) -> Any:
    """The elements as `to_json` writes them; an array of several dimensions is nested."""
    if isinstance(value, list):
        return [_each(item, plain) for item in value]
    return None if value is None else plain(value)


_ELEMENTS: dict[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: int,
    Kind.NUMBER: lambda text: float(text) if text[-1:].isdigit() else text,  # NaN has no place in JSON
    Kind.BOOLEAN: lambda text: text == "t",
}
