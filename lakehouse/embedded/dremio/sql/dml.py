"""DELETE, UPDATE and MERGE as SELECTs of the rows a copy-on-write keeps or makes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from lakehouse.embedded.dremio.sql.model import Column, Delete, Merge, Path, Plan, Resolver, SqlError, Update
from lakehouse.embedded.dremio.sql.plan import TARGET, plan

_MATCHED = "__matched"


@dataclass(frozen=True)
class MergePlan:
    """`content` gives all rows of the target after the merge; `ambiguous` gives one boolean: whether a target
    row is matched by several source rows, in which case the statement must fail."""

    content: Plan
    ambiguous: Plan
    affected: Plan
    """Gives one number: rows updated, deleted and inserted."""


def delete_plan(statement: Delete, resolver: Resolver) -> Plan:
    """The rows that remain; a predicate that is NULL keeps its row. The target's placeholder is `target`."""
    keep = exp.not_(_certain(_condition(statement.where)))
    return plan(exp.select("*").from_(_target(statement.path, statement.alias)).where(keep), resolver)


def update_plan(statement: Update, resolver: Resolver) -> Plan:
    """All rows of the target with their new values, columns in the table's order."""
    new = _by_column(statement.assignments, statement.path, resolver)
    condition = _condition(statement.where)
    projections = []
    for column in resolver.resolve(statement.path).columns:
        value: exp.Expression = exp.column(column.name, quoted=True)
        if column.name.lower() in new:
            then = exp.If(this=condition.copy(), true=new[column.name.lower()].copy())
            value = exp.Case(ifs=[then], default=value)
        projections.append(exp.alias_(value, column.name, quoted=True))
    return plan(exp.select(*projections).from_(_target(statement.path, statement.alias)), resolver)


def merge_plan(statement: Merge, resolver: Resolver) -> MergePlan:
    """WHEN MATCHED UPDATE | DELETE and WHEN NOT MATCHED INSERT, each with an optional AND condition.

    Raises:
        SqlError: WHEN NOT MATCHED BY SOURCE, or an assignment to a column the target does not have.
    """
    tree: Any = statement.tree
    columns = [column.name for column in resolver.resolve(statement.path).columns]
    alias = tree.this.alias or statement.path[-1]
    source = _source(tree.args["using"])
    whens = tree.args["whens"].expressions
    if any(when.args.get("source") for when in whens):
        raise SqlError("MERGE: WHEN NOT MATCHED BY SOURCE is not supported by the local engine")
    matched = [when for when in whens if when.args.get("matched")]
    unmatched = [when for when in whens if not when.args.get("matched")]
    if len(unmatched) > 1:
        raise SqlError("MERGE: several WHEN NOT MATCHED clauses are not supported by the local engine")
    on = tree.args["on"]
    inserts = [_inserted(statement.path, alias, source, on, when, columns) for when in unmatched]
    content: exp.Expression = _kept(statement.path, alias, source, on, matched, columns)
    for insert in inserts:
        content = exp.Union(this=content, expression=insert, distinct=False)
    pairs = _count_rows(statement.path, alias).join(source.copy(), on=on.copy())
    counts = [exp.Subquery(this=_changed_pairs(pairs, matched))] if matched else []
    counts += [exp.Subquery(this=_count_of(insert)) for insert in inserts]
    total = counts[0]
    for count in counts[1:]:
        total = exp.Add(this=total, expression=count)
    return MergePlan(
        plan(content, resolver),
        plan(
            exp.select(exp.alias_(_ambiguous(statement.path, alias, source, on, matched), "ambiguous")),
            resolver,
        ),
        plan(exp.select(exp.alias_(total, "affected")), resolver),
    )


def _count_rows(path: Path, alias: str) -> exp.Select:
    return exp.select(exp.Count(this=exp.Star())).from_(_target(path, alias))


def _ambiguous(
    path: Path, alias: str, source: exp.Expression, on: exp.Expression, matched: list[Any]
) -> exp.Expression:
    """Whether more pairs match than rows of the target do. Rows that are only looked at may match many times."""
    if not matched:
        return exp.false()
    pairs = _count_rows(path, alias).join(source.copy(), on=on.copy())
    rows = _count_rows(path, alias).where(_exists(source, on))
    return exp.GT(this=exp.Subquery(this=pairs), expression=exp.Subquery(this=rows))


def _changed_pairs(pairs: exp.Select, matched: list[Any]) -> exp.Select:
    conditions = [when.args.get("condition") for when in matched]
    if not all(conditions):
        return pairs
    return pairs.where(exp.or_(*(exp.paren(condition.copy()) for condition in conditions)))


