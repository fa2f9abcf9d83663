"""Paths to relations, and relations to something DuckDB can read."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyiceberg.table import Table

from lakehouse.embedded.dremio.executor import Executor, Session
from lakehouse.embedded.dremio.files import FileSource
from lakehouse.embedded.dremio.namespace import Namespace
from lakehouse.embedded.dremio.scan import FileLists, columns_of, select_sql, snapshot_id
from lakehouse.embedded.dremio.sql.model import Column, Path, Relation, Scan, SqlError, Version
from lakehouse.embedded.dremio.sql.types import dremio_type

SystemTables = Callable[[Path], pa.Table | None]


class CatalogResolver:
    """What one statement sees: tables are looked up once, so that all of it reads the same snapshots."""

    def __init__(
        self, namespace: Namespace, files: FileLists, system: SystemTables, executor: Executor
    ) -> None:
        self._namespace = namespace
        self._files = files
        self._system = system
        self._executor = executor
        self._tables: dict[Path, Table | None] = {}
        self._arrow: dict[Path, pa.Table] = {}

    def resolve(self, path: Path, version: Version | None = None) -> Relation:
        """See sql.model.Resolver."""
        key = _lower(path)
        system = self._system(key)
        if system is not None:
            self._arrow[key] = system
            columns = tuple(Column(field.name, dremio_type(field.type)) for field in system.schema)
            return Relation(key, columns, "system")
        view = self._namespace.entity(path)
        if view is not None and view.kind == "view":
            columns = tuple(Column(c["name"], c["type"]) for c in view.body["columns"])
            return Relation(view.path, columns, "view", view.body["sql"])
        table = self.table(path)
        if table is not None:
            snapshot_id(table, version)
            return Relation(_display(path, table), columns_of(table), "table")
        files = self._file_select(path)
        if files is not None:
            return Relation(path, self._file_columns(files), "table")
        raise SqlError(f"Object '{'.'.join(path)}' not found: no table or view of that name")

    def table(self, path: Path) -> Table | None:
        """The Iceberg table at a path, as it was when this statement first looked."""
        key = _lower(path)
        if key not in self._tables:
            lake = self._namespace.lake(path) if len(path) > 2 else None
            self._tables[key] = lake.table(".".join(path[1:-1]), path[-1]) if lake else None
        return self._tables[key]

    def bind(self, session: Session, scan: Scan, only_files: list[str] | None = None) -> None:
        """Make a scan's placeholder readable; `only_files` narrows a table to some of its files."""
        key = _lower(scan.path)
        if key in self._arrow:
            session.bind(scan.placeholder, self._arrow[key])
            return
        table = self.table(scan.path)
        if table is not None:
            files = self._files.files(table, snapshot_id(table, scan.version))
            session.bind(
                scan.placeholder, select_sql(table, tuple(only_files) if only_files is not None else files)
            )
            return
        files_sql = self._file_select(scan.path)
        if files_sql is None:
            raise SqlError(f"Object '{'.'.join(scan.path)}' not found")
        session.bind(scan.placeholder, files_sql)

    def snapshots(self, scans: tuple[Scan, ...]) -> dict[str, str]:
        """Path -> snapshot of every base table that these scans read: what a reflection is compared with."""
        result = {}
        for scan in scans:
            table = self.table(scan.path)
            if table is not None:
                result[".".join(_lower(scan.path))] = (
                    f"{table.metadata.table_uuid}:{snapshot_id(table, scan.version)}"
                )
            elif _lower(scan.path) not in self._arrow:
                raise SqlError(
                    f"{'.'.join(scan.path)}: reflections are built on Iceberg tables, not on plain files"
                )
        return result

    def _file_select(self, path: Path) -> str | None:
        source = self._namespace.source(path[0])
        return source.select_sql(path[1:]) if isinstance(source, FileSource) and len(path) > 1 else None

    def _file_columns(self, select: str) -> tuple[Column, ...]:
        session = self._executor.session()
        try:
            return tuple(Column(field.name, dremio_type(field.type)) for field in session.schema(select))
        finally:
            session.close()


def _lower(path: Path) -> Path:
    return tuple(part.lower() for part in path)


def _display(path: Path, table: Table) -> Path:
    return (path[0], *table.name())
