"""Dremio's meaning on a typed tree, before DuckDB reads it: functions, division, casts, clocks."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.schema import Schema

from lakehouse.embedded.dremio.sql.build import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    TIMESTAMP,
    VARCHAR,
    call,
    is_integer,
    is_text,
    kind,
)
from lakehouse.embedded.dremio.sql.casts import as_text, cast
from lakehouse.embedded.dremio.sql.functions import check_arguments
from lakehouse.embedded.dremio.sql.grammar import OWN
from lakehouse.embedded.dremio.sql.model import SqlError
from lakehouse.embedded.dremio.sql.temporal import part, unit_name
from lakehouse.embedded.dremio.sql.text import substring

_LARGEST_INT = 2**31 - 1


def annotate(tree: exp.Expression, schema: Schema) -> exp.Expression:
    """Types on every node, our own functions included."""
    metadata: Any = {
        **Dialect.get_or_raise("dremio").EXPRESSION_METADATA,
        exp.Anonymous: {"annotator": _annotate_own},
        exp.Literal: {"annotator": _annotate_literal},
        exp.Div: {"annotator": _annotate_division},
        exp.Round: {"annotator": _annotate_like_argument},
    }
    return annotate_types(tree, schema=schema, expression_metadata=metadata, dialect="dremio")


def _annotate_own(annotator: Any, node: Any) -> Any:
    if node.name.startswith(OWN):
        returns = check_arguments(node.name.removeprefix(OWN), node.expressions).returns
        annotator._set_type(node, returns(node.expressions) if callable(returns) else returns)
    return node


def _annotate_literal(annotator: Any, node: Any) -> Any:
    """1.5 is a DECIMAL, 1.5E0 a DOUBLE; whole numbers beyond INT are BIGINT."""
    if node.is_string:
        annotator._set_type(node, VARCHAR)
    elif node.is_int:
        annotator._set_type(node, INT if int(node.name) <= _LARGEST_INT else BIGINT)
    else:
        annotator._set_type(node, DOUBLE if "e" in node.name.lower() else exp.DType.DECIMAL)
    return node


def _annotate_division(annotator: Any, node: Any) -> Any:
    """Whole by whole is whole; everything else is divided as DOUBLE."""
    whole = is_integer(node.left) and is_integer(node.right)
    either_big = BIGINT in (kind(node.left), kind(node.right))
    annotator._set_type(node, (BIGINT if either_big else INT) if whole else DOUBLE)
    return node


def _annotate_like_argument(annotator: Any, node: Any) -> Any:
    annotator._set_type(node, node.this.type)
    return node


def apply_semantics(tree: exp.Expression) -> exp.Expression:
    """Rewrite, innermost first, every node whose Dremio meaning DuckDB does not share."""
    for node in reversed(list(tree.walk(bfs=True))):
        rule = _RULES.get(type(node))
        if rule is None or node is tree:
            continue
        replacement = rule(node)
        if replacement is not node:
            if replacement.type is None:
                replacement.type = node.type
            node.replace(replacement)
    for span in list(tree.find_all(exp.Cast)):
        if isinstance(span.to.this, exp.Interval):
            span.replace(call(f"to_{unit_name(span.to.this.args['unit'], 'CAST')}s", span.this))
    return tree


def _function(node: exp.Expression) -> exp.Expression:
    if not node.name.startswith(OWN):
        return node
    built = check_arguments(node.name.removeprefix(OWN), node.expressions).build(node.expressions)
    built.type = node.type
    return _finish(built)


def _finish(built: exp.Expression) -> exp.Expression:
    """A builder may give nodes that have rules of their own (a clock, a division)."""
    rule = _RULES.get(type(built)) if not isinstance(built, exp.Anonymous) else None
    if rule is not None:
        built = rule(built)
    for inner in list(built.find_all(exp.CurrentTimestamp)):
        if inner is not built:
            inner.replace(_now(inner))
    return built


def _divide(node: Any) -> exp.Expression:
    left, right = node.this, node.expression
    # integer_division is on in the executor's DuckDB, so that `/` of integers truncates as in Dremio
    return exp.Div(this=left, expression=_nonzero(right), typed=False, safe=False)


def _modulo(node: Any) -> exp.Expression:
    return exp.Mod(this=node.this, expression=_nonzero(node.expression))


def _nonzero(divisor: exp.Expression) -> exp.Expression:
    """A division by zero fails in Dremio (IEEE 754 semantics are a support key); DuckDB gives NULL or infinity."""
    bare = divisor.unnest()
    if isinstance(bare, exp.Nullif) and bare.expression == exp.Literal.number(0):
        return divisor
    if isinstance(bare, exp.Literal) and not bare.is_string and float(bare.this) != 0:
        return divisor
    fails = exp.If(
        this=exp.EQ(this=divisor.copy(), expression=exp.Literal.number(0)),
        true=call("error", "division by zero"),
    )
    return exp.paren(exp.Case(ifs=[fails], default=divisor.copy()))


def _sum(node: Any) -> exp.Expression:
    """SUM of integers is a BIGINT, where DuckDB gives a HUGEINT; the cast goes round FILTER and OVER."""
    if kind(node.this) == BOOLEAN:
        raise SqlError(f"{node.sql('dremio')}: SUM of a BOOLEAN; write SUM(CASE WHEN .. THEN 1 ELSE 0 END)")
    if not is_integer(node.this) and not (
        isinstance(node.this, exp.Distinct) and is_integer(node.this.expressions[0])
    ):
        return node
    outer = node
    while isinstance(outer.parent, exp.Window | exp.Filter) and outer.arg_key == "this":
        outer = outer.parent
    if outer is node:
        return exp.cast(node.copy(), "BIGINT")
    if not isinstance(outer.parent, exp.Cast):
        outer.replace(exp.cast(outer.copy(), "BIGINT"))
    return node


def _now(_: Any) -> exp.Expression:
    utc = exp.cast(exp.AtTimeZone(this=call("now"), zone=exp.Literal.string("UTC")), "TIMESTAMP")
    return exp.cast(call("date_trunc", "millisecond", utc), "TIMESTAMP")


def _today(_: Any) -> exp.Expression:
    return exp.cast(exp.AtTimeZone(this=call("now"), zone=exp.Literal.string("UTC")), "DATE")


def _time_of_day(_: Any) -> exp.Expression:
    return exp.cast(_now(None), "TIME")


def _extract(node: Any) -> exp.Expression:
    return exp.cast(part(node.expression, node.this.name, "EXTRACT"), "BIGINT")


def _plus_minus(node: Any) -> exp.Expression:
    left, right = node.this, node.expression
    temporal = (DATE, TIMESTAMP)
    if isinstance(node, exp.Sub) and kind(left) in temporal and kind(right) in temporal:
        raise SqlError(
            f"{node.sql('dremio')}: the difference of two dates is an interval, which the local engine "
            "does not have; use DATEDIFF or TIMESTAMPDIFF"
        )
    interval = next((side for side in (left, right) if isinstance(side, exp.Interval)), None)
    if (
        interval is not None
        and DATE in (kind(left), kind(right))
        and unit_name(interval.args["unit"], "INTERVAL") in ("day", "month", "year")
    ):
        moved = exp.cast(exp.paren(node.copy()), "DATE")
        moved.type = exp.DataType.build("DATE")
        return moved
    return node


def _interval(node: Any) -> exp.Expression:
    unit = node.args.get("unit")
    if unit is None or isinstance(unit, exp.IntervalSpan):
        raise SqlError(
            f"{node.sql('dremio')}: the local engine takes intervals of one unit, as INTERVAL '3' DAY"
        )
    return node


def _within_group(node: Any) -> exp.Expression:
    """LISTAGG(..) WITHIN GROUP (ORDER BY ..): DuckDB orders inside the call."""
    if isinstance(node.this, exp.Anonymous) and node.this.name == "string_agg":
        value, separator = node.this.expressions
        order = node.expression.expressions
        if isinstance(value, exp.Distinct):
            _check_distinct_order(value.expressions[0], order)
        return call("string_agg", value, exp.Order(this=separator, expressions=order))
    return node


def _check_distinct_order(value: exp.Expression, order: list[exp.Expression]) -> None:
    """DuckDB orders distinct values by themselves only."""
    if any(ordered.this != value for ordered in order):
        raise SqlError(
            f"LISTAGG(DISTINCT ..) can be ordered by {value.sql('dremio')} only in the local engine"
        )


def _rounding(node: Any) -> exp.Expression:
    if node.args.get("to") or node.args.get("unit"):
        raise SqlError(
            f"{node.sql('dremio')}: rounding of dates is not supported by the local engine; use DATE_TRUNC"
        )
    if is_integer(node.this):
        return node.this  # DuckDB would make it a DOUBLE
    return node


def _round(node: Any) -> exp.Expression:
    if kind(node.this) == exp.DType.FLOAT:
        return exp.cast(node.copy(), "FLOAT")
    return node


def _concat(node: Any) -> exp.Expression:
    return call("concat", *(as_text(part) for part in node.expressions))  # NULL counts as empty text in both


def _join_text(node: Any) -> exp.Expression:
    return exp.DPipe(this=as_text(node.this), expression=as_text(node.expression))


def _user(_: Any) -> exp.Expression:
    raise SqlError("CURRENT_USER is not supported by the local engine")


def _substring(node: Any) -> exp.Expression:
    length = node.args.get("length")
    return substring([node.this, node.args["start"], *([length] if length is not None else [])])


def _length(node: Any) -> exp.Expression:
    return exp.cast(call("length", node.this if is_text(node.this) else exp.cast(node.this, VARCHAR)), "INT")


_RULES: dict[type[exp.Expression], Any] = {
    exp.Anonymous: _function,
    exp.Div: _divide,
    exp.Mod: _modulo,
    exp.Sum: _sum,
    exp.Cast: cast,
    exp.TryCast: cast,
    exp.CurrentTimestamp: _now,
    exp.CurrentDate: _today,
    exp.CurrentTime: _time_of_day,
    exp.CurrentUser: _user,
    exp.Extract: _extract,
    exp.Add: _plus_minus,
    exp.Sub: _plus_minus,
    exp.Interval: _interval,
    exp.WithinGroup: _within_group,
    exp.Ceil: _rounding,
    exp.Floor: _rounding,
    exp.Round: _round,
    exp.Concat: _concat,
    exp.DPipe: _join_text,
    exp.Substring: _substring,
    exp.Length: _length,
}
