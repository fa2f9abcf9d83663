"""Column values as the binary log's reader decodes them -> typed Arrow arrays.

The same values as a full read of the table gives.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
from pymysqlreplication.column import Column as LogColumn
from pymysqlreplication.constants import FIELD_TYPE, NONE_SOURCE

from lakehouse.embedded.airbyte.connectors.mysql.columns import MysqlColumn
from lakehouse.embedded.airbyte.connectors.mysql.values import float_texts, from_texts
from lakehouse.embedded.airbyte.types import AirbyteType, Kind

_INT64 = range(-(2**63), 2**63)
_DAY = timedelta(days=1)
_NO_TIME = timedelta()
_WIDE_CHARSETS = {"ucs2": "utf-16-be", "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be"}
OUT_OF_RANGE = frozenset(
    {NONE_SOURCE.OUT_OF_DATE_RANGE, NONE_SOURCE.OUT_OF_DATETIME_RANGE, NONE_SOURCE.OUT_OF_DATETIME2_RANGE}
)

_FAMILIES = {
    "integer": (
        {"tinyint", "smallint", "mediumint", "int", "bigint", "year"},
        {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG,
         FIELD_TYPE.YEAR},
    ),
    "real": ({"float", "double"}, {FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE}),
    "decimal": ({"decimal"}, {FIELD_TYPE.NEWDECIMAL}),
    "date": ({"date"}, {FIELD_TYPE.DATE}),
    "time": ({"time"}, {FIELD_TYPE.TIME, FIELD_TYPE.TIME2}),
    "datetime": ({"datetime"}, {FIELD_TYPE.DATETIME, FIELD_TYPE.DATETIME2}),
    "timestamp": ({"timestamp"}, {FIELD_TYPE.TIMESTAMP, FIELD_TYPE.TIMESTAMP2}),
    "bit": ({"bit"}, {FIELD_TYPE.BIT}),
}  # fmt: skip
_FAMILY_OF_NAME = {name: family for family, (names, _) in _FAMILIES.items() for name in names}
_FAMILY_OF_CODE = {code: family for family, (_, codes) in _FAMILIES.items() for code in codes}


def same_family(column: MysqlColumn, logged: LogColumn) -> bool:
    """Whether values logged with this type are values of the column as it is now."""
    return _FAMILY_OF_NAME.get(column.type_name) == _FAMILY_OF_CODE.get(logged.type)


def typed(
    values: Sequence[Any], column: MysqlColumn, logged: LogColumn, target: AirbyteType
) -> tuple[pa.Array, list[int]]:
    """The values as one Arrow array of the column's type, and the positions that had to become NULL."""
    if column.holds_bytes:
        plain = _bit_bytes(logged) if logged.type == FIELD_TYPE.BIT else _padded(logged)
        texts = [None if value is None else base64.b64encode(plain(value)).decode() for value in values]
        return pa.array(texts, pa.string()), []
    match target.kind:
        case Kind.BOOLEAN:
            truths = [None if value is None else int(value) != 0 for value in values]
            return pa.array(truths, pa.bool_()), []
        case Kind.INTEGER if column.type_name == "decimal":
            return from_texts(pa.array(_texts(values, str), pa.string()), target)
        case Kind.INTEGER:
            return _integers(values, logged)
        case Kind.NUMBER if column.type_name == "decimal":
            return from_texts(pa.array(_texts(values, str), pa.string()), target)
        case Kind.NUMBER:
            numbers = pa.array(values, pa.float64())
            return (float_texts(numbers) if logged.type == FIELD_TYPE.FLOAT else numbers), []
        case Kind.TIME:
            refused = [p for p, value in enumerate(values) if value is not None and not _of_a_day(value)]
            return pa.array(_without(values, refused), pa.duration("us")).cast(pa.int64()).cast(
                target.arrow
            ), refused
        case Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMP_TZ:
            return pa.array(values, target.arrow), []
    return pa.array(_texts(values, _text_of(logged)), pa.string()), []


def _integers(values: Sequence[Any], logged: LogColumn) -> tuple[pa.Array, list[int]]:
    if logged.type == FIELD_TYPE.YEAR:  # stored as years since 1900, and the year 0 as 0
        values = [0 if value == 1900 else value for value in values]
    try:
        return pa.array(values, pa.int64()), []
    except (OverflowError, pa.ArrowInvalid):
        refused = [p for p, value in enumerate(values) if value is not None and value not in _INT64]
        return pa.array(_without(values, refused), pa.int64()), refused


def _of_a_day(value: timedelta) -> bool:
    return _NO_TIME <= value < _DAY


def _without(values: Sequence[Any], refused: list[int]) -> Sequence[Any]:
    gone = set(refused)
    return [None if place in gone else value for place, value in enumerate(values)] if gone else values


def _texts(values: Sequence[Any], text: Callable[[Any], str] | None) -> Sequence[Any]:
    return values if text is None else [None if value is None else text(value) for value in values]


def _text_of(logged: LogColumn) -> Callable[[Any], str] | None:
    """How a value becomes text; None where it is text."""
    if logged.type == FIELD_TYPE.JSON:
        return _json
    if logged.type == FIELD_TYPE.SET:
        order = {label: place for place, label in enumerate(logged.set_values or ())}
        return lambda labels: ",".join(sorted(labels, key=order.__getitem__))
    encoding = _WIDE_CHARSETS.get(str(logged.character_set_name))
    if encoding is not None:
        return lambda value: value if isinstance(value, str) else value.decode(encoding)
    return None


def _padded(logged: LogColumn) -> Callable[[Any], bytes]:
    """Bytes as the column has them: the log leaves out the zeros at the end of a BINARY."""
    width = logged.max_length if logged.type == FIELD_TYPE.STRING else 0
    return lambda value: (value if isinstance(value, bytes) else value.encode()).ljust(width, b"\0")


def _bit_bytes(logged: LogColumn) -> Callable[[Any], bytes]:
    return lambda digits: int(digits, 2).to_bytes(logged.bytes, "big")


def _json(value: Any) -> str:
    return json.dumps(_decoded(value), ensure_ascii=False, separators=(", ", ": "))


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {_decoded(name): _decoded(inner) for name, inner in value.items()}
    return [_decoded(inner) for inner in value] if isinstance(value, list) else value
