"""Dremio's date and time functions in DuckDB. DATE in, DATE out where Dremio says so; timestamps have no zone."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lakehouse.embedded.dremio.sql.build import (
    BIGINT,
    DATE,
    INT,
    TIME,
    TIMESTAMP,
    VARCHAR,
    call,
    is_number,
    is_text,
    kind,
    literal_text,
    need_type,
    type_of_argument,
)
from lakehouse.embedded.dremio.sql.formats import strftime_format
from lakehouse.embedded.dremio.sql.model import SqlError

Arguments = list[exp.Expression]

UNITS = {
    "YEAR": "year", "QUARTER": "quarter", "MONTH": "month", "WEEK": "week", "DAY": "day",
    "HOUR": "hour", "MINUTE": "minute", "SECOND": "second",
}  # fmt: skip
_DATE_UNITS = frozenset({"year", "quarter", "month", "week", "day"})
_PARTS = {
    **{u: u for u in UNITS},
    "DOW": "DOW",
    "DAYOFWEEK": "DOW",
    "DOY": "DOY",
    "DAYOFYEAR": "DOY",
    "EPOCH": "EPOCH",
}


def unit_name(argument: exp.Expression, function: str) -> str:
    """DAY, SQL_TSI_DAY or 'day' as DuckDB's unit. Raises SqlError for one that is not known."""
    name = (
        argument.name if isinstance(argument, exp.Literal | exp.Column | exp.Var) else argument.sql()
    ).upper()
    unit = UNITS.get(name.removeprefix("SQL_TSI_").removesuffix("S") if name != "S" else name)
    if unit is None:
        raise SqlError(f"{function}: unknown unit {name}; known are {', '.join(UNITS)}")
    return unit


def part(value: exp.Expression, name: str, function: str) -> exp.Expression:
    """EXTRACT(name FROM value) as a BIGINT; weeks are ISO weeks, Sunday is day 1 of the week."""
    known = _PARTS.get(name.upper())
    if known is None:
        raise SqlError(f"{function}: unknown part {name}; known are {', '.join(_PARTS)}")
    if is_text(value):
        value = exp.cast(value, "TIMESTAMP")
    if known == "EPOCH":
        return exp.cast(call("floor", call("epoch", value)), "BIGINT")
    if known == "DOW":
        return exp.paren(exp.Add(this=call("dayofweek", value), expression=exp.Literal.number(1)))
    return call("dayofyear" if known == "DOY" else known.lower(), value)


def add(
    value: exp.Expression, amount: exp.Expression, unit: str, function: str, sign: str = "+"
) -> exp.Expression:
    """value ± amount units; a DATE plus days, weeks, months or years stays a DATE."""
    of = DATE if is_text(value) else need_type(value, function)
    if is_text(value):
        value = exp.cast(value, "DATE")
    if of not in (DATE, TIMESTAMP, TIME) or (of == TIME and unit in _DATE_UNITS):
        raise SqlError(f"{function}: cannot add {unit}s to {value.sql('dremio')}")
    months = {"year": 12, "quarter": 3, "month": 1}.get(unit)
    if months:
        span = call("to_months", exp.cast(_times(amount, months), "INT"))
    elif unit in ("day", "week"):
        span = call("to_days", exp.cast(_times(amount, 7 if unit == "week" else 1), "INT"))
    else:
        span = call(f"to_{unit}s", amount)
    node = exp.Add if sign == "+" else exp.Sub
    moved = exp.paren(node(this=exp.paren(value), expression=span))
    return exp.cast(moved, "TIMESTAMP" if of == DATE and unit not in _DATE_UNITS else of)


def _times(amount: exp.Expression, factor: int) -> exp.Expression:
    return amount if factor == 1 else exp.Mul(this=exp.paren(amount), expression=exp.Literal.number(factor))


def _date_add(function: str, sign: str) -> Any:
    def build(arguments: Arguments) -> exp.Expression:
        value, amount = arguments
        if _is_interval(amount):
            span = amount.this if isinstance(amount, exp.Cast) else exp.cast(amount.this, "INT")
            unit = amount.to.this if isinstance(amount, exp.Cast) else amount
            moved = add(value, span, unit_name(unit.args["unit"], function), function, sign)
            return moved if kind(value) == TIME else exp.cast(moved, "TIMESTAMP")
        if not is_number(amount):
            raise SqlError(f"{function}: the second argument must be a number of days or an interval")
        return add(value, amount, "day", function, sign)

    return build


def _date_add_type(arguments: Arguments) -> exp.DataType | exp.DataType.Type:
    """As documented: DATE plus days is a DATE, DATE plus an interval a TIMESTAMP, TIME stays TIME."""
    value, amount = arguments
    if _is_interval(amount):
        return TIME if kind(value) == TIME else TIMESTAMP
    return DATE if is_text(value) else type_of_argument(value)


def _is_interval(amount: exp.Expression) -> bool:
    return isinstance(amount, exp.Interval) or (
        isinstance(amount, exp.Cast) and isinstance(amount.to.this, exp.Interval)
    )


def _timestampadd(arguments: Arguments) -> exp.Expression:
    return add(arguments[2], arguments[1], unit_name(arguments[0], "TIMESTAMPADD"), "TIMESTAMPADD")


def _timestampdiff(arguments: Arguments) -> exp.Expression:
    # Whole units that fit between the two, as Calcite defines it; DuckDB's date_sub counts just that.
    unit = unit_name(arguments[0], "TIMESTAMPDIFF")
    start, end = (exp.cast(a, "TIMESTAMP") for a in arguments[1:])
    return exp.cast(call("date_sub", unit, start, end), "INT")


def _datediff(arguments: Arguments) -> exp.Expression:
    end, start = (exp.cast(a, "DATE") for a in arguments)
    return exp.cast(exp.paren(exp.Sub(this=end, expression=start)), "INT")


