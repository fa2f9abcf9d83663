"""A parsed query made ready for sqlglot's resolution: names lower case, columns named, Dremio's alias rules applied."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlglot import exp

from lakehouse.embedded.dremio.sql.allowed import check_allowed
from lakehouse.embedded.dremio.sql.grammar import is_unit
from lakehouse.embedded.dremio.sql.model import SqlError
from lakehouse.embedded.dremio.sql.names import table_path, unique_names, written_name

WRITTEN = "written"
"""Key in a projection's `meta`: the result name with the spelling of the query."""

_NILADIC = frozenset({"LOCALTIMESTAMP", "LOCALTIME", "USER", "SESSION_USER", "SYSTEM_USER"})
_PLACEHOLDER = re.compile(r"(scan|reflection)_\d+|target")


def as_select(tree: exp.Expression) -> exp.Expression:
    """A bare VALUES as a SELECT; needless outer parentheses dropped."""
    if isinstance(tree, exp.Values):
        width = len(tree.expressions[0].expressions)
        names = [exp.to_identifier(f"EXPR${index}") for index in range(width)]
        tree.set("alias", exp.TableAlias(this=exp.to_identifier("rows"), columns=names))
        return exp.select("*").from_(tree)
    while isinstance(tree, exp.Subquery) and not tree.args.get("alias"):
        tree = tree.this
    return tree


def leftmost(tree: exp.Expression) -> exp.Select:
    """The SELECT that names the columns of a set operation."""
    while not isinstance(tree, exp.Select):
        tree = tree.this
    return tree


def prepare(tree: exp.Expression) -> None:
    """In place. Raises SqlError for what the local engine does not know."""
    check_allowed(tree)
    _read_niladic(tree)
    for select in tree.find_all(exp.Select):
        _expand_aliases(select)
        _name_columns(select)
    for query in tree.find_all(exp.Query):
        _keep_positions(query)
    _cut_paths(tree)
    for identifier in tree.find_all(exp.Identifier):
        if not _in_table_path(identifier):
            identifier.set("this", identifier.name.lower())
            identifier.set("quoted", True)
    _rename_ctes(tree)


def names_cte(table: exp.Table) -> str | None:
    """The alias of the CTE that a table reference means, if it means one."""
    if table.db or not isinstance(table.this, exp.Identifier):
        return None
    name = table.name.lower()
    node: exp.Expression | None = table
    while node is not None:
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            if name in (cte.alias.lower(), cte.meta.get(WRITTEN)):
                return str(cte.alias)
        node = node.parent
    return None


def make_names_unique(tree: exp.Expression) -> bool:
    """Give later duplicates among the columns of inner SELECTs their suffix; whether there were any."""
    changed = False
    for select in tree.find_all(exp.Select):
        if select is tree or any(p.is_star for p in select.expressions):
            continue
        names = [projection.alias_or_name for projection in select.expressions]
        for projection, name, unique in zip(select.expressions, names, unique_names(names), strict=True):
            if name != unique and isinstance(projection, exp.Alias):
                projection.set("alias", exp.to_identifier(unique, quoted=True))
                changed = True
    return changed


def _expand_aliases(select: exp.Select) -> None:
    """An alias of the SELECT list goes before a column of that name in GROUP BY and HAVING, as in Dremio."""
    aliases: dict[str, list[exp.Expression]] = {}
    for projection in select.expressions:
        if isinstance(projection, exp.Alias):
            aliases.setdefault(projection.alias.lower(), []).append(projection.this)
    group, having = select.args.get("group"), select.args.get("having")
    candidates: list[exp.Expression] = list(group.expressions) if group is not None else []
    if having is not None and not any(_is_aggregate(node) for node in having.walk()):
        candidates += having.find_all(exp.Column)
    for column in candidates:
        if not isinstance(column, exp.Column) or column.table:
            continue
        found = aliases.get(column.name.lower(), [])
        if len(found) > 1:
            raise SqlError(f"column {column.name} is ambiguous: the SELECT list has it {len(found)} times")
        # A number in GROUP BY would be read as a position.
        if found and not isinstance(found[0], exp.Literal):
            column.replace(found[0].copy())


def _keep_positions(query: exp.Expression) -> None:
    """ORDER BY 2 over a star: sqlglot would look the position up before the star is expanded; DuckDB counts right."""
    order = query.args.get("order")
    if order is None or not any(projection.is_star for projection in leftmost(query).expressions):
        return
    for ordered in order.expressions:
        if isinstance(ordered.this, exp.Literal) and ordered.this.is_int:
            ordered.this.replace(exp.var(ordered.this.name))


def _is_aggregate(node: exp.Expression) -> bool:
    return isinstance(node, exp.AggFunc)


def _name_columns(select: exp.Select) -> None:
    named = []
    for position, projection in enumerate(select.expressions):
        if projection.is_star and not isinstance(projection, exp.Alias):
            named.append(projection)
            continue
        written = written_name(projection, position)
        alias = (
            projection if isinstance(projection, exp.Alias) else exp.alias_(projection, written, quoted=True)
        )
        alias.meta[WRITTEN] = written
        named.append(alias)
    select.set("expressions", named)


def _read_niladic(tree: exp.Expression) -> None:
    """Functions that are written without parentheses, and so look like columns to sqlglot."""
    for column in list(tree.find_all(exp.Column)):
        name = column.name.upper()
        if (
            column.table
            or not isinstance(column.this, exp.Identifier)
            or column.this.quoted
            or name not in _NILADIC
        ):
            continue
        if name != "LOCALTIMESTAMP":
            raise SqlError(
                f"{name}: not supported by the local engine; a column of that name goes in double quotes"
            )
        column.replace(exp.CurrentTimestamp())


def _cut_paths(tree: exp.Expression) -> None:
    """`lake.gold.t.id` is column `id` of `t`; `t.address.city` stays a field of a column."""
    tables = {".".join(table_path(table)).lower() for table in tree.find_all(exp.Table)}
    for column in list(tree.find_all(exp.Column)):
        if is_unit(column):
            column.replace(exp.var(column.name.upper()))
            continue
        if not column.args.get("db"):
            continue
        path = ".".join(part.name for part in column.parts[:-1]).lower()
        if any(table == path or table.endswith(f".{path}") for table in tables):
            column.set("db", None)
            column.set("catalog", None)


def _in_table_path(identifier: exp.Identifier) -> bool:
    parent = identifier.parent
    while isinstance(parent, exp.Dot):
        parent = parent.parent
    return isinstance(parent, exp.Table)


def _rename_ctes(tree: exp.Expression) -> None:
    """A CTE that is called like one of our placeholders would hide it."""
    for cte in tree.find_all(exp.CTE):
        name = cte.alias
        if _PLACEHOLDER.fullmatch(name):
            cte.meta[WRITTEN] = name
            cte.args["alias"].set("this", exp.to_identifier(f"{name}__cte", quoted=True))


def count_columns(select: exp.Select) -> int | None:
    """How many columns it gives; None while a star is unexpanded."""
    return None if any(p.is_star for p in select.expressions) else len(select.expressions)


def display_names(selects: Iterable[exp.Select]) -> dict[str, str]:
    """Lower-case name -> spelling in the query."""
    written: dict[str, str] = {}
    for select in selects:
        for projection in select.expressions:
            if WRITTEN in projection.meta:
                written.setdefault(projection.meta[WRITTEN].lower(), projection.meta[WRITTEN])
    return written
