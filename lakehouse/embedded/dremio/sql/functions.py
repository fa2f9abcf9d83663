"""What each Dremio function means in DuckDB. A function that is in no table here is refused.

`FUNCTIONS` are rewritten by us; `KEPT` are sqlglot nodes whose Dremio and DuckDB meanings agree. Meanings are
those of Dremio's SQL function reference; where a documented meaning cannot be reached, the call is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from lakehouse.embedded.dremio.sql import temporal, text
from lakehouse.embedded.dremio.sql.build import (
    BIGINT,
    DOUBLE,
    INT,
    VARCHAR,
    call,
    is_number,
    type_of_argument,
)
from lakehouse.embedded.dremio.sql.casts import as_text
from lakehouse.embedded.dremio.sql.model import SqlError

Arguments = list[exp.Expression]
Build = Callable[[Arguments], exp.Expression]
Returns = Any
"""A type, or a function from the arguments to one."""


@dataclass(frozen=True)
class Function:
    """One Dremio function: how many arguments, what it becomes, what type it gives."""

    least: int
    most: int
    build: Build
    returns: Returns


def _plain(name: str, least: int, most: int, returns: Returns) -> Function:
    return Function(least, most, lambda arguments: call(name, *arguments), returns)


def _like(arguments: Arguments) -> exp.DataType | exp.DataType.Type:
    return type_of_argument(arguments[0])


def _second(arguments: Arguments) -> exp.DataType | exp.DataType.Type:
    return type_of_argument(arguments[1])


def _if(arguments: Arguments) -> exp.Expression:
    condition, then, otherwise = arguments
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=otherwise)


def _nvl2(arguments: Arguments) -> exp.Expression:
    value, then, otherwise = arguments
    return _if([exp.not_(exp.Is(this=value, expression=exp.null())), then, otherwise])


def _decode(arguments: Arguments) -> exp.Expression:
    value, *rest = arguments
    pairs = list(zip(rest[::2], rest[1::2], strict=False))
    ifs = [exp.If(this=exp.NullSafeEQ(this=value.copy(), expression=when), true=then) for when, then in pairs]
    return exp.Case(ifs=ifs, default=rest[-1] if len(rest) % 2 else None)


def _approximate_count(arguments: Arguments) -> exp.Expression:
    # An exact count is within every error bound of the approximate one.
    return exp.Count(this=exp.Distinct(expressions=arguments))


def _listagg(arguments: Arguments) -> exp.Expression:
    value, *separator = arguments
    if isinstance(value, exp.Distinct):
        # sqlglot reads DISTINCT as belonging to all arguments of a call it does not know.
        value, *separator = value.expressions
        text: exp.Expression = exp.Distinct(expressions=[as_text(value)])
    else:
        text = as_text(value)
    return call("string_agg", text, *(separator or [exp.Literal.string("")]))


def _truncate(arguments: Arguments) -> exp.Expression:
    value, *scale = arguments
    if not scale:
        return call("trunc", value)
    if not is_number(value):
        raise SqlError("TRUNCATE: cannot tell the type of the number; cast it")
    return call("trunc", value, scale[0])


def _sqrt(arguments: Arguments) -> exp.Expression:
    value = arguments[0]
    nan = exp.cast(exp.Literal.string("NaN"), "DOUBLE")
    negative = exp.If(this=exp.LT(this=value.copy(), expression=exp.Literal.number(0)), true=nan)
    return exp.Case(ifs=[negative], default=call("sqrt", value))


def _extreme(name: str) -> Build:
    def build(arguments: Arguments) -> exp.Expression:
        # Whether a NULL among them makes the result NULL is not documented, and DuckDB leaves it out.
        empty = exp.or_(*(exp.Is(this=a.copy(), expression=exp.null()) for a in arguments))
        fails = exp.If(
            this=empty,
            true=call("error", f"{name} of a NULL is not supported by the local engine; use COALESCE"),
        )
        return exp.Case(ifs=[fails], default=call(name.lower(), *arguments))

    return build


def _mod(arguments: Arguments) -> exp.Expression:
    return exp.Mod(this=exp.paren(arguments[0]), expression=exp.paren(arguments[1]))


def _log(arguments: Arguments) -> exp.Expression:
    if len(arguments) == 1:
        return call("ln", *arguments)
    base, value = arguments
    return exp.Div(this=call("ln", value), expression=call("ln", base))


FUNCTIONS: dict[str, Function] = {
    # conditional
    "IF": Function(3, 3, _if, _second),
    "IIF": Function(3, 3, _if, _second),
    "NVL": _plain("coalesce", 2, 2, _like),
    "IFNULL": _plain("coalesce", 2, 2, _like),
    "NVL2": Function(3, 3, _nvl2, _second),
    "GREATEST": Function(2, 255, _extreme("GREATEST"), _like),
    "LEAST": Function(2, 255, _extreme("LEAST"), _like),
    "DECODE": Function(3, 255, _decode, lambda a: type_of_argument(a[2])),
    # numbers
    "MOD": Function(2, 2, _mod, _like),
    "POW": _plain("pow", 2, 2, DOUBLE),
    "POWER": _plain("pow", 2, 2, DOUBLE),
    "LOG": Function(1, 2, _log, DOUBLE),
    "LOG10": _plain("log10", 1, 1, DOUBLE),
    "LN": _plain("ln", 1, 1, DOUBLE),
    "EXP": _plain("exp", 1, 1, DOUBLE),
    "SQRT": Function(1, 1, _sqrt, DOUBLE),
    "CBRT": _plain("cbrt", 1, 1, DOUBLE),
    "SIN": _plain("sin", 1, 1, DOUBLE),
    "COS": _plain("cos", 1, 1, DOUBLE),
    "TAN": _plain("tan", 1, 1, DOUBLE),
    "ASIN": _plain("asin", 1, 1, DOUBLE),
    "ACOS": _plain("acos", 1, 1, DOUBLE),
    "ATAN": _plain("atan", 1, 1, DOUBLE),
    "ATAN2": _plain("atan2", 2, 2, DOUBLE),
    "RADIANS": _plain("radians", 1, 1, DOUBLE),
    "DEGREES": _plain("degrees", 1, 1, DOUBLE),
    "PI": _plain("pi", 0, 0, DOUBLE),
    "SIGN": Function(1, 1, lambda a: exp.cast(call("sign", *a), "INT"), INT),
    "TRUNC": Function(1, 2, _truncate, _like),
    "TRUNCATE": Function(1, 2, _truncate, _like),
    "RAND": _plain("random", 0, 0, DOUBLE),
    "RANDOM": _plain("random", 0, 0, DOUBLE),
    # aggregates
    "NDV": Function(1, 1, _approximate_count, BIGINT),
    "APPROX_COUNT_DISTINCT": Function(1, 1, _approximate_count, BIGINT),
    "LISTAGG": Function(1, 2, _listagg, VARCHAR),
    "STDDEV": _plain("stddev_samp", 1, 1, DOUBLE),
    "STDDEV_SAMP": _plain("stddev_samp", 1, 1, DOUBLE),
    "STDDEV_POP": _plain("stddev_pop", 1, 1, DOUBLE),
    "VARIANCE": _plain("var_samp", 1, 1, DOUBLE),
    "VAR_SAMP": _plain("var_samp", 1, 1, DOUBLE),
    "VAR_POP": _plain("var_pop", 1, 1, DOUBLE),
    "CORR": _plain("corr", 2, 2, DOUBLE),
    "COVAR_POP": _plain("covar_pop", 2, 2, DOUBLE),
    "COVAR_SAMP": _plain("covar_samp", 2, 2, DOUBLE),
    "MEDIAN": Function(1, 1, lambda a: exp.cast(call("median", *a), "DOUBLE"), DOUBLE),
    # digests
    "MD5": _plain("md5", 1, 1, VARCHAR),
    "SHA1": _plain("sha1", 1, 1, VARCHAR),
    "SHA256": _plain("sha256", 1, 1, VARCHAR),
    # rows of lists
    "FLATTEN": _plain("unnest", 1, 1, exp.DataType.Type.UNKNOWN),
    **{name: Function(*rule) for name, rule in text.RULES.items()},
    **{name: Function(*rule) for name, rule in temporal.RULES.items()},
}

KEPT: tuple[type[exp.Expression], ...] = (
    # logic and grammar that sqlglot models as functions
    exp.And, exp.Or, exp.Xor, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Coalesce, exp.Nullif, exp.Exists,
    exp.Extract, exp.Interval, exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.CurrentUser,
    exp.Trim, exp.StrPosition, exp.Substring, exp.Concat, exp.DPipe, exp.Upper, exp.Lower, exp.Length,
    exp.Date, exp.Array, exp.Struct,
    # numbers
    exp.Abs, exp.Ceil, exp.Floor, exp.Round,
    # aggregates and windows
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg, exp.PercentileCont, exp.PercentileDisc,
    exp.ArrayAgg, exp.AnyValue,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead,
    exp.FirstValue, exp.LastValue, exp.NthValue, exp.Grouping,
)  # fmt: skip


def check_arguments(name: str, arguments: Arguments) -> Function:
    """The rule of a call. Raises SqlError for an unknown function or a wrong number of arguments."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise SqlError(
            f"unknown function {name}: the local engine does not know it; see docs/compatibility.md"
        )
    if not function.least <= len(arguments) <= function.most:
        allowed = (
            str(function.least) if function.least == function.most else f"{function.least} to {function.most}"
        )
        raise SqlError(f"{name} takes {allowed} arguments, not {len(arguments)}")
    return function
