"""Sources of type SQLCATALOG: Iceberg tables of a pyiceberg SQL catalogue, which other processes write too."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.table import Table
from sqlalchemy import text

from lakehouse.embedded.dremio.errors import BadRequestError

CATALOG_NAME = "lake"  # the name under which the platform registers its tables in the same database
_GOLD = "gold"


@dataclass(frozen=True)
class LakeConfig:
    """`config` of the source: SQLAlchemy URL, warehouse URL, storage options for pyiceberg (`s3.endpoint`, ...)."""

    uri: str
    warehouse: str
    properties: dict[str, str]

    @classmethod
    def from_source(cls, config: dict[str, Any]) -> LakeConfig:
        """Read a source's config. Raises BadRequestError naming a missing or unknown key."""
        known = {"uri", "warehouse", "propertyList"}
        unknown = sorted(set(config) - known)
        missing = sorted({"uri", "warehouse"} - set(config))
        if unknown or missing:
            problem = f"unknown {', '.join(unknown)}" if unknown else f"missing {', '.join(missing)}"
            raise BadRequestError(
                f"config of an SQLCATALOG source: {problem}; known are {', '.join(sorted(known))}"
            )
        properties = {item["name"]: item["value"] for item in config.get("propertyList") or []}
        return cls(config["uri"], config["warehouse"].rstrip("/"), properties)


class Lake:
    """One SQLCATALOG source. Tables are cached by metadata location, which never changes its content."""

    def __init__(self, config: LakeConfig) -> None:
        self.config = config
        self._tables: dict[tuple[str, str], tuple[str, Table]] = {}
        self._locks: dict[tuple[str, str], threading.RLock] = {}
        self._guard = threading.Lock()

    @cached_property
    def catalog(self) -> SqlCatalog:
        """The pyiceberg catalogue; its tables are created when missing."""
        if self.config.uri.startswith("sqlite:///"):
            from pathlib import Path

            Path(self.config.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return SqlCatalog(
            CATALOG_NAME, uri=self.config.uri, warehouse=self.config.warehouse, **self.config.properties
        )

    def lock(self, namespace: str, name: str) -> threading.RLock:
        """Serialises this engine's writers of one table."""
        with self._guard:
            return self._locks.setdefault((namespace.lower(), name.lower()), threading.RLock())

    def namespaces(self) -> list[str]:
        """Names of all namespaces, those that only hold tables included."""
        return sorted(".".join(parts) for parts in self.catalog.list_namespaces())

    def create_namespace(self, name: str) -> bool:
        """True when it was created now."""
        try:
            self.catalog.create_namespace(name)
        except NamespaceAlreadyExistsError:
            return False
        return True

    def locations(self) -> dict[tuple[str, str], str]:
        """(namespace, table) -> metadata location of every table, in one query."""
        query = "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables WHERE catalog_name = :c"
        with self.catalog.engine.connect() as connection:
            rows = connection.execute(text(query), {"c": CATALOG_NAME}).fetchall()
        return {(str(row[0]), str(row[1])): str(row[2]) for row in rows}

    def table(self, namespace: str, name: str) -> Table | None:
        """The table as it is now, matched in any case; None when there is none."""
        query = (
            "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables "
            "WHERE catalog_name = :c AND lower(table_namespace) = :n AND lower(table_name) = :t"
        )
        parameters = {"c": CATALOG_NAME, "n": namespace.lower(), "t": name.lower()}
        with self.catalog.engine.connect() as connection:
            row = connection.execute(text(query), parameters).fetchone()
        if row is None:
            return None
        return self._load(str(row[0]), str(row[1]), str(row[2]))

    def tables(self) -> dict[tuple[str, str], Table]:
        """Every table as it is now."""
        found = {key: self._load(*key, location) for key, location in self.locations().items()}
        return {key: table for key, table in found.items() if table is not None}

    def _load(self, namespace: str, name: str, location: str) -> Table | None:
        cached = self._tables.get((namespace, name))
        if cached is not None and cached[0] == location:
            return cached[1]
        try:
            table = self.catalog.load_table((namespace, name))
        except NoSuchTableError:
            return None
        self._tables[(namespace, name)] = (table.metadata_location, table)
        return table

    def table_location(self, namespace: str, name: str) -> str:
        """`<warehouse>/<namespace>/<table>`."""
        return f"{self.config.warehouse}/{namespace.replace('.', '/')}/{name}"

    def drop(self, namespace: str, name: str) -> None:
        """Remove the table from the catalogue, then its files: a crash in between leaves only orphan files."""
        self.catalog.purge_table((namespace, name))
        self._tables.pop((namespace, name), None)


def table_properties(namespace: str) -> dict[str, str]:
    """Parquet as the specification has it: zstd for gold, snappy elsewhere."""
    return {
        "write.parquet.compression-codec": "zstd"
        if namespace.split(".", maxsplit=1)[0] == _GOLD
        else "snappy",
        "write.parquet.row-group-limit": "1000000",
        "write.parquet.page-size-bytes": str(1024 * 1024),
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.previous-versions-max": "20",
    }
