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

from lakehouse.embedded.airbyte.types import TEMPORAL, AirbyteType, Kind

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Change:
    """One entry of `_airbyte_meta.changes` (Airbyte protocol, AirbyteRecordMessageMetaChange)."""

    field: str
    change: str = "NULLED"
    reason: str = "DESTINATION_SERIALIZATION_ERROR"


def coerce(value: Any, target: AirbyteType) -> Any:
    """A decoded JSON value as the Python value of its Arrow type.

    Raises TypeError, ValueError or OverflowError when the value is not of the type.
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
        except (TypeError, ValueError, OverflowError):
            converted.append(None)
            refused.append(position)
    return pa.array(converted, target.arrow), refused


def cast_strings(texts: pa.Array, target: AirbyteType) -> tuple[pa.Array, list[int]]:
    """Text as its declared type, and the positions that had to become NULL.

    Vectorised while all of it parses; around a value that does not, by ever smaller halves, so that whether a
    value is good never depends on its neighbours.
    """
    if target.kind in (Kind.STRING, Kind.JSON):
        return texts, []
    if target.kind is Kind.TIME_TZ:  # Arrow has no parser for a time of day with an offset
        return coerce_column(texts.to_pylist(), target)
    try:
        return _cast_all(texts, target.kind), []
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return coerce_column(texts.to_pylist() if target.kind in TEMPORAL else [_REFUSED], target)
        middle = len(texts) // 2
        first, refused = cast_strings(texts[:middle], target)
        second, refused_later = cast_strings(texts[middle:], target)
        positions = refused + [middle + position for position in refused_later]
        return pa.concat_arrays([first, second]), positions


_REFUSED: list[object] = []  # of no scalar type: becomes NULL


def all_parse(texts: pa.Array, kind: Kind) -> bool:
    """Whether every text is a value of the kind."""
    try:
        _cast_all(
            texts[:64], kind
        )  # Arrow words a complaint for every value that fails: let few of them fail
        _cast_all(texts, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _cast_all(texts: pa.Array, kind: Kind) -> pa.Array:
    if kind is Kind.TIMESTAMP:
        return pc.assume_timezone(pc.cast(texts, pa.timestamp("us")), "UTC")
    if kind is Kind.TIME:
        anchored = pc.binary_join_element_wise("1970-01-01T", texts, "")
        return pc.cast(pc.cast(anchored, pa.timestamp("us")), pa.time64("us"))
    if kind is Kind.NUMBER:
        numbers = pc.cast(texts, pa.float64())
        if pc.all(pc.is_finite(numbers)).as_py() is False:
            raise pa.ArrowInvalid("a number that is not finite")
        return numbers
    return pc.cast(texts, AirbyteType(kind).arrow)


def _string(value: Any, _: AirbyteType) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text.encode()  # a lone surrogate cannot be stored
    return text


def _boolean(value: Any, _: AirbyteType) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError("not a boolean")


def _integer(value: Any, _: AirbyteType) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not an integer")
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


def _time(value: Any, _: AirbyteType) -> time:
    moment = time.fromisoformat(_text(value))
    if moment.tzinfo is None:
        return moment
    shifted = datetime.combine(date(2000, 1, 2), moment) - (moment.utcoffset() or timedelta())
    return shifted.time().replace(tzinfo=None)


def _array(value: Any, target: AirbyteType) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not an array")
    return [coerce(item, target.item) for item in value]


def _object(value: Any, target: AirbyteType) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return {name: coerce(value.get(name), member) for name, member in target.members}


def _union(value: Any, target: AirbyteType) -> dict[str, Any]:
    for name, member in target.members:
        if isinstance(value, str) != (member.kind is Kind.STRING or member.kind in TEMPORAL):
            continue
        try:
            return {"type": name, name: coerce(value, member)}
        except (TypeError, ValueError, OverflowError):
            continue
    raise ValueError("none of the alternatives")


def _json(value: Any, _: AirbyteType) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


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
