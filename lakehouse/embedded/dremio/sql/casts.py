"""CAST and TRY_CAST as Dremio does them, and values as Dremio writes them in text.

Sources: Dremio's data types reference (formats, DECIMAL defaults), Gandiva's cast functions (rounding, BOOLEAN words).
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from lakehouse.embedded.dremio.sql.build import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    TIME,
    TIMESTAMP,
    VARCHAR,
    call,
    is_text,
    kind,
)
from lakehouse.embedded.dremio.sql.model import SqlError

FLOAT = exp.DataType.Type.FLOAT
_FLOATING = (DOUBLE, FLOAT)
_TARGETS = frozenset({
    INT, BIGINT, FLOAT, DOUBLE, exp.DType.DECIMAL, BOOLEAN, DATE, TIME, TIMESTAMP, VARCHAR, exp.DType.CHAR,
    exp.DType.TEXT, exp.DType.VARBINARY, exp.DType.BINARY,
})  # fmt: skip
_WHOLE = r"\s*[+-]?\d+\s*"
_WITHOUT_ZONE = r"\s*\d{1,4}-\d{1,2}-\d{1,2}([ T]+\d{1,2}:\d{1,2}(:\d{1,2}([.]\d+)?)?)?\s*Z?\s*"


def cast(node: Any) -> exp.Expression:
    """The DuckDB form of a CAST or TRY_CAST. Raises SqlError for a target type that is not known."""
    target = node.to
    if isinstance(target.this, exp.Interval):
        return node  # read by DATE_ADD and DATE_SUB, or made an interval at the end
    if target.this not in _TARGETS:
        raise SqlError(f"CAST to {target.sql('dremio')} is not supported by the local engine")
    if target.this in exp.DataType.TEXT_TYPES:
        length = target.expressions[0].name if target.expressions else None
        text = as_text(node.this)
        return call("left", text, int(length)) if length else exp.cast(text, VARCHAR)
    if target.this == exp.DType.DECIMAL and not target.expressions:
        target.set("expressions", [_parameter(38), _parameter(0)])
    if is_text(node.this):
        return _from_text(node)
    if target.this in (INT, BIGINT) and kind(node.this) in _FLOATING:
        node.set("this", call("round", node.this))  # half away from zero; DuckDB's cast rounds half to even
    return node


def as_text(value: exp.Expression) -> exp.Expression:
    """A value in the text that Dremio gives it. Raises SqlError for a TIME, whose text is not documented."""
    of = kind(value)
    if of == TIMESTAMP:
        return call("strftime", value, "%Y-%m-%d %H:%M:%S.%g")
    if of == TIME:
        raise SqlError(
            "CAST of TIME to VARCHAR is not supported by the local engine; use TO_CHAR with a format"
        )
    if of in _FLOATING:
        return _java_double(value)
    return value if is_text(value) else exp.cast(value, VARCHAR)


def _from_text(node: Any) -> exp.Expression:
    """Strict where DuckDB is lenient: '1.5' is no INT, 'yes' no BOOLEAN, '...+02:00' no TIMESTAMP without zone."""
    target, value = node.to, node.this
    strict = not isinstance(node, exp.TryCast)
    if target.this in (INT, BIGINT):
        return _guarded(node, _WHOLE, f"not a whole number for {target.sql('dremio')}", strict=strict)
    if target.this == TIMESTAMP:
        return _guarded(node, _WITHOUT_ZONE, "not a TIMESTAMP (YYYY-MM-DD HH:MI:SS.FFF)", strict=strict)
    if target.this == BOOLEAN:
        words = call("lower", call("trim", value))
        ifs = [
            exp.If(this=words.isin("true", "1", copy=True), true=exp.true()),
            exp.If(this=words.isin("false", "0", copy=True), true=exp.false()),
            exp.If(this=exp.Is(this=value.copy(), expression=exp.null()), true=exp.null()),
        ]
        return exp.Case(ifs=ifs, default=_fails(value, "not a BOOLEAN", BOOLEAN) if strict else exp.null())
    return node


def _guarded(node: Any, pattern: str, complaint: str, *, strict: bool) -> exp.Expression:
    value = node.this
    if isinstance(value, exp.Literal) and re.fullmatch(pattern, value.name):
        return node
    matches = exp.If(this=call("regexp_full_match", value.copy(), pattern), true=node.copy())
    empty = exp.If(this=exp.Is(this=value.copy(), expression=exp.null()), true=exp.null())
    otherwise = _fails(value, complaint, node.to) if strict else exp.null()
    return exp.Case(ifs=[matches, empty], default=otherwise)


def _fails(value: exp.Expression, complaint: str, target: Any) -> exp.Expression:
    said = exp.DPipe(this=exp.Literal.string(f"{complaint}: "), expression=value.copy())
    return exp.cast(call("error", said), target)


def _java_double(value: exp.Expression) -> exp.Expression:
    """As Java's Double.toString: plain between 0.001 and 10,000,000, else 1.5E8; one digit after the point at least."""
    plain = exp.cast(value.copy(), VARCHAR)
    size = call("abs", value.copy())
    mantissa = call("regexp_extract", plain.copy(), r"^(-?[0-9]([.][0-9]+)?)e", 1)
    exponent = call("regexp_extract", plain.copy(), r"e([+-][0-9]+)$", 1)
    written = _joined(_with_point(mantissa), "E", exp.cast(exp.cast(exponent, INT), VARCHAR))
    digits = call("regexp_replace", plain.copy(), r"[-.]", "", "g")
    significant = call("regexp_replace", call("regexp_replace", digits, "^0+", ""), "0+$", "")
    sign = exp.Case(ifs=[exp.If(this=exp.LT(this=value.copy(), expression=_number(0)), true=exp.Literal.string("-"))],
                    default=exp.Literal.string(""))  # fmt: skip
    rest = call("substring", significant.copy(), 2)
    fraction = exp.Case(ifs=[exp.If(this=exp.EQ(this=rest, expression=exp.Literal.string("")), true=exp.Literal.string("0"))],
                        default=rest.copy())  # fmt: skip
    scale = exp.cast(exp.cast(call("floor", call("log10", size.copy())), INT), VARCHAR)
    rewritten = _joined(sign, call("left", significant.copy(), 1), ".", fraction, "E", scale)
    is_plain = exp.or_(
        exp.EQ(this=value.copy(), expression=_number(0)),
        exp.and_(exp.GTE(this=size.copy(), expression=exp.Literal.number("0.001")),
                 exp.LT(this=size.copy(), expression=_number(10_000_000))),
    )  # fmt: skip
    infinite = exp.If(this=call("isinf", value.copy()), true=exp.Case(
        ifs=[exp.If(this=exp.GT(this=value.copy(), expression=_number(0)), true=exp.Literal.string("Infinity"))],
        default=exp.Literal.string("-Infinity")))  # fmt: skip
    return exp.Case(
        ifs=[
            exp.If(this=call("isnan", value.copy()), true=exp.Literal.string("NaN")),
            infinite,
            exp.If(this=is_plain, true=plain),
            exp.If(this=call("contains", plain.copy(), "e"), true=written),
        ],
        default=rewritten,
    )


def _with_point(mantissa: exp.Expression) -> exp.Expression:
    has_point = exp.If(this=call("contains", mantissa.copy(), "."), true=mantissa)
    return exp.Case(ifs=[has_point], default=_joined(mantissa.copy(), ".0"))


def _joined(*parts: exp.Expression | str) -> exp.Expression:
    return call("concat", *parts)


def _number(value: int) -> exp.Literal:
    return exp.Literal.number(value)


def _parameter(value: int) -> exp.DataTypeParam:
    return exp.DataTypeParam(this=_number(value))