def _date_diff(arguments: Arguments) -> exp.Expression:
    if not is_number(arguments[1]):
        raise SqlError(
            "DATE_DIFF of two dates gives an interval, which the local engine does not have; use DATEDIFF"
        )
    return add(arguments[0], arguments[1], "day", "DATE_DIFF", "-")


def _date_part(arguments: Arguments) -> exp.Expression:
    return part(arguments[1], literal_text(arguments[0], "DATE_PART", "the part"), "DATE_PART")


def _date_trunc(arguments: Arguments) -> exp.Expression:
    unit = unit_name(arguments[0], "DATE_TRUNC")
    is_date = need_type(arguments[1], "DATE_TRUNC") == DATE or is_text(arguments[1])
    value = exp.cast(arguments[1], "DATE") if is_text(arguments[1]) else arguments[1]
    return exp.cast(call("date_trunc", unit, value), "DATE" if is_date else "TIMESTAMP")


def _same_temporal(position: int) -> Any:
    def returns(arguments: Arguments) -> exp.DataType | exp.DataType.Type:
        value = arguments[position]
        return DATE if is_text(value) else type_of_argument(value)

    return returns


def _timestampadd_type(arguments: Arguments) -> exp.DataType | exp.DataType.Type:
    unit = unit_name(arguments[0], "TIMESTAMPADD")
    return DATE if kind(arguments[2]) == DATE and unit in _DATE_UNITS else TIMESTAMP


def _to_char(arguments: Arguments) -> exp.Expression:
    value, pattern = arguments
    if need_type(value, "TO_CHAR") not in (DATE, TIMESTAMP, TIME):
        raise SqlError("TO_CHAR of numbers is not supported by the local engine; CAST to VARCHAR instead")
    if kind(value) == TIME:
        value = exp.Add(this=exp.cast(exp.Literal.string("1970-01-01"), "DATE"), expression=value)
    return call("strftime", value, strftime_format(literal_text(pattern, "TO_CHAR", "the format"), "TO_CHAR"))


def _from_text(function: str, target: str) -> Any:
    def build(arguments: Arguments) -> exp.Expression:
        value = arguments[0]
        if is_number(value):
            if len(arguments) > 1:
                raise SqlError(f"{function} of a number of seconds takes no format")
            micros = exp.cast(
                exp.Mul(this=exp.cast(value, "DECIMAL(28, 3)"), expression=exp.Literal.number(1_000_000)),
                "BIGINT",
            )
            return exp.cast(call("make_timestamp", micros), target)
        if len(arguments) == 1:
            return exp.cast(value, target)
        pattern = strftime_format(literal_text(arguments[1], function, "the format"), function)
        name = "strptime"
        if len(arguments) == 3:  # the third argument asks for NULL instead of an error
            name = "try_strptime" if arguments[2].sql() == "1" else name
        return exp.cast(call(name, value, pattern), target)

    return build


def _unix_timestamp(arguments: Arguments) -> exp.Expression:
    if not arguments:
        return exp.cast(call("floor", call("epoch", exp.CurrentTimestamp())), "BIGINT")
    value = arguments[0]
    if len(arguments) == 2:
        pattern = strftime_format(
            literal_text(arguments[1], "UNIX_TIMESTAMP", "the format"), "UNIX_TIMESTAMP"
        )
        return exp.cast(call("epoch", call("strptime", value, pattern)), "BIGINT")
    return exp.cast(call("epoch", exp.cast(value, "TIMESTAMP")), "BIGINT")


def _part(name: str) -> tuple[int, int, Any, Any]:
    return 1, 1, lambda a: part(a[0], name, name), BIGINT


RULES: dict[str, tuple[int, int, Any, Any]] = {
    "DATE_ADD": (2, 2, _date_add("DATE_ADD", "+"), _date_add_type),
    "DATE_SUB": (2, 2, _date_add("DATE_SUB", "-"), _date_add_type),
    "DATE_DIFF": (2, 2, _date_diff, _same_temporal(0)),
    "DATEDIFF": (2, 2, _datediff, INT),
    "DATE_PART": (2, 2, _date_part, BIGINT),
    "DATE_TRUNC": (2, 2, _date_trunc, _same_temporal(1)),
    "LAST_DAY": (1, 1, lambda a: call("last_day", exp.cast(a[0], "DATE")), DATE),
    "LOCALTIMESTAMP": (0, 0, lambda _: exp.CurrentTimestamp(), TIMESTAMP),
    "NOW": (0, 0, lambda _: exp.CurrentTimestamp(), TIMESTAMP),
    "TIMESTAMPADD": (3, 3, _timestampadd, _timestampadd_type),
    "TIMESTAMPDIFF": (3, 3, _timestampdiff, INT),
    "TO_CHAR": (2, 2, _to_char, VARCHAR),
    "TO_DATE": (1, 3, _from_text("TO_DATE", "DATE"), DATE),
    "TO_TIME": (1, 3, _from_text("TO_TIME", "TIME"), TIME),
    "TO_TIMESTAMP": (1, 3, _from_text("TO_TIMESTAMP", "TIMESTAMP"), TIMESTAMP),
    "UNIX_TIMESTAMP": (0, 2, _unix_timestamp, BIGINT),
    **{name: _part(name) for name in ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")},
    "DAYOFMONTH": (1, 1, lambda a: part(a[0], "DAY", "DAYOFMONTH"), BIGINT),
    "DAYOFWEEK": (1, 1, lambda a: part(a[0], "DOW", "DAYOFWEEK"), BIGINT),
    "DAYOFYEAR": (1, 1, lambda a: part(a[0], "DOY", "DAYOFYEAR"), BIGINT),
}
