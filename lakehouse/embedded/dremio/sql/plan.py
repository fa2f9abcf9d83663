"""A Dremio query tree as one DuckDB SELECT over placeholder tables."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.qualify_columns import validate_qualify_columns
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.schema import MappingSchema

from lakehouse.embedded.dremio.sql.grammar import parse_query
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
)
from lakehouse.embedded.dremio.sql.names import table_path, unique_names
from lakehouse.embedded.dremio.sql.prepare import (
    WRITTEN,
    as_select,
    count_columns,
    display_names,
    leftmost,
    make_names_unique,
    names_cte,
    prepare,
)
from lakehouse.embedded.dremio.sql.semantics import annotate, apply_semantics
from lakehouse.embedded.dremio.sql.types import sqlglot_type

TARGET = "target"
"""Placeholder of the table that a DML statement changes; its node carries this key in `meta`."""

_BODY = "view_body"
_MOST_NESTED_DUPLICATES = 16


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
        tree = as_select(tree.copy())
        prepare(tree)
        self._remember_names(tree)
        tree = self._expand(tree, ())
        schema = MappingSchema(
            {
                name: {c.name.lower(): sqlglot_type(c.type) for c in columns}
                for name, columns in self._relations.items()
            },
            dialect="duckdb",
            normalize=False,
        )
        tree = self._qualified(tree, schema)
        names = unique_names(self._result_name(p) for p in leftmost(tree).expressions)
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

    def _qualified(self, tree: exp.Expression, schema: MappingSchema) -> exp.Expression:
        """Every column under its source and every star expanded; a star over duplicate names takes another round."""
        try:
            for _ in range(_MOST_NESTED_DUPLICATES):
                tree = qualify(
                    tree,
                    dialect="duckdb",
                    schema=schema,
                    quote_identifiers=True,
                    validate_qualify_columns=False,
                )
                if not make_names_unique(tree):
                    break
            validate_qualify_columns(tree)
        except OptimizeError as error:
            raise SqlError(_column_error(str(error), self._relations)) from None
        return tree

    def _remember_names(self, tree: exp.Expression) -> None:
        for name, spelling in display_names(tree.find_all(exp.Select)).items():
            self._display.setdefault(name, spelling)

    def _expand(self, tree: exp.Expression, through: tuple[Path, ...]) -> exp.Expression:
        for table in list(tree.find_all(exp.Table)):
            cte = names_cte(table)
            if cte is not None:
                table.set("alias", _table_alias(table))
                table.set("this", exp.to_identifier(cte, quoted=True))
                continue
            relation = self._resolve(table)
            self._datasets.setdefault(relation.path)
            for column in relation.columns:
                self._display.setdefault(column.name.lower(), column.name)
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
        table.replace(_placeholder_table(placeholder, table))

    def _view(self, table: exp.Table, relation: Relation, through: tuple[Path, ...]) -> exp.Expression:
        path = ".".join(relation.path)
        if any(_same(relation.path, known) for known in through):
            raise SqlError(f"view {path} contains itself")
        if table.args.get("version"):
            raise SqlError(f"view {path}: time travel works on tables")
        body = as_select(parse_query(relation.sql or ""))
        prepare(body)
        body = self._expand(body, (*through, relation.path))
        alias = _table_alias(table)
        width = count_columns(leftmost(body))
        names = [exp.to_identifier(column.name.lower(), quoted=True) for column in relation.columns]
        if width is None:
            # What a star stands for may have changed since the view was made: its columns are taken by name.
            inner = exp.Subquery(this=body, alias=exp.TableAlias(this=exp.to_identifier(_BODY, quoted=True)))
            body = exp.select(*(exp.column(name.copy(), table=_BODY, quoted=True) for name in names)).from_(
                inner
            )
        elif width != len(names):
            raise SqlError(f"view {path} has {len(names)} columns, its query gives {width}; create it again")
        elif not alias.args.get("columns"):
            alias.set("columns", names)
        return exp.Subquery(this=body, alias=alias, joins=table.args.get("joins"))

    def _result_name(self, projection: exp.Expression) -> str:
        written = projection.meta.get(WRITTEN)
        return (
            str(written)
            if written
            else self._display.get(projection.alias_or_name.lower(), projection.alias_or_name)
        )


def _only_source(select: exp.Select | None, table: exp.Table) -> bool:
    if select is None or select.args.get("joins") or select.args.get("laterals") or table.args.get("joins"):
        return False
    source = select.args.get("from_")
    return source is not None and source.this is table


def _version(table: exp.Table) -> Version | None:
    version = table.args.get("version")
    if version is None:
        return None
    value = version.expression
    literal = value.this if isinstance(value, exp.Cast) else value
    if not isinstance(literal, exp.Literal):
        raise SqlError(f"AT TIMESTAMP {value.sql('dremio')}: the local engine takes a literal timestamp")
    return Version("snapshot" if version.name.upper() == "VERSION" else "timestamp", literal.name)


def _placeholder_table(placeholder: str, table: exp.Table) -> exp.Table:
    replacement = exp.Table(this=exp.to_identifier(placeholder, quoted=True), alias=_table_alias(table))
    if table.args.get("joins"):
        replacement.set("joins", table.args["joins"])
    return replacement


def _table_alias(table: exp.Table) -> exp.TableAlias:
    """The alias as written, or the table's own name."""
    written = table.args.get("alias")
    name = (table.alias or table_path(table)[-1]).lower()
    columns = written.args.get("columns") if written is not None else None
    return exp.TableAlias(this=exp.to_identifier(name, quoted=True), columns=columns)


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
