"""Values that do not fit their declared type become NULL plus a recorded change; they never fail a sync."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.embedded.airbyte.types import AirbyteType, Kind

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Change:
    """One entry of `_airbyte_meta.changes` (Airbyte protocol, AirbyteRecordMessageMetaChange)."""

    field: str
    change: str = "NULLED"
    reason: str = "DESTINATION_SERIALIZATION_ERROR"


def coerce(value: Any, target: AirbyteType) -> Any:
    """A decoded JSON value as the Python value of its Arrow type.

    Raises ValueError or OverflowError when the value is not of the type.
    """
    if value is None:
        return None
    return _COERCIONS[target.kind](value, target)


def coerce_column(values: Sequence[Any], target: AirbyteType) -> tuple[pa.Array, list[int]]:
    """Decoded JSON values as one Arrow array, and the positions that had to become NULL."""
    converted: list[Any] = []
    refused: list[int] = []
    for position, value in enumerate(values):
        try:
            converted.append(coerce(value, target))
        except (ValueError, OverflowError):
            converted.append(None)
            refused.append(position)
    return pa.array(converted, target.arrow), refused


def cast_strings(texts: pa.Array, target: AirbyteType) -> tuple[pa.Array, list[int]]:
    """Text as its declared type, vectorised while all of it parses, value by value when some does not."""
    if target.kind in (Kind.STRING, Kind.JSON):
        return texts, []
    try:
        return _cast_all(texts, target.kind), []
    except pa.ArrowInvalid:
        return coerce_column([_from_text(text, target.kind) for text in texts.to_pylist()], target)


def _cast_all(texts: pa.Array, kind: Kind) -> pa.Array:
    if kind is Kind.TIMESTAMP:
        return pc.assume_timezone(pc.cast(texts, pa.timestamp("us")), "UTC")
    if kind is Kind.TIME:
        anchored = pc.binary_join_element_wise("1970-01-01T", texts, "")
        return pc.cast(pc.cast(anchored, pa.timestamp("us")), pa.time64("us"))
    if kind is Kind.TIME_TZ:
        raise pa.ArrowInvalid("a time of day with an offset has no vectorised parser")
    if kind is Kind.NUMBER:
        numbers = pc.cast(texts, pa.float64())
        if pc.all(pc.is_finite(numbers)).as_py() is False:
            raise pa.ArrowInvalid("a number that is not finite")
        return numbers
    return pc.cast(texts, AirbyteType(kind).arrow)


def _from_text(text: str | None, kind: Kind) -> Any:
    """Text of a file as the JSON value it stands for, or itself when it stands for none."""
    if text is None or kind not in (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN):
        return text
    try:
        return json.loads(text.lower()) if kind is Kind.BOOLEAN else float(text) if "." in text else int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def _string(value: Any, _: AirbyteType) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text.encode()  # a lone surrogate cannot be stored
    return text


def _boolean(value: Any, _: AirbyteType) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("not a boolean")


def _integer(value: Any, _: AirbyteType) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not an integer")
    if int(value) != value or int(value) not in _INT64:
        raise ValueError("not a 64-bit integer")
    return int(value)


def _number(value: Any, _: AirbyteType) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _date(value: Any, _: AirbyteType) -> date:
    return date.fromisoformat(_text(value))


def _timestamp(value: Any, target: AirbyteType) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None and target.kind is Kind.TIMESTAMP_TZ:
        raise ValueError("a timestamp with time zone needs an offset")
    if moment.tzinfo is not None and target.kind is Kind.TIMESTAMP:
        raise ValueError("a timestamp without time zone has an offset")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _time(value: Any, target: AirbyteType) -> time:
    moment = time.fromisoformat(_text(value))
    if moment.tzinfo is None:
        return moment
    shifted = datetime.combine(date(2000, 1, 2), moment) - (moment.utcoffset() or timedelta())
    return shifted.time().replace(tzinfo=None)


def _array(value: Any, target: AirbyteType) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("not an array")
    return [coerce(item, target.item) for item in value]


def _object(value: Any, target: AirbyteType) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return {name: coerce(value.get(name), member) for name, member in target.members}


def _union(value: Any, target: AirbyteType) -> dict[str, Any]:
    for name, member in target.members:
        if isinstance(value, str) != (member.kind is Kind.STRING or member.kind.value in _TEXTUAL):
            continue
        try:
            return {"type": name, name: coerce(value, member)}
        except (ValueError, OverflowError):
            continue
    raise ValueError("none of the alternatives")


def _json(value: Any, _: AirbyteType) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


_TEXTUAL = {
    "date",
    "time_without_timezone",
    "time_with_timezone",
    "timestamp_without_timezone",
    "timestamp_with_timezone",
}
_COERCIONS = {
    Kind.STRING: _string,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIME_TZ: _time,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMP_TZ: _timestamp,
    Kind.ARRAY: _array,
    Kind.OBJECT: _object,
    Kind.UNION: _union,
    Kind.JSON: _json,
}