def count_plan(path: Path, alias: str | None, where: exp.Expression | None, resolver: Resolver) -> Plan:
    """Gives one number: the target's rows that a predicate is true for."""
    counted = exp.select(exp.Count(this=exp.Star())).from_(_target(path, alias)).where(_condition(where))
    return plan(counted, resolver)


def simple_filter(
    where: exp.Expression | None, columns: tuple[Column, ...]
) -> list[tuple[str, str, Any]] | None:
    """The predicate as conjuncts (column, op, value), op one of = < <= > >= in; None when it is anything else.

    Only what a file's statistics decide just as DuckDB would is simple: the literal has the column's own type.
    Dates and timestamps are ISO text; the value of `in` is a list.
    """
    if where is None:
        return []
    types = {column.name.lower(): column.type for column in columns}
    conjuncts: list[tuple[str, str, Any]] = []
    bare = where.unnest()
    for conjunct in bare.flatten() if isinstance(bare, exp.And) else [bare]:
        part = conjunct.unnest()
        if isinstance(part, exp.In):
            listed = _listed(part, types)
            if listed is None:
                return None
            conjuncts.append((part.this.unnest().name, "in", listed))
            continue
        if isinstance(part, exp.Between) and not part.args.get("symmetric"):
            sides = [(part.this, ">=", part.args["low"]), (part.this, "<=", part.args["high"])]
        elif type(part) in _SYMBOLS:
            sides = [(part.this, _SYMBOLS[type(part)], part.expression)]
        else:
            return None
        for left, symbol, right in sides:
            column, value = left.unnest(), right.unnest()
            if not isinstance(column, exp.Column):
                column, value, symbol = value, column, _MIRRORED[symbol]  # noqa: PLW2901
            literal = (
                _literal(value, types.get(column.name.lower())) if isinstance(column, exp.Column) else None
            )
            if literal is None:
                return None
            conjuncts.append((column.name, symbol, literal))
    return conjuncts


def _listed(part: exp.In, types: dict[str, str]) -> list[Any] | None:
    """The literals of `column IN (..)`; None for a subquery, or when one is not of the column's type."""
    column = part.this.unnest()
    if not isinstance(column, exp.Column) or not part.expressions:
        return None
    values = [_literal(value.unnest(), types.get(column.name.lower())) for value in part.expressions]
    return None if None in values else values


_SYMBOLS = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d([.]\d{1,6})?")


def _literal(node: exp.Expression, column_type: str | None) -> Any:
    """The literal's value if it is one of the column's type, None for anything else."""
    cast_to = None
    if isinstance(node, exp.Cast):
        cast_to, node = node.to.this, node.this
    if not isinstance(node, exp.Literal):
        return None
    text = node.name if node.is_string else None
    match column_type:
        case "INTEGER" | "BIGINT":
            return int(node.name) if node.is_int and cast_to is None else None
        case "CHARACTER VARYING":
            return text if cast_to is None else None
        case "DATE":
            return text if cast_to in (None, exp.DType.DATE) and text and _ISO_DATE.fullmatch(text) else None
        case "TIMESTAMP":
            is_timestamp = cast_to in (None, exp.DType.TIMESTAMP) and text and _ISO_TIMESTAMP.fullmatch(text)
            return text if is_timestamp else None
    return None


def _kept(  # noqa: PLR0917
    path: Path, alias: str, source: exp.Expression, on: exp.Expression, whens: list[Any], columns: list[str]
) -> exp.Select:
    if not whens:  # nothing of the target changes, however many source rows match
        return exp.select(*(exp.column(name, table=alias, quoted=True) for name in columns)).from_(
            _target(path, alias)
        )
    marked = exp.select(exp.Star(), exp.alias_(exp.true(), _MATCHED)).from_(_without_alias(source))
    joined = exp.Subquery(this=marked, alias=exp.TableAlias(this=exp.to_identifier(source.alias_or_name)))
    matched = exp.column(_MATCHED, table=source.alias_or_name)
    ifs: dict[str, list[exp.If]] = {name: [] for name in columns}
    earlier: list[exp.Expression] = []
    deleted: list[exp.Expression] = []
    for when in whens:
        applies = exp.and_(
            matched.copy(), *([when.args["condition"].copy()] if when.args.get("condition") else [])
        )
        first = exp.and_(applies, *(exp.not_(_certain(e)) for e in earlier))
        earlier.append(applies)
        then = when.args["then"]
        if isinstance(then, exp.Update):
            for name, value in _assigned(then, source.alias_or_name, columns).items():
                ifs[name].append(exp.If(this=first.copy(), true=value))
        else:
            deleted.append(first)
    projections = []
    for name in columns:
        kept: exp.Expression = exp.column(name, table=alias, quoted=True)
        if ifs[name]:
            kept = exp.Case(ifs=ifs[name], default=kept)
        projections.append(exp.alias_(kept, name, quoted=True))
    select = exp.select(*projections).from_(_target(path, alias)).join(joined, on=on.copy(), join_type="left")
    for condition in deleted:
        select = select.where(exp.not_(_certain(condition)))
    return select


