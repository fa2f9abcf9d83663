"""Column values as the row images hold them -> typed Arrow arrays.

The same values as a full read of the table gives.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pymysqlreplication.column import Column as LogColumn
from pymysqlreplication.constants import FIELD_TYPE

from lakehouse.embedded.airbyte.connectors.mysql.cdc.row_images import REFUSED
from lakehouse.embedded.airbyte.connectors.mysql.columns import MysqlColumn
from lakehouse.embedded.airbyte.connectors.mysql.values import float_texts, from_texts
from lakehouse.embedded.airbyte.types import AirbyteType, Kind

_INT64 = range(-(2**63), 2**63)

_FAMILIES = {
    "integer": (
        {"tinyint", "smallint", "mediumint", "int", "bigint", "year"},
        {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG,
         FIELD_TYPE.YEAR},
    ),
    "real": ({"float", "double"}, {FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE}),
    "decimal": ({"decimal"}, {FIELD_TYPE.NEWDECIMAL}),
    "date": ({"date"}, {FIELD_TYPE.DATE}),
    "time": ({"time"}, {FIELD_TYPE.TIME2}),
    "datetime": ({"datetime"}, {FIELD_TYPE.DATETIME2}),
    "timestamp": ({"timestamp"}, {FIELD_TYPE.TIMESTAMP2}),
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
    refused = [place for place, value in enumerate(values) if value is REFUSED]
    if refused:
        values = _without(values, refused)
    if column.holds_bytes:
        texts = [None if value is None else base64.b64encode(_bytes(value)).decode() for value in values]
        return pa.array(texts, pa.string()), refused
    if logged.type == FIELD_TYPE.JSON:
        return pa.array([None if value is None else _json(value) for value in values], pa.string()), refused
    if column.type_name == "decimal":
        return from_texts(pa.array(values, pa.string()), target)
    match target.kind:
        case Kind.BOOLEAN:
            return pa.array(
                [None if value is None else _truth(value) for value in values], pa.bool_()
            ), refused
        case Kind.INTEGER:
            return _integers(values)
        case Kind.NUMBER if logged.type == FIELD_TYPE.FLOAT:
            return float_texts(pa.array(values, pa.float64())), refused
    return pa.array(values, target.arrow), refused


def _integers(values: Sequence[Any]) -> tuple[pa.Array, list[int]]:
    try:
        return pa.array(values, pa.int64()), []
    except (OverflowError, pa.ArrowInvalid):
        refused = [p for p, value in enumerate(values) if value is not None and value not in _INT64]
        return pa.array(_without(values, refused), pa.int64()), refused


def _without(values: Sequence[Any], refused: list[int]) -> Sequence[Any]:
    gone = set(refused)
    return [None if place in gone else value for place, value in enumerate(values)]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _truth(value: Any) -> bool:
    return any(value) if isinstance(value, bytes) else value != 0


def _json(value: Any) -> str:
    return json.dumps(_decoded(value), ensure_ascii=False, separators=(", ", ": "))


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {_decoded(name): _decoded(inner) for name, inner in value.items()}
    return [_decoded(inner) for inner in value] if isinstance(value, list) else value
