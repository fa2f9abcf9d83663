"""Statements that change something: tables, rows, views, folders, reflections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table
from sqlglot import exp

from lakehouse.embedded.dremio import tables
from lakehouse.embedded.dremio.arrow import cast_batches, stored_schema
from lakehouse.embedded.dremio.errors import RestError
from lakehouse.embedded.dremio.executor import Executor, Session
from lakehouse.embedded.dremio.lakes import Lake
from lakehouse.embedded.dremio.namespace import Entity, Namespace
from lakehouse.embedded.dremio.reflections import Reflections
from lakehouse.embedded.dremio.resolver import CatalogResolver
from lakehouse.embedded.dremio.scan import columns_of
from lakehouse.embedded.dremio.sql import plan
from lakehouse.embedded.dremio.sql.dml import count_plan, delete_plan, merge_plan, simple_filter, update_plan
from lakehouse.embedded.dremio.sql.model import (
    AlterTable,
    CreateFolder,
    CreateTable,
    CreateView,
    Delete,
    Drop,
    Insert,
    Merge,
    Path,
    Plan,
    SetDefaultReflection,
    SqlError,
    Statement,
    Update,
)
from lakehouse.embedded.dremio.sql.types import arrow_type, dremio_type, duckdb_type

Batches = Iterator[pa.RecordBatch]
_MINIMUM_PARTS = 3


class Commands:
    """Runs each kind of changing statement; one writer of a table at a time in this engine."""

    def __init__(self, namespace: Namespace, executor: Executor, reflections: Reflections) -> None:
        self._namespace = namespace
        self._executor = executor
        self._reflections = reflections

    def counts(self, statement: Statement) -> bool:
        """Whether the statement answers with a number of records."""
        return isinstance(statement, Insert | Delete | Update | Merge) or (
            isinstance(statement, CreateTable) and statement.query is not None
        )

    def query_type(self, statement: Statement) -> str:
        """Dremio's name for this kind of job."""
        return "UI_RUN" if self.counts(statement) else "METADATA_REFRESH"

    def datasets(self, statement: Statement) -> tuple[Path, ...]:
        """The dataset that is changed."""
        path = getattr(statement, "path", None)
        return (path,) if path else ()

    def run(
        self, statement: Statement, resolver: CatalogResolver, session: Session, schema: pa.Schema
    ) -> pa.Table:
        """Do it. Raises SqlError with one line when it cannot be done."""
        match statement:
            case CreateTable():
                outcome: int | str = self._create_table(statement, resolver, session)
            case CreateView():
                outcome = self._create_view(statement, resolver, session)
            case Drop():
                outcome = self._drop(statement)
            case Insert():
                outcome = self._insert(statement, resolver, session)
            case Delete():
                outcome = self._delete(statement, resolver, session)
            case Update() | Merge():
                outcome = self._rewrite(statement, resolver, session)
            case AlterTable():
                outcome = self._alter(statement, resolver)
            case CreateFolder():
                outcome = self._create_folder(statement)
            case SetDefaultReflection():
                outcome = f"{'.'.join(statement.path)}: default reflections are not made by the local engine"
            case _:
                raise SqlError(f"{type(statement).__name__} is not supported by the local engine")
        row: list[list[int | str]] = [[outcome]] if isinstance(outcome, int) else [[True], [outcome]]
        return pa.table(
            [pa.array(column, field.type) for column, field in zip(row, schema, strict=True)], schema=schema
        )

    # --- tables

    def _create_table(self, statement: CreateTable, resolver: CatalogResolver, session: Session) -> int | str:
        lake, namespace, name = self._place(statement.path)
        with lake.lock(namespace, name):
            existing = lake.table(namespace, name)
            if existing is not None and statement.if_not_exists:
                return (
                    0 if statement.query is not None else f"Table {'.'.join(statement.path)} already exists"
                )
            if existing is not None and not statement.or_replace:
                raise SqlError(f"table {'.'.join(statement.path)} already exists")
            if self._view(statement.path) is not None:
                raise SqlError(f"{'.'.join(statement.path)} is a view")
            if statement.query is None:
                schema = pa.schema(
                    [pa.field(c.name, arrow_type(c.type), c.nullable) for c in statement.columns]
                )
                batches: Batches = iter(())
            else:
                schema, batches = self._ordered(statement, resolver, session)
            if existing is not None:
                lake.drop(*existing.name())
            rows = tables.create(lake, namespace, name, schema, statement.partition_by, batches)
        return rows if statement.query is not None else f"Table {'.'.join(statement.path)} created"

    def _ordered(
        self, statement: CreateTable, resolver: CatalogResolver, session: Session
    ) -> tuple[pa.Schema, Batches]:
        """The query's rows sorted by partition, as the writer needs them."""
        planned = plan(statement.query, resolver, self._reflections.candidates(resolver))
        self._bind(planned, resolver, session)
        order = _order_by((*(field.column for field in statement.partition_by), *statement.sort_by))
        sql = f"SELECT * FROM ({planned.sql}) AS q({_names(planned.names)}){order}"  # noqa: S608
        schema = stored_schema(session.schema(sql), planned.names)
        return schema, cast_batches(session.reader(sql), schema)

    def _insert(self, statement: Insert, resolver: CatalogResolver, session: Session) -> int:
        lake, table = self._table(statement.path, resolver)
        columns = columns_of(table)
        known = {column.name.lower(): column for column in columns}
        given = [name.lower() for name in statement.columns] or [column.name.lower() for column in columns]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise SqlError(
                f"INSERT: no column {', '.join(unknown)}; the table has {', '.join(c.name for c in columns)}"
            )
        planned = plan(statement.query, resolver, self._reflections.candidates(resolver))
        if len(planned.names) != len(given):
            raise SqlError(f"INSERT: {len(given)} columns, but the query gives {len(planned.names)}")
        self._bind(planned, resolver, session)
        values = [
            f'CAST("{name}" AS {duckdb_type(column.type)})'
            if name in given
            else f"CAST(NULL AS {duckdb_type(column.type)})"
            for name, column in known.items()
        ]
        selected = ", ".join(
            f'{value} AS "{known[name].name}"' for value, name in zip(values, known, strict=True)
        )
        order = _order_by(_partition_columns(table))
        sql = f"SELECT {selected} FROM ({planned.sql}) AS q({_names(given)}){order}"  # noqa: S608  planned SQL
        schema = stored_schema(session.schema(sql), tuple(column.name for column in columns))
        with lake.lock(*table.name()):
            return tables.append(table, lambda: cast_batches(session.reader(sql), schema))

    def _delete(self, statement: Delete, resolver: CatalogResolver, session: Session) -> int:
        lake, table = self._table(statement.path, resolver)
        planned = delete_plan(statement, resolver)
        conjuncts = simple_filter(statement.where, columns_of(table))
        with lake.lock(*table.name()):
            if conjuncts is None:
                before = sum(task.file.record_count for task in table.scan().plan_files())
                self._bind(planned, resolver, session)
                return before - tables.replace(table, self._rows(planned, table, session))

            def remaining(paths: list[str]) -> Batches:
                for scan in planned.scans:
                    resolver.bind(session, scan, paths if scan.placeholder == "target" else None)
                return self._rows(planned, table, session)

            return tables.delete_matching(table, conjuncts, remaining)

    def _rewrite(self, statement: Update | Merge, resolver: CatalogResolver, session: Session) -> int:
        lake, table = self._table(statement.path, resolver)
        with lake.lock(*table.name()):
            if isinstance(statement, Update):
                planned = update_plan(statement, resolver)
                counted = count_plan(statement.path, statement.alias, statement.where, resolver)
            else:
                merge = merge_plan(statement, resolver)
                if self._single(merge.ambiguous, resolver, session):
                    raise SqlError("MERGE: a target row is matched by several source rows")
                planned, counted = merge.content, merge.affected
            affected = int(self._single(counted, resolver, session))
            self._bind(planned, resolver, session)
            tables.replace(table, self._rows(planned, table, session))
            return affected

    def _single(self, planned: Plan, resolver: CatalogResolver, session: Session) -> Any:
        """The one value of a one-row result."""
        self._bind(planned, resolver, session)
        return session.table(planned.sql).column(0)[0].as_py()

    def _rows(self, planned: Plan, table: Table, session: Session) -> Batches:
        columns = columns_of(table)
        casts = ", ".join(f'CAST("{c.name}" AS {duckdb_type(c.type)}) AS "{c.name}"' for c in columns)
        names = _names([column.name for column in columns])
        sql = f"SELECT {casts} FROM ({planned.sql}) AS q({names})" + _order_by(_partition_columns(table))  # noqa: S608
        schema = stored_schema(session.schema(sql), tuple(column.name for column in columns))
        return cast_batches(session.reader(sql), schema)

    def _alter(self, statement: AlterTable, resolver: CatalogResolver) -> str:
        name = ".".join(statement.path)
        if statement.action == "refresh_reflections":
            self._reflections.refresh_dataset(resolver.resolve(statement.path).path)
            return f"Reflections of {name} will be refreshed"
        if statement.action == "refresh_metadata":
            resolver.resolve(statement.path)
            return f"Metadata for table '{name}' is always current"
        lake, table = self._table(statement.path, resolver)
        with lake.lock(*table.name()):
            tables.alter(table, statement)
        return f"Table {name} altered"

    # --- views, folders, drops

    def _create_view(self, statement: CreateView, resolver: CatalogResolver, session: Session) -> str:
        name = ".".join(statement.path)
        if resolver.table(statement.path) is not None:
            raise SqlError(f"{name} is a table")
        if not self._namespace.has_folder(statement.path[:-1]):
            raise SqlError(f"no space, folder or source {'.'.join(statement.path[:-1])}")
        planned = plan(statement.query, resolver)
        self._bind(planned, resolver, session)
        names = statement.columns or planned.names
        if len(names) != len(planned.names):
            raise SqlError(
                f"CREATE VIEW: {len(names)} column names, but the query gives {len(planned.names)} columns"
            )
        types = stored_schema(session.schema(planned.sql), tuple(names))
        columns = [{"name": field.name, "type": dremio_type(field.type)} for field in types]
        body = {"sql": statement.query_text, "columns": columns}
        existing = self._view(statement.path)
        if existing is None:
            self._namespace.add("view", statement.path, body)
        elif statement.or_replace:
            self._namespace.replace_body(existing, body)
        else:
            raise SqlError(f"view {name} already exists")
        return f"View {name} created"

    def _drop(self, statement: Drop) -> str:
        name = ".".join(statement.path)
        view = self._view(statement.path)
        if statement.kind == "VIEW":
            if view is not None:
                self._namespace.remove(view)
                return f"View {name} dropped"
            if statement.if_exists:
                return f"View {name} not found"
            raise SqlError(f"no view {name}")
        lake = self._namespace.lake(statement.path)
        table = lake.table(".".join(statement.path[1:-1]), statement.path[-1]) if lake else None
        if lake is None or table is None:
            if statement.if_exists:
                return f"Table {name} not found"
            raise SqlError(f"no table {name}")
        with lake.lock(*table.name()):
            lake.drop(*table.name())
        return f"Table {name} dropped"

    def _create_folder(self, statement: CreateFolder) -> str:
        try:
            self._namespace.create_folder(statement.path)
        except RestError as error:
            if not statement.if_not_exists or error.status != 409:
                raise SqlError(str(error)) from None
        return f"Folder {'.'.join(statement.path)} created"

    # --- places

    def _place(self, path: Path) -> tuple[Lake, str, str]:
        lake = self._namespace.lake(path)
        if lake is None or len(path) < _MINIMUM_PARTS:
            raise SqlError(
                f"cannot make a table at {'.'.join(path)}: tables live in folders of an SQLCATALOG source"
            )
        namespace = ".".join(path[1:-1])
        if not self._namespace.has_folder(path[:-1]):
            raise SqlError(f"no folder {'.'.join(path[:-1])}; create it first")
        return lake, namespace, path[-1]

    def _table(self, path: Path, resolver: CatalogResolver) -> tuple[Lake, Table]:
        lake, table = self._namespace.lake(path), resolver.table(path)
        if lake is None or table is None:
            resolver.resolve(path)  # says so when there is no such dataset at all
            raise SqlError(f"{'.'.join(path)} is no table that can be changed")
        return lake, table

    def _view(self, path: Path) -> Entity | None:
        entity = self._namespace.entity(path)
        return entity if entity is not None and entity.kind == "view" else None

    def _bind(self, planned: Plan, resolver: CatalogResolver, session: Session) -> None:
        for scan in planned.scans:
            resolver.bind(session, scan)
        for placeholder, reflection_id in planned.reflection_scans:
            session.bind(placeholder, self._reflections.select_sql(reflection_id))


def _partition_columns(table: Table) -> tuple[str, ...]:
    return tuple(table.schema().find_column_name(field.source_id) or "" for field in table.spec().fields)


def _order_by(columns: tuple[str, ...]) -> str:
    return f" ORDER BY {_names(columns)}" if columns else ""


def _names(names: object) -> str:
    return ", ".join(exp.to_identifier(name, quoted=True).sql("duckdb") for name in names)  # type: ignore[attr-defined]
