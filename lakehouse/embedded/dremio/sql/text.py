"""Dremio's string functions in DuckDB."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from lakehouse.embedded.dremio.sql.build import BOOLEAN, INT, VARCHAR, call, is_text, literal_text
from lakehouse.embedded.dremio.sql.model import SqlError

Arguments = list[exp.Expression]


def _plain(name: str, least: int, most: int, returns: Any) -> tuple[int, int, Any, Any]:
    return least, most, lambda arguments: call(name, *arguments), returns


def _pad(name: str) -> tuple[int, int, Any, Any]:
    return 2, 3, lambda a: call(name, *a, *([" "] if len(a) == 2 else [])), VARCHAR


def _find(value: exp.Expression, sought: exp.Expression) -> exp.Expression:
    return exp.cast(call("instr", value, sought), "INT")


def _locate(arguments: Arguments) -> exp.Expression:
    sought, value, *rest = arguments
    if not rest:
        return _find(value, sought)
    start = rest[0]
    if not (isinstance(start, exp.Literal) and start.is_int and int(start.name) > 0):
        raise SqlError("LOCATE: the start position must be a positive number literal in the local engine")
    found = _find(call("substring", value, start.copy()), sought)
    missing = exp.If(this=exp.EQ(this=found, expression=exp.Literal.number(0)), true=exp.Literal.number(0))
    moved = exp.Add(this=found.copy(), expression=exp.Literal.number(int(start.name) - 1))
    return exp.cast(exp.Case(ifs=[missing], default=moved), "INT")


def substring(arguments: Arguments) -> exp.Expression:
    """SUBSTRING with Gandiva's positions: 0 counts as 1, negative from the end, beyond either end nothing."""
    value, start, *length = arguments
    if is_text(start):
        raise SqlError("SUBSTR with a pattern is not supported by the local engine; use REGEXP_EXTRACT")
    size = [call("greatest", part, 0) if _signed(part) is None else part for part in length]
    if any((_signed(part) or 0) < 0 for part in length):
        size = [exp.Literal.number(0)]
    known = _signed(start)
    if known == 0:
        start = exp.Literal.number(1)
    elif known is None:
        zero = exp.If(
            this=exp.EQ(this=start.copy(), expression=exp.Literal.number(0)), true=exp.Literal.number(1)
        )
        start = exp.Case(ifs=[zero], default=start)
    cut = call("substring", value, start, *size)
    if known is not None and known >= 0:
        return cut
    first = exp.Add(this=call("length", value.copy()), expression=exp.paren(start.copy()))
    beyond = exp.LT(this=first, expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=beyond, true=exp.Literal.string(""))], default=cut)


def _signed(node: exp.Expression) -> int | None:
    """The value of a whole number literal, None for anything else."""
    sign, bare = (-1, node.this) if isinstance(node, exp.Neg) else (1, node)
    return sign * int(bare.name) if isinstance(bare, exp.Literal) and bare.is_int else None


def _ilike(arguments: Arguments) -> exp.Expression:
    return _escaped(exp.ILike(this=arguments[0], expression=arguments[1]), arguments)


def _like(arguments: Arguments) -> exp.Expression:
    return _escaped(exp.Like(this=arguments[0], expression=arguments[1]), arguments)


def _escaped(match: exp.Expression, arguments: Arguments) -> exp.Expression:
    return exp.Escape(this=match, expression=arguments[2]) if len(arguments) == 3 else match


def _regexp_like(arguments: Arguments) -> exp.Expression:
    pattern = literal_text(arguments[1], "REGEXP_LIKE", "the pattern")
    if not (pattern.startswith(("^", ".*")) and pattern.endswith(("$", ".*", ".*?"))) or _has_alternatives(
        pattern
    ):
        raise SqlError(
            f"REGEXP_LIKE: pattern {pattern!r} is not anchored at both ends, where engines differ; "
            "begin it with ^ or .*, end it with $ or .*, and put alternatives in parentheses"
        )
    return call("regexp_matches", arguments[0], arguments[1])


def _has_alternatives(pattern: str) -> bool:
    """Whether a | stands outside parentheses and brackets."""
    depth = 0
    for character in re.sub(r"\\Q.*?(\\E|$)|\\.|\[\^?\]?[^\]]*\]", "", pattern):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            return True
    return False


