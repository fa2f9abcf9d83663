"""A Dremio query tree as one DuckDB SELECT over placeholder tables."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from lakehouse.embedded.dremio.sql.grammar import is_unit, parse_query
from lakehouse.embedded.dremio.sql.match import match, reflection_columns
from lakehouse.embedded.dremio.sql.model import (
    Candidates,
    Column,
    Path,
    Plan,
    ReflectionUse,
    Relation,
    Resolver,
    Scan,
    SqlError,
    Version,
)  # fmt: skip
from lakehouse.embedded.dremio.sql.names import table_path, unique_names, written_name
from lakehouse.embedded.dremio.sql.semantics import annotate, apply_semantics, check_functions
from lakehouse.embedded.dremio.sql.types import sqlglot_type

TARGET = "target"
"""Placeholder of the table that a DML statement changes; its node carries this key in `meta`."""


def plan(tree: exp.Expression, resolver: Resolver, candidates: Candidates = ()) -> Plan:
    """Resolve, check, match reflections, and translate.

    Raises:
        SqlError: an unknown dataset, column or function, a view that contains itself; one line that names it.
    """
    return _Planner(resolver, candidates).run(tree)


class _Planner:
    """State of one translation: which placeholders stand for which datasets."""

    def __init__(self, resolver: Resolver, candidates: Candidates) -> None:
        self._resolver = resolver
        self._candidates = candidates
        self._placeholders: dict[tuple[Path, Version | None, bool], str] = {}
        self._relations: dict[str, tuple[Column, ...]] = {}
        self._reflections: dict[str, str] = {}
        self._uses: dict[str, ReflectionUse] = {}
        self._datasets: dict[Path, None] = {}
        self._display: dict[str, str] = {}

    def run(self, tree: exp.Expression) -> Plan:
        tree = _as_select(tree.copy())
        self._prepare(tree)
        tree = self._expand(tree, ())
        schema = MappingSchema(
            {
                name: {c.name.lower(): sqlglot_type(c.type) for c in columns}
                for name, columns in self._relations.items()
            },
            dialect="duckdb",
            normalize=False,
        )
        try:
            tree = qualify(tree, dialect="duckdb", schema=schema, quote_identifiers=True)
        except OptimizeError as error:
            raise SqlError(_column_error(str(error), self._relations)) from None
        names = unique_names(self._result_name(p) for p in _leftmost(tree).expressions)
        used = _used_columns(tree)
        tree = apply_semantics(annotate(tree, schema))
        return Plan(
            sql=tree.sql("duckdb"),
            names=names,
            scans=tuple(
                Scan(name, path, version, tuple(used.get(name, ())))
                for (path, version, _), name in self._placeholders.items()
            ),
            reflection_scans=tuple(
                (name, reflection_id) for reflection_id, name in self._reflections.items()
            ),
            uses=tuple(self._uses.values()),
            datasets=tuple(self._datasets),
        )

    def _prepare(self, tree: exp.Expression) -> None:
        """Check functions, name unnamed columns, and make every identifier lower case, as all names compare."""
        check_functions(tree)
        for select in tree.find_all(exp.Select):
            named = []
            for position, projection in enumerate(select.expressions):
                if projection.is_star and not isinstance(projection, exp.Alias):
                    named.append(projection)
                    continue
                written = written_name(projection, position)
                alias = (
                    projection
                    if isinstance(projection, exp.Alias)
                    else exp.alias_(projection, written, quoted=True)
                )
                alias.meta["written"] = written
                self._display.setdefault(written.lower(), written)
                named.append(alias)
            select.set("expressions", named)
        for column in list(tree.find_all(exp.Column)):
            if is_unit(column):
                column.replace(exp.var(column.name.upper()))
                continue
            column.set("db", None)
            column.set("catalog", None)
        for identifier in tree.find_all(exp.Identifier):
            if identifier.find_ancestor(exp.Table) is None or isinstance(identifier.parent, exp.TableAlias):
                identifier.set("this", identifier.name.lower())
                identifier.set("quoted", True)

    def _expand(self, tree: exp.Expression, through: tuple[Path, ...]) -> exp.Expression:
        for table in list(tree.find_all(exp.Table)):
            if _names_cte(table):
                table.this.set("this", table.name.lower())
                table.this.set("quoted", True)
                continue
            relation = self._resolve(table)
            self._datasets.setdefault(relation.path)
            if not self._use_reflection(table, relation):
                self._replace(table, relation, through)
        return tree

    def _resolve(self, table: exp.Table) -> Relation:
        path = table_path(table)
        try:
            return self._resolver.resolve(path, _version(table))
        except SqlError:
            # Some clients send the schema as one quoted, dotted part: "lake.gold"."fct_orders".
            split = tuple(part for whole in path[:-1] for part in whole.split(".")) + path[-1:]
            if split == path:
                raise
            return self._resolver.resolve(split, _version(table))

    def _use_reflection(self, table: exp.Table, relation: Relation) -> bool:
        select = table.find_ancestor(exp.Select)
        offered = [c for c in self._candidates if _same(c.dataset, relation.path)]
        if (
            not offered
            or not _only_source(select, table)
            or table.args.get("version")
            or table.meta.get(TARGET)
        ):
            return False
        assert select is not None  # noqa: S101  # _only_source has just looked at it
        found, uses = match(select, relation, offered)
        self._uses.update({use.reflection_id: use for use in uses})
        if found is None:
            return False
        placeholder = f"reflection_{len(self._reflections)}"
        placeholder = self._reflections.setdefault(found.candidate.reflection_id, placeholder)
        self._relations[placeholder] = reflection_columns(found.candidate, relation)
        for key, value in found.select.args.items():
            select.set(key, value)
        inner = select.find(exp.Table)
        assert inner is not None  # noqa: S101  # the SELECT still reads its one table
        inner.replace(_placeholder_table(placeholder, table))
        return True

    def _replace(self, table: exp.Table, relation: Relation, through: tuple[Path, ...]) -> None:
        if relation.kind == "view":
            table.replace(self._view(table, relation, through))
            return
        version = _version(table)
        is_target = bool(table.meta.get(TARGET))
        name = TARGET if is_target else f"scan_{len(self._placeholders)}"
        placeholder = self._placeholders.setdefault((relation.path, version, is_target), name)
        self._relations[placeholder] = relation.columns
        for column in relation.columns:
            self._display.setdefault(column.name.lower(), column.name)
        table.replace(_placeholder_table(placeholder, table))

    def _view(self, table: exp.Table, relation: Relation, through: tuple[Path, ...]) -> exp.Expression:
        if any(_same(relation.path, path) for path in through):
            raise SqlError(f"view {'.'.join(relation.path)} contains itself")
        if table.args.get("version"):
            raise SqlError(f"view {'.'.join(relation.path)}: time travel works on tables")
        body = _as_select(parse_query(relation.sql or ""))
        self._prepare(body)
        body = self._expand(body, (*through, relation.path))
        columns = [exp.to_identifier(column.name.lower(), quoted=True) for column in relation.columns]
        alias = exp.TableAlias(this=_alias(table), columns=columns)
        return exp.Subquery(this=body, alias=alias)

    def _result_name(self, projection: exp.Expression) -> str:
        written = projection.meta.get("written")
        return (
            str(written)
            if written
            else self._display.get(projection.alias_or_name.lower(), projection.alias_or_name)
        )


def _as_select(tree: exp.Expression) -> exp.Expression:
    if isinstance(tree, exp.Values):
        width = len(tree.expressions[0].expressions)
        names = [exp.to_identifier(f"EXPR${index}") for index in range(width)]
        tree.set("alias", exp.TableAlias(this=exp.to_identifier("rows"), columns=names))
        return exp.select("*").from_(tree)
    while isinstance(tree, exp.Subquery) and not tree.args.get("alias"):
        tree = tree.this
    return tree


def _leftmost(tree: exp.Expression) -> exp.Select:
    while not isinstance(tree, exp.Select):
        tree = tree.this
    return tree


def _only_source(select: exp.Select | None, table: exp.Table) -> bool:
    if select is None or select.args.get("joins") or select.args.get("laterals"):
        return False
    source = select.args.get("from_")
    return source is not None and source.this is table


def _names_cte(table: exp.Table) -> bool:
    if table.db or not isinstance(table.this, exp.Identifier):
        return False
    node: exp.Expression | None = table
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None and any(cte.alias.lower() == table.name.lower() for cte in with_.expressions):
            return True
        node = node.parent
    return False


def _version(table: exp.Table) -> Version | None:
    version = table.args.get("version")
    if version is None:
        return None
    value = version.expression
    text = value.this.name if isinstance(value, exp.Cast) else value.name
    return Version("snapshot" if version.name.upper() == "VERSION" else "timestamp", text)


def _placeholder_table(placeholder: str, table: exp.Table) -> exp.Table:
    replacement = exp.Table(this=exp.to_identifier(placeholder, quoted=True))
    alias = table.args.get("alias")
    columns = alias.args.get("columns") if alias is not None else None
    replacement.set("alias", exp.TableAlias(this=_alias(table), columns=columns))
    if table.args.get("joins"):
        replacement.set("joins", table.args["joins"])
    return replacement


def _alias(table: exp.Table) -> exp.Identifier:
    return exp.to_identifier((table.alias or table_path(table)[-1]).lower(), quoted=True)


def _same(left: Path, right: Path) -> bool:
    return [part.lower() for part in left] == [part.lower() for part in right]


def _used_columns(tree: exp.Expression) -> dict[str, list[str]]:
    used: dict[str, set[str]] = {}
    for scope in traverse_scope(tree):
        sources = {
            name: source.name for name, source in scope.sources.items() if isinstance(source, exp.Table)
        }
        for column in scope.columns:
            if column.table in sources:
                used.setdefault(sources[column.table], set()).add(column.name)
    return {name: sorted(columns) for name, columns in used.items()}


def _column_error(message: str, relations: dict[str, tuple[Column, ...]]) -> str:
    first = message.splitlines()[0].replace('"', "").rstrip(".")
    known = sorted({column.name for columns in relations.values() for column in columns})
    listing = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
    return f"{first}; columns in reach: {listing or 'none'}"
