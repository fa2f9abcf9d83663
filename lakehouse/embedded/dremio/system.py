"""System tables: INFORMATION_SCHEMA and the part of sys that clients read, as Arrow tables made when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lakehouse import __version__
from lakehouse.embedded.dremio.lakes import Lake
from lakehouse.embedded.dremio.namespace import Namespace
from lakehouse.embedded.dremio.scan import columns_of
from lakehouse.embedded.dremio.sql.model import Column, Path
from lakehouse.embedded.dremio.sql.names import SNAPSHOTS
from lakehouse.embedded.dremio.store import Store

CATALOG = "DREMIO"
_TEXT_LENGTH = 65536
_COLUMN_SIZES = (
    "COLUMN_SIZE", "CHARACTER_MAXIMUM_LENGTH", "CHARACTER_OCTET_LENGTH", "NUMERIC_PRECISION", "NUMERIC_PRECISION_RADIX",
    "NUMERIC_SCALE", "DATETIME_PRECISION", "INTERVAL_TYPE", "INTERVAL_PRECISION",
)  # fmt: skip
Datasets = list[tuple[Path, str, tuple[Column, ...], str | None]]
"""(path, TABLE or VIEW, columns, view SQL) of every dataset."""


class SystemTables:
    """Gives a system table for its lower-case path, None for any other path."""

    def __init__(self, namespace: Namespace, store: Store) -> None:
        self._namespace = namespace
        self._store = store
        self._columns: dict[str, tuple[Column, ...]] = {}

    def __call__(self, path: Path) -> pa.Table | None:
        """The table at a lower-case path."""
        if path[0] == SNAPSHOTS:
            return self._snapshots(path[1:])
        makers: dict[Path, Callable[[], pa.Table]] = {
            ("information_schema", "schemata"): self._schemata,
            ("information_schema", "tables"): self._tables,
            ("information_schema", "columns"): self._all_columns,
            ("information_schema", "views"): self._views,
            ("information_schema", "catalogs"): self._catalogs,
            ("sys", "version"): self._version,
            ("sys", "reflections"): self._reflections,
            ("sys", "jobs"): self._jobs,
            ("sys", "jobs_recent"): self._jobs,
        }
        # The catalogue's own name may stand in front: DREMIO.INFORMATION_SCHEMA.COLUMNS.
        maker = makers.get(path[1:] if path[0] == CATALOG.lower() else path)
        return maker() if maker else None

    def datasets(self) -> Datasets:
        """Every table and view."""
        found: Datasets = []
        for name, lake in self._namespace.lakes():
            for (namespace, table_name), table in sorted(lake.tables().items()):
                location = table.metadata_location
                columns = self._columns.get(location)
                if columns is None:
                    columns = self._columns.setdefault(location, columns_of(table))
                found.append(((name, *namespace.split("."), table_name), "TABLE", columns, None))
        for view in self._namespace.entities("view"):
            columns = tuple(Column(c["name"], c["type"]) for c in view.body["columns"])
            found.append((view.path, "VIEW", columns, view.body["sql"]))
        return found

    def schemas(self) -> list[Path]:
        """Paths of all sources, spaces, folders and namespaces."""
        paths: dict[str, Path] = {}
        for entity in self._namespace.entities():
            if entity.kind == "view":
                continue
            paths[".".join(entity.path)] = entity.path
            source = self._namespace.source(entity.path[0]) if entity.kind == "source" else None
            if isinstance(source, Lake):
                for namespace in source.namespaces():
                    paths[f"{entity.path[0]}.{namespace}"] = (entity.path[0], *namespace.split("."))
        return [paths[key] for key in sorted(paths)]

    def _schemata(self) -> pa.Table:
        names = [".".join(path) for path in self.schemas()] + ["INFORMATION_SCHEMA", "sys"]
        rows = [(CATALOG, name, "<owner>", "SIMPLE", "NO") for name in names]
        return _table(["CATALOG_NAME", "SCHEMA_NAME", "SCHEMA_OWNER", "TYPE", "IS_MUTABLE"], rows)

    def _tables(self) -> pa.Table:
        rows = [(CATALOG, ".".join(path[:-1]), path[-1], kind) for path, kind, _, _ in self.datasets()]
        return _table(["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE"], rows)

    def _views(self) -> pa.Table:
        rows = [
            (CATALOG, ".".join(path[:-1]), path[-1], sql)
            for path, kind, _, sql in self.datasets()
            if kind == "VIEW"
        ]
        return _table(["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION"], rows)

    def _all_columns(self) -> pa.Table:
        rows: list[tuple[Any, ...]] = []
        for path, _, columns, _ in self.datasets():
            for position, column in enumerate(columns, start=1):
                base, precision, scale = _numeric(column.type)
                nullable = "YES" if column.nullable else "NO"
                length = _TEXT_LENGTH if base == "CHARACTER VARYING" else None
                sizes = (
                    length,
                    length,
                    length,
                    precision,
                    10 if precision else None,
                    scale,
                    None,
                    None,
                    None,
                )
                schema = ".".join(path[:-1])
                rows.append((CATALOG, schema, path[-1], column.name, position, None, nullable, base, *sizes))
        text = ["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME"]
        names = [*text, "ORDINAL_POSITION", "COLUMN_DEFAULT", "IS_NULLABLE", "DATA_TYPE", *_COLUMN_SIZES]
        integers = {"ORDINAL_POSITION", *_COLUMN_SIZES} - {"INTERVAL_TYPE"}
        return _table(names, rows, {name: pa.int32() for name in integers})

    def _catalogs(self) -> pa.Table:
        return _table(["CATALOG_NAME", "CATALOG_DESCRIPTION", "CATALOG_CONNECT"], [(CATALOG, "", "")])

    def _version(self) -> pa.Table:
        return _table(["version", "commit_id", "build_email"], [(f"local-engine-{__version__}", "", "")])

    def _reflections(self) -> pa.Table:
        rows = []
        for row in self._store.rows("SELECT * FROM reflections ORDER BY id"):
            body = json.loads(row["body"])
            spec = body["definition"]
            dataset = ".".join(f'"{part}"' for part in json.loads(row["dataset"]))
            rows.append(
                (
                    row["id"], spec["name"], spec["type"], body.get("status", "UNKNOWN"), dataset,
                    _names(spec.get("displayFields")), _names(spec.get("dimensionFields")), _names(spec.get("measureFields")),
                    _names(spec.get("sortFields")), _names(spec.get("partitionFields")),
                    _names(spec.get("distributionFields")), "", False,
                )
            )  # fmt: skip
        names = [
            "reflection_id", "reflection_name", "type", "status", "dataset_name", "display_columns", "dimensions", "measures",
            "sort_columns", "partition_columns", "distribution_columns", "external_reflection", "arrow_cache",
        ]  # fmt: skip
        return _table(names, rows, {"arrow_cache": pa.bool_()})

    def _jobs(self) -> pa.Table:
        rows = []
        for row in self._store.rows("SELECT * FROM jobs ORDER BY started_at DESC LIMIT 10000"):
            profile = json.loads(row["profile"] or "{}")
            accelerated = any(use["relationship"] == "CHOSEN" for use in profile.get("reflections", []))
            rows.append(
                (
                    row["id"], row["state"], row["client"], row["user"], profile.get("datasets", ""), row["sql"],
                    _time(row["started_at"]), _time(row["ended_at"]), row["row_count"], accelerated, row["error"] or "",
                )
            )  # fmt: skip
        names = [
            "job_id", "status", "query_type", "user_name", "queried_datasets", "query", "submitted_ts", "final_state_ts",
            "rows_returned", "accelerated", "error_msg",
        ]  # fmt: skip
        types = {
            "submitted_ts": pa.timestamp("ms"), "final_state_ts": pa.timestamp("ms"), "rows_returned": pa.int64(),
            "accelerated": pa.bool_(),
        }  # fmt: skip
        return _table(names, rows, types)

    def _snapshots(self, path: Path) -> pa.Table | None:
        lake = self._namespace.lake(path)
        table = lake.table(".".join(path[1:-1]), path[-1]) if lake else None
        if table is None:
            return None
        rows = [
            (
                _time(s.timestamp_ms),
                str(s.snapshot_id),
                str(s.parent_snapshot_id or ""),
                s.summary.operation.value if s.summary else "",
            )
            for s in table.snapshots()
        ]
        return _table(
            ["committed_at", "snapshot_id", "parent_id", "operation"],
            rows,
            {"committed_at": pa.timestamp("ms")},
        )


def _table(names: list[str], rows: list[Any], types: dict[str, pa.DataType] | None = None) -> pa.Table:
    schema = pa.schema([(name, (types or {}).get(name, pa.string())) for name in names])
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.Table.from_arrays(
        [pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
    )


def _numeric(name: str) -> tuple[str, int | None, int | None]:
    if not name.startswith("DECIMAL"):
        return name, None, None
    precision, scale = name[8:-1].split(",")
    return "DECIMAL", int(precision), int(scale)


def _names(fields: list[dict[str, Any]] | None) -> str:
    return ", ".join(field["name"] for field in fields or [])


def _time(epoch_ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).replace(tzinfo=None) if epoch_ms else None