def _regexp_replace(arguments: Arguments) -> exp.Expression:
    replacement = literal_text(arguments[2], "REGEXP_REPLACE", "the replacement")
    if "$" in replacement or "\\" in replacement:
        raise SqlError(
            "REGEXP_REPLACE: group references in the replacement are not supported by the local engine"
        )
    return call("regexp_replace", *arguments, "g")


def _regexp_extract(arguments: Arguments) -> exp.Expression:
    found = exp.If(
        this=call("regexp_matches", arguments[0].copy(), arguments[1].copy()),
        true=call("regexp_extract", *arguments),
    )
    return exp.Case(ifs=[found])


def _octets(arguments: Arguments) -> exp.Expression:
    return exp.cast(call("octet_length", call("encode", arguments[0])), "INT")


def _convert(name: str, function: str) -> tuple[int, int, Any, Any]:
    def build(arguments: Arguments) -> exp.Expression:
        encoding = literal_text(arguments[1], name, "the encoding")
        if encoding.upper().replace("-", "") != "UTF8":
            raise SqlError(
                f"{name}: encoding {encoding!r} is not supported by the local engine; only 'UTF8' is"
            )
        return call(function, arguments[0])

    returns = VARCHAR if name == "CONVERT_FROM" else exp.DataType.Type.VARBINARY
    return 2, 2, build, returns


RULES: dict[str, tuple[int, int, Any, Any]] = {
    "ASCII": (1, 1, lambda a: exp.cast(call("ascii", *a), "INT"), INT),
    "BTRIM": _plain("trim", 1, 2, VARCHAR),
    "CHAR_LENGTH": (1, 1, lambda a: exp.cast(call("length", *a), "INT"), INT),
    "CHARACTER_LENGTH": (1, 1, lambda a: exp.cast(call("length", *a), "INT"), INT),
    "CHR": _plain("chr", 1, 1, VARCHAR),
    "CONCAT_WS": _plain("concat_ws", 2, 255, VARCHAR),
    "CONVERT_FROM": _convert("CONVERT_FROM", "decode"),
    "CONVERT_TO": _convert("CONVERT_TO", "encode"),
    "ENDS_WITH": _plain("ends_with", 2, 2, BOOLEAN),
    "ILIKE": (2, 3, _ilike, BOOLEAN),
    "INSTR": (2, 2, lambda a: _find(*a), INT),
    "LCASE": _plain("lower", 1, 1, VARCHAR),
    "LEFT": _plain("left", 2, 2, VARCHAR),
    "LENGTH": (1, 1, lambda a: exp.cast(call("length", *a), "INT"), INT),
    "LIKE": (2, 3, _like, BOOLEAN),
    "LOCATE": (2, 3, _locate, INT),
    "LPAD": _pad("lpad"),
    "LTRIM": _plain("ltrim", 1, 2, VARCHAR),
    "OCTET_LENGTH": (1, 1, _octets, INT),
    "REGEXP_EXTRACT": (3, 3, _regexp_extract, VARCHAR),
    "REGEXP_LIKE": (2, 2, _regexp_like, BOOLEAN),
    "REGEXP_MATCHES": (2, 2, _regexp_like, BOOLEAN),
    "REGEXP_REPLACE": (3, 3, _regexp_replace, VARCHAR),
    "REPEAT": _plain("repeat", 2, 2, VARCHAR),
    "REPEATSTR": _plain("repeat", 2, 2, VARCHAR),
    "REPLACE": _plain("replace", 3, 3, VARCHAR),
    "REVERSE": _plain("reverse", 1, 1, VARCHAR),
    "RIGHT": _plain("right", 2, 2, VARCHAR),
    "RPAD": _pad("rpad"),
    "RTRIM": _plain("rtrim", 1, 2, VARCHAR),
    "SPLIT_PART": _plain("split_part", 3, 3, VARCHAR),
    "STARTS_WITH": _plain("starts_with", 2, 2, BOOLEAN),
    "STRPOS": (2, 2, lambda a: _find(*a), INT),
    "SUBSTR": (2, 3, substring, VARCHAR),
    "SUBSTRING": (2, 3, substring, VARCHAR),
    "TRANSLATE": _plain("translate", 3, 3, VARCHAR),
    "UCASE": _plain("upper", 1, 1, VARCHAR),
}
