"""Column values as the server writes them -> typed Arrow arrays."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.embedded.airbyte.coercion import cast_strings
from lakehouse.embedded.airbyte.connectors.mysql.columns import MysqlColumn
from lakehouse.embedded.airbyte.types import AirbyteType, Kind

SERIALIZATION_ERROR = "SOURCE_SERIALIZATION_ERROR"


def typed(
    values: Sequence[str | bytes | None], column: MysqlColumn, target: AirbyteType
) -> tuple[pa.Array, list[int]]:
    """The values as one Arrow array of the column's type, and the positions that had to become NULL."""
    if column.holds_bytes:
        return pa.array([_base64(value) for value in values], pa.string()), []
    if target.kind is Kind.BOOLEAN:
        return pa.array([None if value is None else _truth(value) for value in values], pa.bool_()), []
    texts = pa.array(values, pa.string())
    if column.type_name == "float":
        return float_texts(texts), []
    return from_texts(texts, target)


def from_texts(texts: pa.Array, target: AirbyteType) -> tuple[pa.Array, list[int]]:
    """Text as its type; the session is in UTC, so a moment without an offset is one in UTC."""
    utc = target.kind is Kind.TIMESTAMP_TZ
    return cast_strings(texts, AirbyteType(Kind.TIMESTAMP) if utc else target)


def float_texts(numbers: pa.Array) -> pa.Array:
    """Single-precision numbers as the shortest decimal: 0.1, not 0.10000000149."""
    single = numbers.cast(pa.float64()).cast(pa.float32(), safe=False)
    return pc.cast(pc.cast(single, pa.string()), pa.float64())


def _base64(value: str | bytes | None) -> str | None:
    if value is None:
        return None
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


def _truth(value: Any) -> bool:
    return any(value) if isinstance(value, bytes) else int(value) != 0
