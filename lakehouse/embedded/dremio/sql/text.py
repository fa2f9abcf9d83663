"""Dremio's string functions in DuckDB."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lakehouse.embedded.dremio.sql.build import BOOLEAN, INT, VARCHAR, call, literal_text
from lakehouse.embedded.dremio.sql.model import SqlError

Arguments = list[exp.Expression]


def _plain(name: str, least: int, most: int, returns: Any) -> tuple[int, int, Any, Any]:
    return least, most, lambda arguments: call(name, *arguments), returns


def _pad(name: str) -> tuple[int, int, Any, Any]:
    return 2, 3, lambda a: call(name, *a, *([" "] if len(a) == 2 else [])), VARCHAR


def _find(value: exp.Expression, sought: exp.Expression) -> exp.Expression:
    return exp.cast(call("instr", value, sought), "INT")


def _locate(arguments: Arguments) -> exp.Expression:
    if len(arguments) == 3:
        raise SqlError("LOCATE with a start position is not supported by the local engine")
    return _find(arguments[1], arguments[0])


def _ilike(arguments: Arguments) -> exp.Expression:
    return exp.ILike(this=arguments[0], expression=arguments[1])


def _like(arguments: Arguments) -> exp.Expression:
    return exp.Like(this=arguments[0], expression=arguments[1])


def _regexp_like(arguments: Arguments) -> exp.Expression:
    pattern = literal_text(arguments[1], "REGEXP_LIKE", "the pattern")
    if not (pattern.startswith(("^", ".*")) and pattern.endswith(("$", ".*"))):
        raise SqlError(
            f"REGEXP_LIKE: pattern {pattern!r} is not anchored at both ends, where engines differ; "
            "begin it with ^ or .* and end it with $ or .*"
        )
    return call("regexp_matches", arguments[0], arguments[1])


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
    "CONVERT_FROM": _convert("CONVERT_FROM", "decode"),
    "CONVERT_TO": _convert("CONVERT_TO", "encode"),
    "ENDS_WITH": _plain("ends_with", 2, 2, BOOLEAN),
    "ILIKE": (2, 2, _ilike, BOOLEAN),
    "INSTR": (2, 2, lambda a: _find(*a), INT),
    "LEFT": _plain("left", 2, 2, VARCHAR),
    "LENGTH": (1, 1, lambda a: exp.cast(call("length", *a), "INT"), INT),
    "LIKE": (2, 2, _like, BOOLEAN),
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
    "SUBSTR": _plain("substring", 2, 3, VARCHAR),
    "SUBSTRING": _plain("substring", 2, 3, VARCHAR),
    "TRANSLATE": _plain("translate", 3, 3, VARCHAR),
}
