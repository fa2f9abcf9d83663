"""Dremio's catalogue: sources, spaces, folders, tables and views by path. Paths compare in any case."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lakehouse.embedded.dremio.errors import BadRequestError, ConflictError, NotFoundError
from lakehouse.embedded.dremio.executor import Executor
from lakehouse.embedded.dremio.files import FileSource
from lakehouse.embedded.dremio.lakes import Lake, LakeConfig
from lakehouse.embedded.dremio.sql.model import Path
from lakehouse.embedded.dremio.store import Store, to_json

SOURCE_TYPES = ("SQLCATALOG", "NAS", "S3")
EXISTS = "An object already exists with that name"


@dataclass(frozen=True)
class Entity:
    """A stored catalogue entry: `kind` is source, space, folder or view; a view's body holds sql and columns."""

    id: str
    kind: str
    path: Path
    body: dict[str, Any]


class Namespace:
    """All named things but system tables."""

    def __init__(self, store: Store, executor: Executor) -> None:
        self._store = store
        self._executor = executor
        self._opened: dict[str, Lake | FileSource] = {}

    # --- stored entities

    def entity(self, path: Path) -> Entity | None:
        """The stored entry at that path."""
        row = self._store.row("SELECT * FROM entities WHERE path = ?", _key(path))
        return _entity(row) if row else None

    def by_id(self, entity_id: str) -> Entity | None:
        """The stored entry of that id."""
        row = self._store.row("SELECT * FROM entities WHERE id = ?", entity_id)
        return _entity(row) if row else None

    def entities(self, kind: str | None = None) -> list[Entity]:
        """All stored entries, in the order of their paths."""
        rows = self._store.rows("SELECT * FROM entities ORDER BY path")
        return [_entity(row) for row in rows if kind in (None, row["kind"])]

    def add(self, kind: str, path: Path, body: dict[str, Any]) -> Entity:
        """Store a new entry. Raises ConflictError when the path is taken."""
        if self.entity(path) is not None:
            raise ConflictError(f"{EXISTS}: {'.'.join(path)}")
        entity = Entity(str(uuid.uuid4()), kind, path, body)
        self._store.write(
            "INSERT INTO entities VALUES (?, ?, ?, ?, ?, ?)",
            entity.id, kind, _key(path), to_json(list(path)), to_json(body), int(time.time() * 1000),
        )  # fmt: skip
        return entity

    def replace_body(self, entity: Entity, body: dict[str, Any]) -> None:
        """Give an entry a new body."""
        self._store.write("UPDATE entities SET body = ? WHERE id = ?", to_json(body), entity.id)

    def remove(self, entity: Entity) -> None:
        """Forget an entry and all below it; a source's data stays where it is."""
        prefix = _key(entity.path)
        with self._store.transaction() as connection:
            connection.execute(
                "DELETE FROM entities WHERE path = ? OR substr(path, 1, ?) = ?",
                (prefix, len(prefix) + 1, prefix + "\x1f"),
            )
        self._opened.pop(entity.path[0].lower(), None)

    # --- sources

    def create_source(self, name: str, source_type: str, config: dict[str, Any]) -> Entity:
        """Register a source after opening it once.

        Raises:
            BadRequestError: an unknown type or config key, or a place that cannot be opened.
            ConflictError: the name is taken.
        """
        if source_type not in SOURCE_TYPES:
            raise BadRequestError(
                f"source type {source_type} is not supported by the local engine; known are {', '.join(SOURCE_TYPES)}"
            )
        self._open(source_type, config)
        return self.add("source", (name,), {"type": source_type, "config": config})

    def source(self, name: str) -> Lake | FileSource | None:
        """The opened source of that name."""
        opened = self._opened.get(name.lower())
        if opened is None:
            entity = self.entity((name,))
            if entity is None or entity.kind != "source":
                return None
            opened = self._open(entity.body["type"], entity.body["config"])
            self._opened[name.lower()] = opened
        return opened

    def lake(self, path: Path) -> Lake | None:
        """The SQLCATALOG source that a path begins with."""
        source = self.source(path[0])
        return source if isinstance(source, Lake) else None

    def lakes(self) -> Iterator[tuple[str, Lake]]:
        """(name, source) of all SQLCATALOG sources."""
        for entity in self.entities("source"):
            source = self.source(entity.path[0])
            if isinstance(source, Lake):
                yield entity.path[0], source

    def _open(self, source_type: str, config: dict[str, Any]) -> Lake | FileSource:
        if source_type == "SQLCATALOG":
            lake_config = LakeConfig.from_source(config)
            if lake_config.warehouse.startswith("s3://"):
                self._executor.load_s3(lake_config.properties)
            lake = Lake(lake_config)
            lake.namespaces()
            return lake
        source = FileSource.from_source(source_type, config)
        if source.s3_options:
            self._executor.load_s3(source.s3_options)
        return source

    # --- folders

    def create_folder(self, path: Path) -> Entity:
        """A folder in a space, or a namespace of an SQLCATALOG source.

        Raises:
            NotFoundError: what it would be in is not there. ConflictError: it exists.
        """
        parent = self.entity(path[:1])
        if parent is None:
            raise NotFoundError(f"no source or space {path[0]}")
        lake = self.lake(path)
        if lake is not None:
            if not lake.create_namespace(".".join(path[1:])):
                raise ConflictError(f"{EXISTS}: {'.'.join(path)}")
            return Entity(folder_id(path), "folder", path, {})
        if parent.kind == "source":
            raise BadRequestError(f"Can not create a folder inside a [SOURCE]: {path[0]}")
        return self.add("folder", path, {})

    def has_folder(self, path: Path) -> bool:
        """Whether a folder or namespace of that path is there."""
        entity = self.entity(path)
        if entity is not None:
            return entity.kind in ("source", "space", "folder")
        lake = self.lake(path)
        if lake is None:
            return False
        wanted = ".".join(path[1:]).lower()
        return any(
            name.lower() == wanted or name.lower().startswith(wanted + ".") for name in lake.namespaces()
        )


def folder_id(path: Path) -> str:
    """Ids of folders and tables that live in a source: stable, made of the path."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "dremio:" + _key(path)))


def _key(path: Path) -> str:
    return "\x1f".join(part.lower() for part in path)


def _entity(row: Any) -> Entity:
    return Entity(row["id"], row["kind"], tuple(json.loads(row["display"])), json.loads(row["body"]))