def _certain(condition: exp.Expression) -> exp.Expression:
    """The condition with NULL read as false, as WHEN and WHERE read it."""
    return exp.Coalesce(this=exp.paren(condition.copy()), expressions=[exp.false()])


def _inserted(  # noqa: PLR0917
    path: Path, alias: str, source: exp.Expression, on: exp.Expression, when: Any, columns: list[str]
) -> exp.Select:
    then = when.args["then"]
    names = [n.name for n in then.this.expressions] if isinstance(then.this, exp.Tuple) else columns
    if isinstance(then.this, exp.Star) or then.expression is None:
        values: list[exp.Expression] = [exp.column(name, table=source.alias_or_name) for name in columns]
    else:
        values = list(then.expression.expressions)
    if len(names) != len(values):
        raise SqlError(f"MERGE: INSERT names {len(names)} columns and gives {len(values)} values")
    given = {name.lower(): value for name, value in zip(names, values, strict=True)}
    _refuse_unknown(given, columns)
    projections = [
        exp.alias_(given.get(name.lower(), exp.null()).copy(), name, quoted=True) for name in columns
    ]
    unmatched = exp.not_(exp.Exists(this=exp.select("1").from_(_target(path, alias)).where(on.copy())))
    select = exp.select(*projections).from_(source.copy()).where(unmatched)
    return select.where(when.args["condition"].copy()) if when.args.get("condition") else select


def _count_of(select: exp.Select) -> exp.Select:
    rows = exp.Subquery(this=select.copy(), alias=exp.TableAlias(this=exp.to_identifier("counted")))
    return exp.select(exp.Count(this=exp.Star())).from_(rows)


def _exists(source: exp.Expression, on: exp.Expression) -> exp.Expression:
    return exp.Exists(this=exp.select("1").from_(source.copy()).where(on.copy()))


def _assigned(update: exp.Update, source: str, columns: list[str]) -> dict[str, exp.Expression]:
    if any(isinstance(item, exp.Star) for item in update.expressions):
        return {name: exp.column(name, table=source) for name in columns}
    given = {item.this.name.lower(): item.expression.copy() for item in update.expressions}
    _refuse_unknown(given, columns)
    return {name: given[name.lower()] for name in columns if name.lower() in given}


def _by_column(assignments: Any, path: Path, resolver: Resolver) -> dict[str, exp.Expression]:
    given = {name.lower(): value for name, value in assignments}
    _refuse_unknown(given, [column.name for column in resolver.resolve(path).columns])
    return given


def _refuse_unknown(given: dict[str, Any], columns: list[str]) -> None:
    unknown = sorted(set(given) - {name.lower() for name in columns})
    if unknown:
        raise SqlError(f"no column {', '.join(unknown)} in the target; it has {', '.join(columns)}")


def _target(path: Path, alias: str | None = None) -> exp.Table:
    *schema, name = path
    table = exp.Table(this=exp.to_identifier(name, quoted=True))
    if schema:
        *catalog, db = schema
        table.set(
            "db", exp.to_identifier(".".join([*catalog[1:], db]) if len(catalog) > 1 else db, quoted=True)
        )
        if catalog:
            table.set("catalog", exp.to_identifier(catalog[0], quoted=True))
    table.set("alias", exp.TableAlias(this=exp.to_identifier(alias or name, quoted=True)))
    table.meta[TARGET] = True
    return table


def _source(using: Any) -> exp.Expression:
    if not using.alias_or_name:
        raise SqlError("MERGE: the source needs an alias")
    return using


def _without_alias(source: exp.Expression) -> exp.Expression:
    bare = source.copy()
    if isinstance(bare, exp.Subquery):
        bare.set("alias", exp.TableAlias(this=exp.to_identifier("source_rows")))
    else:
        bare.set("alias", None)
    return bare


def _condition(where: exp.Expression | None) -> exp.Expression:
    return exp.true() if where is None else where.copy()
