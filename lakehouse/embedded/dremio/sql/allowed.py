"""The gate: every node of a query must be one that is known to mean the same in Dremio and DuckDB, or that is translated.

This list is the security boundary too: what DuckDB can do beyond Dremio (files, settings, regular expressions over
column names, ...) has no node here.
"""

from __future__ import annotations

from sqlglot import exp

from lakehouse.embedded.dremio.sql.functions import FUNCTIONS, KEPT, check_arguments
from lakehouse.embedded.dremio.sql.grammar import OWN
from lakehouse.embedded.dremio.sql.model import SqlError

_GRAMMAR = frozenset({
    # queries and their clauses
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order, exp.Ordered,
    exp.Limit, exp.Offset, exp.Fetch, exp.LimitOptions, exp.Distinct, exp.With, exp.CTE, exp.Subquery,
    exp.Union, exp.Intersect, exp.Except, exp.Values, exp.Tuple, exp.Rollup, exp.Cube, exp.GroupingSets,
    exp.Table, exp.TableAlias, exp.Version, exp.Lateral, exp.Unnest, exp.Star,
    # names and literals
    exp.Identifier, exp.Column, exp.Dot, exp.Bracket, exp.Alias, exp.Var, exp.Literal, exp.Boolean, exp.Null,
    exp.DataType, exp.DataTypeParam, exp.Interval, exp.IntervalSpan, exp.Paren,
    # operators
    exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between,
    exp.In, exp.Is, exp.Like, exp.ILike, exp.Escape, exp.Any, exp.All, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod,
    exp.Neg, exp.DPipe,
    # aggregates and windows
    exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls,
})  # fmt: skip

_ARGUMENTS: dict[type[exp.Expression], frozenset[str]] = {
    exp.Select: frozenset({
        "with_", "expressions", "distinct", "from_", "joins", "laterals", "where", "group", "having", "qualify",
        "windows", "order", "limit", "offset",
    }),
    exp.Table: frozenset({"this", "db", "catalog", "alias", "joins", "version"}),
    exp.Subquery: frozenset({"this", "alias", "joins", "with_"}),
    exp.Join: frozenset({"this", "on", "using", "side", "kind", "method"}),
    exp.Star: frozenset(),
    exp.Distinct: frozenset({"expressions"}),
    exp.Group: frozenset({"expressions", "rollup", "cube", "grouping_sets"}),
    exp.Fetch: frozenset({"direction", "count"}),
    exp.Count: frozenset({"this", "big_int"}),
    exp.Round: frozenset({"this", "decimals"}),
}  # fmt: skip
_NAMES = {
    exp.Pivot: "PIVOT and UNPIVOT", exp.Star: "* EXCEPT, REPLACE or RENAME", exp.Distinct: "DISTINCT ON",
    exp.TableSample: "TABLESAMPLE", exp.Count: "COUNT of several columns", exp.BitwiseXor: "the operator ^",
}  # fmt: skip
_CLAUSES = {
    "all": "GROUP BY ALL",
    "pivots": "PIVOT and UNPIVOT",
    "sample": "TABLESAMPLE",
    "hint": "a hint",
    "into": "INTO",
}
_JOIN_KINDS = frozenset({"", "INNER", "OUTER", "CROSS"})
_JOIN_METHODS = frozenset({"", "NATURAL"})


def check_allowed(tree: exp.Expression) -> None:
    """Refuse what the local engine does not know, before anything is resolved. Raises SqlError by name."""
    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            _check_call(node)
        elif type(node) not in _GRAMMAR and not isinstance(node, KEPT):
            raise SqlError(_refusal(node))
        _check_arguments(node)


def _check_call(node: exp.Anonymous) -> None:
    if node.name.startswith(OWN):
        check_arguments(node.name.removeprefix(OWN), node.expressions)
    elif not _is_table_function(node):
        raise SqlError(f"unknown function {node.name.upper()}: the local engine does not know it")


def _check_arguments(node: exp.Expression) -> None:
    allowed = _ARGUMENTS.get(type(node))
    if allowed is not None:
        extra = next((name for name, value in node.args.items() if value and name not in allowed), None)
        if extra is not None:
            what = _NAMES.get(type(node)) or _CLAUSES.get(extra) or f"{type(node).__name__.upper()} {extra}"
            raise SqlError(f"{what}: not supported by the local engine")
    if isinstance(node, exp.Join) and (
        node.kind.upper() not in _JOIN_KINDS or node.method.upper() not in _JOIN_METHODS
    ):
        raise SqlError(f"{node.method or node.kind} JOIN: not supported by the local engine")


def _refusal(node: exp.Expression) -> str:
    if type(node) in _NAMES:
        return f"{_NAMES[type(node)]}: not supported by the local engine"
    if isinstance(node, exp.Func):
        name = node.sql_name()
        known = f"; write it as {name}(..)" if name in FUNCTIONS else ""
        return f"function {name} is not supported by the local engine{known}"
    return f"{' '.join(node.sql('dremio').split())[:80]}: not supported by the local engine"


def _is_table_function(node: exp.Expression) -> bool:
    """Judged where tables are resolved."""
    outer = node.parent
    return isinstance(outer, exp.Table) or (
        isinstance(outer, exp.Anonymous)
        and outer.name.upper() == "TABLE"
        and isinstance(outer.parent, exp.Table)
    )
