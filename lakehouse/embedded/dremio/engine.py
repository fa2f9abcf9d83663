"""One statement, from text to rows: parse, plan, bind, run. Queries stream; commands give one small table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from lakehouse.embedded.dremio.arrow import cast_batches, wire_schema
from lakehouse.embedded.dremio.commands import Commands
from lakehouse.embedded.dremio.executor import Executor, Session
from lakehouse.embedded.dremio.namespace import Namespace
from lakehouse.embedded.dremio.reflections import Reflections
from lakehouse.embedded.dremio.resolver import CatalogResolver
from lakehouse.embedded.dremio.scan import FileLists
from lakehouse.embedded.dremio.sql import parse, plan
from lakehouse.embedded.dremio.sql.model import (
    Describe,
    Explain,
    Path,
    Plan,
    Query,
    ReflectionUse,
    Show,
    Statement,
)
from lakehouse.embedded.dremio.system import SystemTables

COMMAND_SCHEMA = pa.schema([("ok", pa.bool_()), ("summary", pa.string())])
RECORDS_SCHEMA = pa.schema([("Records", pa.int64())])


@dataclass
class Prepared:
    """A statement that is checked and ready; `batches` runs it, once."""

    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]
    session: Session
    query_type: str
    datasets: tuple[Path, ...] = ()
    uses: tuple[ReflectionUse, ...] = field(default_factory=tuple)

    def close(self) -> None:
        """Release what the statement holds, run or not."""
        self.session.close()


class Engine:
    """Ties the SQL front to the catalogue and the executor."""

    def __init__(
        self,
        namespace: Namespace,
        executor: Executor,
        system: SystemTables,
        reflections: Reflections,
        files: FileLists,
    ) -> None:
        self.namespace = namespace
        self._executor = executor
        self._system = system
        self._reflections = reflections
        self._files = files
        self._commands = Commands(namespace, executor, reflections)

    def prepare(self, text: str) -> Prepared:
        """Parse, resolve and plan a statement.

        Raises:
            SqlError: what the engine does not know or cannot find, on one line.
        """
        statement = parse(text)
        session = self._executor.session()
        try:
            return self._prepare(statement, session)
        except BaseException:
            session.close()
            raise

    def resolver(self) -> CatalogResolver:
        """What one new statement sees."""
        return CatalogResolver(self.namespace, self._files, self._system, self._executor)

    def _prepare(self, statement: Statement, session: Session) -> Prepared:
        resolver = self.resolver()
        if isinstance(statement, Query):
            return self._query(statement, resolver, session)
        if isinstance(statement, Explain):
            prepared = plan(statement.query, resolver, self._reflections.candidates(resolver))
            return _constant(session, pa.table({"text": [prepared.sql]}))
        if isinstance(statement, Show):
            return _constant(session, self._show(statement))
        if isinstance(statement, Describe):
            return _constant(session, _description(resolver, statement.path))
        schema = RECORDS_SCHEMA if self._commands.counts(statement) else COMMAND_SCHEMA

        def run() -> Iterator[pa.RecordBatch]:
            yield from self._commands.run(statement, resolver, session, schema).to_batches()

        return Prepared(
            schema, run, session, self._commands.query_type(statement), self._commands.datasets(statement)
        )

    def _query(self, statement: Query, resolver: CatalogResolver, session: Session) -> Prepared:
        planned = plan(statement.tree, resolver, self._reflections.candidates(resolver))
        bind(planned, resolver, session, self._reflections)
        schema = wire_schema(session.schema(planned.sql), planned.names)

        def run() -> Iterator[pa.RecordBatch]:
            return cast_batches(session.reader(planned.sql), schema)

        return Prepared(schema, run, session, "UI_RUN", planned.datasets, planned.uses)

    def _show(self, statement: Show) -> pa.Table:
        import fnmatch

        if statement.what == "SCHEMAS":
            names = [".".join(path) for path in self._system.schemas()] + ["INFORMATION_SCHEMA", "sys"]
            rows: list[tuple[str, ...]] = [(name,) for name in names]
            header = ["SCHEMA_NAME"]
        else:
            kind = "VIEW" if statement.what == "VIEWS" else None
            within = ".".join(statement.path).lower()
            rows = [
                (".".join(path[:-1]), path[-1])
                for path, what, _, _ in self._system.datasets()
                if kind in (None, what) and within in ("", ".".join(path[:-1]).lower())
            ]
            header = ["TABLE_SCHEMA", "TABLE_NAME"]
        if statement.like is not None:
            pattern = statement.like.replace("%", "*").replace("_", "?").lower()
            rows = [row for row in rows if fnmatch.fnmatchcase(row[-1].lower(), pattern)]
        columns = [[row[index] for row in rows] for index in range(len(header))]
        return pa.table([pa.array(column, pa.string()) for column in columns], names=header)


def bind(planned: Plan, resolver: CatalogResolver, session: Session, reflections: Reflections) -> None:
    """Make all placeholders of a plan readable."""
    for scan in planned.scans:
        resolver.bind(session, scan)
    for placeholder, reflection_id in planned.reflection_scans:
        session.bind(placeholder, reflections.select_sql(reflection_id))


def _constant(session: Session, table: pa.Table) -> Prepared:
    return Prepared(table.schema, lambda: iter(table.to_batches()), session, "METADATA")


def _description(resolver: CatalogResolver, path: Path) -> pa.Table:
    # Some clients send the schema as one quoted, dotted part.
    columns = resolver.resolve(
        (*(part for whole in path[:-1] for part in whole.split(".")), path[-1])
    ).columns
    return pa.table(
        {
            "COLUMN_NAME": [column.name for column in columns],
            "DATA_TYPE": [column.type.split("(")[0] for column in columns],
            "IS_NULLABLE": ["YES" if column.nullable else "NO" for column in columns],
        }
    )
