"""Values for the placeholders of a statement.

Dremio binds parameters only in Flight SQL's prepared statements, and only newer versions do; the plain command that
every version answers carries none. So a value becomes a typed literal that sqlglot writes, and takes the place of
its placeholder in the token stream. All other text reaches the server as it was written.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlglot.expressions import Expression
    from sqlglot.tokens import Token

Value = str | int | float | bool | Decimal | dt.date | dt.datetime | dt.time | None
Parameters = Sequence[Value] | Mapping[str, Value]

_BIGINT = range(-(2**63), 2**63)
_DECIMAL_DIGITS = 38


def bound(sql: str, parameters: Parameters) -> str:
    """The statement with its parameters: a sequence for `?`, a mapping for `:name`.

    Placeholders inside strings, quoted names and comments are text. NumPy's booleans and numbers are taken too.

    Raises:
        ConfigurationError: a placeholder without a value, a value without a placeholder, or a value of a type
            or size that Dremio has no literal for.

    >>> bound("select * from t where day = ? and name = ?", [dt.date(2025, 1, 31), "O'Hara"])
    "select * from t where day = CAST('2025-01-31' AS DATE) and name = 'O''Hara'"
    >>> bound("select * from t where id = :id and note <> ':id'", {"id": 7})
    "select * from t where id = 7 and note <> ':id'"
    """
    tokens = _tokens(sql)
    if isinstance(parameters, Mapping):
        places = _named(tokens)
        unknown = [name for name in parameters if name not in {place[2] for place in places}]
        missing = [name for _, _, name in places if name not in parameters]
        if unknown or missing:
            problem = f"no value for :{missing[0]}" if missing else f"the statement has no :{unknown[0]}"
            raise ConfigurationError(problem, where="parameters")
        values = [(start, end, parameters[name], f":{name}") for start, end, name in places]
    else:
        if isinstance(parameters, str | bytes):
            raise ConfigurationError(
                "a text is not a list of values", where="parameters", remedy="write [text]"
            )
        marks = _marks(tokens)
        if len(marks) != len(parameters):
            problem = f"{len(marks)} placeholders and {len(parameters)} values"
            raise ConfigurationError(problem, where="parameters", remedy="each ? takes one value")
        values = [
            (start, end, value, f"number {number}")
            for number, ((start, end), value) in enumerate(zip(marks, parameters, strict=True), start=1)
        ]
    pieces, position = [], 0
    for start, end, value, name in values:
        pieces += [sql[position:start], _apart(literal(value, name), sql[:start][-1:], sql[end : end + 1])]
        position = end
    return "".join([*pieces, sql[position:]])


def literal(value: Value, name: str = "value") -> str:
    """A value as SQL of Dremio, with its type. Raises ConfigurationError for what has no such literal."""
    value = _plain(value)
    write = _WRITERS.get(type(value))  # the very type: a subclass may write itself in its own way
    if write is None:
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        known = ", ".join(sorted({kind.__name__ for kind in _WRITERS} - {"NoneType"}))
        raise ConfigurationError(
            f"a {kind} cannot be sent", where=f"parameter {name}", remedy=f"known are None, {known}"
        )
    try:
        return write(value).sql("dremio")
    except ValueError as error:
        raise ConfigurationError(str(error), where=f"parameter {name}") from None


def reads_only(sql: str) -> bool:
    """Whether a statement changes nothing, so that it may be sent again.

    >>> reads_only("/* why */ (select 1)"), reads_only("delete from t")
    (True, False)
    """
    words = (token.text.upper() for token in _tokens(sql))
    first = next((word for word in words if word != "("), "")
    return first in ("SELECT", "WITH", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXPLAIN")


def _tokens(sql: str) -> list[Token]:
    """With places as in the text. The word before it keeps sqlglot from swallowing a SHOW or EXPLAIN whole."""
    from sqlglot.dialects.dremio import Dremio
    from sqlglot.errors import TokenError

    prefix = "_ "
    try:
        tokens = Dremio().tokenize(prefix + sql)[1:]
    except TokenError as error:
        text = " ".join(str(error).split())
        raise ConfigurationError(f"cannot be read: {text[:200]}", where="the statement") from None
    for token in tokens:
        token.start -= len(prefix)
        token.end -= len(prefix)
    return tokens


def _marks(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    from sqlglot.tokens import TokenType

    return [(token.start, token.end + 1) for token in tokens if token.token_type == TokenType.PLACEHOLDER]


def _named(tokens: Sequence[Token]) -> list[tuple[int, int, str]]:
    from sqlglot.tokens import TokenType

    return [
        (colon.start, word.end + 1, word.text)
        for colon, word in pairwise(tokens)
        if colon.token_type == TokenType.COLON
        and word.start == colon.end + 1
        and word.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)
        and word.text.isidentifier()
    ]


def _apart(text: str, before: str, after: str) -> str:
    """A token of its own, whatever stands beside it: 'a'? must not become one text."""
    beside = " \t\r\n(),=<>"
    return ("" if before in beside else " ") + text + ("" if after in beside else " ")


def _plain(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    return value


def _text(value: str) -> Expression:
    from sqlglot import exp

    if "\0" in value:
        raise ValueError("a text with a zero character cannot be sent")
    return exp.Literal.string(value)


def _integer(value: int) -> Expression:
    from sqlglot import exp

    if value not in _BIGINT:
        raise ValueError("an integer beyond 64 bits cannot be sent; a Decimal can")
    number = exp.Literal.number(abs(value))
    # In parentheses: a minus before it would make it a comment.
    return exp.Paren(this=exp.Neg(this=number)) if value < 0 else number


def _float(value: float) -> Expression:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be sent")
    return _typed(repr(value), "double")


def _decimal(value: Decimal) -> Expression:
    if not value.is_finite():
        raise ValueError(f"{value} cannot be sent")
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    precision = max(len(digits) + max(0, int(exponent)), scale, 1)
    if precision > _DECIMAL_DIGITS:
        raise ValueError(f"a decimal of more than {_DECIMAL_DIGITS} digits cannot be sent")
    return _typed(f"{value:f}", f"decimal({precision}, {scale})")


def _timestamp(value: dt.datetime) -> Expression:
    _in_milliseconds(value)
    return _typed(value.isoformat(" ", "milliseconds"), "timestamp")


def _time(value: dt.time) -> Expression:
    _in_milliseconds(value)
    return _typed(value.isoformat("milliseconds"), "time")


def _in_milliseconds(value: dt.datetime | dt.time) -> None:
    if value.tzinfo is not None:
        raise ValueError("Dremio's times have no zone: give one in UTC without tzinfo")
    if value.microsecond % 1000:
        raise ValueError("Dremio's times end at milliseconds: round it")


def _typed(text: str, kind: str) -> Expression:
    from sqlglot import exp

    return exp.cast(exp.Literal.string(text), exp.DataType.build(kind, dialect="dremio"))


def _boolean(value: bool) -> Expression:
    from sqlglot import exp

    return exp.Boolean(this=value)


def _null(_value: None) -> Expression:
    from sqlglot import exp

    return exp.Null()


_WRITERS: Mapping[type, Callable[[Any], Expression]] = {
    str: _text,
    bool: _boolean,
    int: _integer,
    float: _float,
    Decimal: _decimal,
    dt.date: lambda value: _typed(value.isoformat(), "date"),
    dt.datetime: _timestamp,
    dt.time: _time,
    type(None): _null,
}
