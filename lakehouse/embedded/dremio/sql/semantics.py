"""Dremio's meaning on a typed tree, before DuckDB reads it: functions, division, casts, clocks."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.schema import Schema

from lakehouse.embedded.dremio.sql.build import DATE, TIMESTAMP, VARCHAR, call, is_integer, is_text, kind
from lakehouse.embedded.dremio.sql.functions import KEPT, check_arguments
from lakehouse.embedded.dremio.sql.grammar import OWN
from lakehouse.embedded.dremio.sql.model import SqlError
from lakehouse.embedded.dremio.sql.temporal import part, unit_name

_CAST_TARGETS = frozenset({
    exp.DType.INT, exp.DType.BIGINT, exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.BOOLEAN,
    exp.DType.DATE, exp.DType.TIME, exp.DType.TIMESTAMP, exp.DType.VARCHAR, exp.DType.CHAR, exp.DType.TEXT,
    exp.DType.VARBINARY, exp.DType.BINARY,
})  # fmt: skip
_REFUSED_NODES = (
    exp.Parameter,
    exp.Placeholder,
    exp.TableSample,
    exp.Into,
    exp.Lock,
    exp.SessionParameter,
    exp.Hint,
)


def check_functions(tree: exp.Expression) -> None:
    """Refuse what the local engine does not know, before anything is resolved. Raises SqlError by name."""
    for node in tree.walk():
        if isinstance(node, _REFUSED_NODES):
            raise SqlError(f"{node.sql('dremio')}: not supported by the local engine")
        if isinstance(node, exp.Anonymous):
            if not node.name.startswith(OWN):
                if _is_table_function(node):
                    continue
                raise SqlError(f"unknown function {node.name.upper()}: the local engine does not know it")
            check_arguments(node.name.removeprefix(OWN), node.expressions)
        elif isinstance(node, exp.Func) and not isinstance(node, KEPT) and not _is_grammar(node):
            raise SqlError(f"function {node.sql_name()} is not supported by the local engine")


def _is_grammar(node: exp.Expression) -> bool:
    return isinstance(node, exp.Connector | exp.Predicate | exp.Unnest | exp.Subquery | exp.Query)


def _is_table_function(node: exp.Expression) -> bool:
    """Judged where tables are resolved."""
    return any(
        isinstance(ancestor, exp.Table) for ancestor in (node.parent, node.parent and node.parent.parent)
    )


def annotate(tree: exp.Expression, schema: Schema) -> exp.Expression:
    """Types on every node, our own functions included."""
    metadata: Any = {
        **Dialect.get_or_raise("dremio").EXPRESSION_METADATA,
        exp.Anonymous: {"annotator": _annotate_own},
    }
    return annotate_types(tree, schema=schema, expression_metadata=metadata, dialect="dremio")


def _annotate_own(annotator: Any, node: Any) -> Any:
    if node.name.startswith(OWN):
        returns = check_arguments(node.name.removeprefix(OWN), node.expressions).returns
        annotator._set_type(node, returns(node.expressions) if callable(returns) else returns)
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
    for cast in list(tree.find_all(exp.Cast)):
        if isinstance(cast.to.this, exp.Interval):
            cast.replace(call(f"to_{unit_name(cast.to.this.args['unit'], 'CAST')}s", cast.this))
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
    """Dremio fails on a division by zero of exact numbers, where DuckDB gives NULL."""
    bare = divisor.unnest()
    if isinstance(bare, exp.Nullif) or (isinstance(bare, exp.Literal) and float(bare.this) != 0):
        return divisor
    if kind(divisor) in (exp.DType.DOUBLE, exp.DType.FLOAT):
        return divisor
    fails = exp.If(
        this=exp.EQ(this=divisor.copy(), expression=exp.Literal.number(0)),
        true=call("error", "division by zero"),
    )
    return exp.paren(exp.Case(ifs=[fails], default=divisor.copy()))


def _sum(node: Any) -> exp.Expression:
    """SUM of integers is a BIGINT, where DuckDB gives a HUGEINT; the cast goes round FILTER and OVER."""
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


def _cast(node: Any) -> exp.Expression:
    target = node.to
    if isinstance(target.this, exp.Interval):
        return node  # read by DATE_ADD and DATE_SUB, or turned into an interval at the end
    if target.this not in _CAST_TARGETS:
        raise SqlError(f"CAST to {target.sql('dremio')} is not supported by the local engine")
    value = node.this
    if target.this in exp.DataType.TEXT_TYPES:
        if kind(value) == TIMESTAMP:
            value = call("strftime", value, "%Y-%m-%d %H:%M:%S.%g")
        length = target.expressions[0].name if target.expressions else None
        text = exp.cast(value, VARCHAR)
        return call("left", text, int(length)) if length else text
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


def _within_group(node: Any) -> exp.Expression:
    """LISTAGG(..) WITHIN GROUP (ORDER BY ..): DuckDB orders inside the call."""
    if isinstance(node.this, exp.Anonymous) and node.this.name == "string_agg":
        value, separator = node.this.expressions
        return call("string_agg", value, exp.Order(this=separator, expressions=node.expression.expressions))
    return node


def _rounding(node: Any) -> exp.Expression:
    if node.args.get("to") or node.args.get("unit"):
        raise SqlError(
            f"{node.sql('dremio')}: rounding of dates is not supported by the local engine; use DATE_TRUNC"
        )
    return node


def _concat(node: Any) -> exp.Expression:
    return call("concat", *node.expressions)  # NULL counts as empty text in both


def _user(_: Any) -> exp.Expression:
    raise SqlError("CURRENT_USER is not supported by the local engine")


def _length(node: Any) -> exp.Expression:
    return exp.cast(call("length", node.this if is_text(node.this) else exp.cast(node.this, VARCHAR)), "INT")


_RULES: dict[type[exp.Expression], Any] = {
    exp.Anonymous: _function,
    exp.Div: _divide,
    exp.Mod: _modulo,
    exp.Sum: _sum,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.CurrentTimestamp: _now,
    exp.CurrentDate: _today,
    exp.CurrentTime: _time_of_day,
    exp.CurrentUser: _user,
    exp.Extract: _extract,
    exp.Add: _plus_minus,
    exp.Sub: _plus_minus,
    exp.WithinGroup: _within_group,
    exp.Ceil: _rounding,
    exp.Floor: _rounding,
    exp.Concat: _concat,
    exp.Length: _length,
}
