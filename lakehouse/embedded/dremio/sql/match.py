"""Reflection matching: may this SELECT be answered from a reflection of its one dataset, and how.

Works on one SELECT before views are expanded. A reflection stands in for the dataset only if every column and
aggregate the SELECT needs can be derived from it exactly; otherwise the reason is kept for the job's profile.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from lakehouse.embedded.dremio.sql.grammar import OWN
from lakehouse.embedded.dremio.sql.model import (
    Candidates,
    Column,
    ReflectionCandidate,
    ReflectionUse,
    Relation,
)

COUNT_STAR = "__count_star"
_DAY_OR_COARSER = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


class _NoMatchError(Exception):
    """Carries the reason."""


@dataclass(frozen=True)
class Match:
    """The chosen reflection and the SELECT over it; `select` still names the dataset's table node."""

    candidate: ReflectionCandidate
    select: exp.Select


def measure_column(column: str, computation: str) -> str:
    """The reflection's column that holds a measure: `__sum_amount`."""
    return f"__{computation.lower()}_{column.lower()}"


def reflection_columns(candidate: ReflectionCandidate, relation: Relation) -> tuple[Column, ...]:
    """Names and types of a built reflection's columns."""
    types = {column.name.lower(): column for column in relation.columns}
    if candidate.type == "RAW":
        return tuple(types[name.lower()] for name in candidate.display)
    columns = [types[name.lower()] for name, _ in candidate.dimensions]
    for name, computations in candidate.measures:
        source = types[name.lower()]
        columns += [
            Column(measure_column(name, how), _measure_type(how, source.type)) for how in computations
        ]
    return (*columns, Column(COUNT_STAR, "BIGINT"))


def build_sql(candidate: ReflectionCandidate, relation: Relation) -> str:
    """The Dremio SQL whose result is the reflection's content."""
    source = ".".join(f'"{part}"' for part in candidate.dataset)
    if candidate.type == "RAW":
        return f"SELECT {', '.join(_quoted(name) for name in candidate.display)} FROM {source}"  # noqa: S608  quoted names
    types = {column.name.lower(): column.type for column in relation.columns}
    dimensions = [
        f"DATE_TRUNC('DAY', {_quoted(name)})"
        if granularity == "DATE" and types[name.lower()] == "TIMESTAMP"
        else _quoted(name)
        for name, granularity in candidate.dimensions
    ]
    selected = [
        f"{sql} AS {_quoted(name)}" for sql, (name, _) in zip(dimensions, candidate.dimensions, strict=True)
    ]
    for name, computations in candidate.measures:
        selected += [
            f"{how}({_quoted(name)}) AS {_quoted(measure_column(name, how))}" for how in computations
        ]
    grouped = f" GROUP BY {', '.join(dimensions)}" if dimensions else ""
    return f"SELECT {', '.join([*selected, f'COUNT(*) AS {_quoted(COUNT_STAR)}'])} FROM {source}{grouped}"  # noqa: S608  quoted names


def match(
    select: exp.Select, relation: Relation, candidates: Candidates
) -> tuple[Match | None, tuple[ReflectionUse, ...]]:
    """The smallest reflection that answers the SELECT, and what was decided about each candidate."""
    matches: list[Match] = []
    uses: dict[str, ReflectionUse] = {}
    for candidate in sorted(candidates, key=lambda c: c.rows):
        rewrite = _Rewrite(select, relation, candidate)
        try:
            matches.append(Match(candidate, rewrite.run()))
            uses[candidate.reflection_id] = ReflectionUse(
                candidate.reflection_id, candidate.dataset, "MATCHED"
            )
        except _NoMatchError as reason:
            uses[candidate.reflection_id] = ReflectionUse(
                candidate.reflection_id, candidate.dataset, "CONSIDERED", str(reason)
            )
    if not matches:
        return None, tuple(uses.values())
    chosen = matches[0].candidate
    uses[chosen.reflection_id] = ReflectionUse(chosen.reflection_id, chosen.dataset, "CHOSEN")
    return matches[0], tuple(uses.values())


class _Rewrite:
    """One candidate tried on a copy of the SELECT."""

    def __init__(self, select: exp.Select, relation: Relation, candidate: ReflectionCandidate) -> None:
        self._select = select.copy()
        self._candidate = candidate
        self._types = {column.name.lower(): column.type for column in relation.columns}
        self._dimensions = {name.lower(): granularity for name, granularity in candidate.dimensions}
        self._measures = {name.lower(): computations for name, computations in candidate.measures}
        self._display = {name.lower() for name in candidate.display}

    def run(self) -> exp.Select:
        select = self._select
        if any(node is not select for node in select.find_all(exp.Query)):
            raise _NoMatchError("the SELECT holds a subquery")
        if self._candidate.type == "RAW":
            self._check_raw()
            return select
        self._check_aggregate_shape()
        for aggregate in list(select.find_all(exp.AggFunc)):
            aggregate.replace(self._derived(aggregate))
        self._check_dimensions()
        return select

    def _check_raw(self) -> None:
        used = {column.name.lower() for column in self._dataset_columns()}
        if any(
            isinstance(p.unalias() if isinstance(p, exp.Alias) else p, exp.Star) or p.is_star
            for p in self._select.expressions
        ):
            used |= set(self._types)
        missing = sorted(used - self._display)
        if missing:
            raise _NoMatchError(f"columns not displayed: {', '.join(missing)}")

    def _check_aggregate_shape(self) -> None:
        select = self._select
        for node in select.find_all(exp.Anonymous):
            if node.name.removeprefix(OWN) in _OPAQUE_AGGREGATES:
                raise _NoMatchError(f"{node.name.removeprefix(OWN)} cannot be derived")
        if any(p.is_star and not isinstance(p, exp.Count) for p in select.expressions):
            raise _NoMatchError("the SELECT asks for all columns")
        if select.find(exp.Window, exp.Filter, exp.WithinGroup, exp.Rollup, exp.Cube, exp.GroupingSets):
            raise _NoMatchError("windows, FILTER and grouping sets are not derived from reflections")
        if not (select.args.get("group") or select.args.get("distinct") or select.find(exp.AggFunc)):
            raise _NoMatchError("the SELECT does not aggregate")

    def _derived(self, aggregate: exp.Expression) -> exp.Expression:
        argument = aggregate.this
        if isinstance(aggregate, exp.Count) and (isinstance(argument, exp.Star) or argument is None):
            return _count(exp.column(COUNT_STAR))
        if not isinstance(argument, exp.Column):
            raise _NoMatchError(f"{aggregate.sql('dremio')} is not over a plain column")
        name = argument.name.lower()
        have = self._measures.get(name, ())
        match aggregate:
            case exp.Count() if "COUNT" in have:
                return _count(exp.column(measure_column(name, "COUNT")))
            case exp.Count() if name in self._dimensions:
                present = exp.not_(exp.Is(this=exp.column(name), expression=exp.null()))
                return _count(exp.Case(ifs=[exp.If(this=present, true=exp.column(COUNT_STAR))]))
            case exp.Sum() if "SUM" in have:
                return exp.Sum(this=exp.column(measure_column(name, "SUM")))
            case exp.Min() if "MIN" in have:
                return exp.Min(this=exp.column(measure_column(name, "MIN")))
            case exp.Max() if "MAX" in have:
                return exp.Max(this=exp.column(measure_column(name, "MAX")))
            case exp.Min() | exp.Max() if (
                self._dimensions.get(name) == "NORMAL" or self._types.get(name) == "DATE"
            ):
                if name in self._dimensions:
                    return aggregate
            case exp.Avg() if {"SUM", "COUNT"} <= set(have):
                total = exp.cast(exp.Sum(this=exp.column(measure_column(name, "SUM"))), "DOUBLE")
                rows = exp.Nullif(
                    this=_count(exp.column(measure_column(name, "COUNT"))), expression=exp.Literal.number(0)
                )
                return exp.paren(exp.Div(this=total, expression=rows))
        raise _NoMatchError(f"{aggregate.sql('dremio')} has no measure")

    def _check_dimensions(self) -> None:
        for column in self._dataset_columns():
            name = column.name.lower()
            if name.startswith("__") and name not in self._types:
                continue
            if name not in self._dimensions:
                raise _NoMatchError(f"{name} is no dimension")
            truncated = self._dimensions[name] == "DATE" and self._types.get(name) == "TIMESTAMP"
            if truncated and not _only_day_matters(column):
                raise _NoMatchError(f"{name} is kept by day; the SELECT needs it finer")

    def _dataset_columns(self) -> list[exp.Column]:
        """Columns of the dataset; names that GROUP BY, HAVING or ORDER BY take from the SELECT list are not."""
        aliases = {p.alias.lower() for p in self._select.expressions if isinstance(p, exp.Alias)}
        found = []
        for column in self._select.find_all(exp.Column):
            is_alias = (
                column.name.lower() in aliases and column.name.lower() not in self._types and not column.table
            )
            if not is_alias and not isinstance(column.this, exp.Star):
                found.append(column)
        return found


_OPAQUE_AGGREGATES = frozenset({
    "NDV", "APPROX_COUNT_DISTINCT", "STDDEV", "STDDEV_SAMP", "STDDEV_POP", "VARIANCE", "VAR_SAMP", "VAR_POP", "CORR",
    "COVAR_POP", "COVAR_SAMP", "MEDIAN", "FLATTEN", "LISTAGG",
})  # fmt: skip


def _only_day_matters(column: exp.Column) -> bool:
    parent = column.parent
    if isinstance(parent, exp.Cast) and parent.to.this == exp.DType.DATE:
        return True
    if isinstance(parent, exp.Extract):
        return parent.this.name.upper() in (*_DAY_OR_COARSER, "DOW", "DOY")
    if isinstance(parent, exp.Anonymous):
        name = parent.name.removeprefix(OWN)
        if name in ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR"):
            return True
        if name in ("DATE_TRUNC", "DATE_PART"):
            return parent.expressions[0].name.upper() in _DAY_OR_COARSER
        return name == "TO_DATE" and len(parent.expressions) == 1
    return False


def _count(of: exp.Expression) -> exp.Expression:
    total = exp.Coalesce(this=exp.Sum(this=of), expressions=[exp.Literal.number(0)])
    return exp.cast(total, "BIGINT")


def _measure_type(computation: str, source: str) -> str:
    if computation == "COUNT" or (computation == "SUM" and source in ("INTEGER", "BIGINT")):
        return "BIGINT"
    if computation == "SUM" and source.startswith("DECIMAL"):
        return f"DECIMAL(38,{source.rpartition(',')[2]}"
    return "DOUBLE" if computation == "SUM" else source


def _quoted(name: str) -> str:
    return f'"{name}"'
