"""/api/v3/catalog: sources, spaces, folders, datasets, wiki and tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lakehouse.embedded.dremio.engine import Engine
from lakehouse.embedded.dremio.errors import BadRequestError, ConflictError, NotFoundError
from lakehouse.embedded.dremio.namespace import Entity
from lakehouse.embedded.dremio.rest.ids import dataset_id
from lakehouse.embedded.dremio.sql.model import Path, Relation, SqlError
from lakehouse.embedded.dremio.store import Store, to_json
from lakehouse.embedded.dremio.system import SystemTables

if TYPE_CHECKING:
    from lakehouse.embedded.dremio.rest.application import Call

_SECRETS = frozenset({"accessSecret", "secretPropertyList", "password"})
_SECRET_PROPERTIES = ("secret", "password", "credential", "token")
_MASK = "$DREMIO_EXISTING_VALUE$"
_COLLABORATION = {"wiki": "text", "tag": "tags"}


class CatalogApi:
    """The catalogue over REST."""

    def __init__(self, store: Store, engine: Engine, system: SystemTables) -> None:
        self._store = store
        self._namespace = engine.namespace
        self._engine = engine
        self._system = system

    def roots(self, _: Call) -> dict[str, Any]:
        """GET /api/v3/catalog: sources and spaces."""
        found = [e for e in self._namespace.entities() if len(e.path) == 1]
        return {
            "data": [
                {"id": e.id, "path": list(e.path), "type": "CONTAINER", "containerType": e.kind.upper()}
                for e in found
            ]
        }

    def create(self, call: Call) -> dict[str, Any]:
        """POST /api/v3/catalog for a source, space or folder."""
        body = call.body
        match body.get("entityType"):
            case "source":
                if not body.get("name") or not isinstance(body.get("config"), dict):
                    raise BadRequestError("a source needs name, type and config")
                entity = self._namespace.create_source(
                    str(body["name"]), str(body.get("type")), body["config"]
                )
            case "space":
                if not body.get("name"):
                    raise BadRequestError("a space needs a name")
                entity = self._namespace.add("space", (str(body["name"]),), {})
            case "folder":
                path = body.get("path")
                if not isinstance(path, list) or len(path) < 2:
                    raise BadRequestError("a folder needs a path of at least two parts")
                entity = self._namespace.create_folder(tuple(str(part) for part in path))
            case other:
                raise BadRequestError(f"entityType must be source, space or folder, not {other!r}")
        return self._entity(entity)

    def by_path(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/catalog/by-path/{a}/{b}."""
        path = tuple(unquote(part).strip('"') for part in call.path["path"].split("/") if part)
        return self._described(path)

    def get(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/catalog/{id}."""
        return self._described(self.path_of(call.path["id"]))

    def delete(self, call: Call) -> None:
        """DELETE /api/v3/catalog/{id}: a source, space, folder or view; a table is dropped by SQL."""
        path = self.path_of(call.path["id"])
        entity = self._namespace.entity(path)
        if entity is not None:
            self._namespace.remove(entity)
            return
        lake = self._namespace.lake(path)
        if lake is None or len(path) < 3 or lake.table(".".join(path[1:-1]), path[-1]) is None:
            raise BadRequestError(f"{'.'.join(path)} cannot be deleted here")
        lake.drop(".".join(path[1:-1]), path[-1])

    def read_collaboration(self, call: Call) -> dict[str, Any]:
        """GET .../collaboration/wiki|tag."""
        kind = _kind(call)
        row = self._store.row(
            "SELECT * FROM collaboration WHERE entity_id = ? AND kind = ?", call.path["id"], kind
        )
        if row is None:
            self.path_of(call.path["id"])
            raise NotFoundError(f"no {kind} for {call.path['id']}")
        return {_COLLABORATION[kind]: json.loads(row["body"]), "version": row["version"]}

    def write_collaboration(self, call: Call) -> dict[str, Any]:
        """POST .../collaboration/wiki|tag {text|tags, version}: the version is the one that was read."""
        kind = _kind(call)
        self.path_of(call.path["id"])
        key = _COLLABORATION[kind]
        if key not in call.body:
            raise BadRequestError(f"{key} is required")
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT version FROM collaboration WHERE entity_id = ? AND kind = ?", (call.path["id"], kind)
            ).fetchone()
            sent = call.body.get("version")
            if row is not None and str(sent) != str(row["version"]):
                raise ConflictError(f"the {kind} was changed by somebody else; read it again")
            version = (row["version"] if row else 0) + 1
            connection.execute(
                "INSERT OR REPLACE INTO collaboration VALUES (?, ?, ?, ?)",
                (call.path["id"], kind, version, to_json(call.body[key])),
            )
        return {key: call.body[key], "version": version}

    def path_of(self, entity_id: str) -> Path:
        """The path behind an id. Raises NotFoundError."""
        entity = self._namespace.by_id(entity_id)
        if entity is not None:
            return entity.path
        for path in self._paths():
            if dataset_id(path) == entity_id:
                return path
        raise NotFoundError(f"no entity {entity_id}")

    def id_of(self, path: Path) -> str:
        """The id of whatever is at a path."""
        entity = self._namespace.entity(path)
        return entity.id if entity is not None else dataset_id(path)

    def _paths(self) -> list[Path]:
        return [path for path, *_ in self._system.datasets()] + self._system.schemas()

    def _described(self, path: Path) -> dict[str, Any]:
        entity = self._namespace.entity(path)
        if entity is not None:
            return self._entity(entity)
        if path and self._namespace.has_folder(path):
            return self._entity(Entity(dataset_id(path), "folder", path, {}))
        try:
            relation = self._engine.resolver().resolve(path)
        except (SqlError, IndexError):
            raise NotFoundError(f"Could not find entity with path [{', '.join(path)}]") from None
        return _dataset(dataset_id(relation.path), relation)

    def _entity(self, entity: Entity) -> dict[str, Any]:
        common: dict[str, Any] = {"id": entity.id, "tag": entity.id}
        match entity.kind:
            case "view":
                relation = self._engine.resolver().resolve(entity.path)
                return {**_dataset(entity.id, relation), "sql": entity.body["sql"]}
            case "source":
                return {
                    **common,
                    "entityType": "source",
                    "name": entity.path[0],
                    "type": entity.body["type"],
                    "config": _masked(entity.body["config"]),
                    "state": {"status": "good", "suggestedUserAction": "", "messages": []},
                    "children": self._children(entity.path),
                }
            case "space":
                return {
                    **common,
                    "entityType": "space",
                    "name": entity.path[0],
                    "children": self._children(entity.path),
                }
            case _:
                return {
                    **common,
                    "entityType": "folder",
                    "path": list(entity.path),
                    "children": self._children(entity.path),
                }

    def _children(self, parent: Path) -> list[dict[str, Any]]:
        prefix = tuple(part.lower() for part in parent)
        children: dict[Path, dict[str, Any]] = {}
        for path in self._system.schemas():
            if len(path) == len(prefix) + 1 and tuple(part.lower() for part in path[:-1]) == prefix:
                children[path] = {
                    "id": self.id_of(path),
                    "path": list(path),
                    "type": "CONTAINER",
                    "containerType": "FOLDER",
                }
        for path, kind, _, _ in self._system.datasets():
            if len(path) == len(prefix) + 1 and tuple(part.lower() for part in path[:-1]) == prefix:
                dataset_type = "VIRTUAL" if kind == "VIEW" else "PROMOTED"
                children[path] = {
                    "id": self.id_of(path),
                    "path": list(path),
                    "type": "DATASET",
                    "datasetType": dataset_type,
                }
        return list(children.values())


def _dataset(entity_id: str, relation: Relation) -> dict[str, Any]:
    kind = "VIRTUAL_DATASET" if relation.kind == "view" else "PHYSICAL_DATASET"
    fields = [{"name": c.name, "type": {"name": c.type.split("(")[0]}} for c in relation.columns]
    return {
        "entityType": "dataset", "id": entity_id, "tag": entity_id, "type": kind, "path": list(relation.path), "fields": fields,
    }  # fmt: skip


def _kind(call: Call) -> str:
    kind = call.path["kind"]
    if kind not in _COLLABORATION:
        raise NotFoundError(f"collaboration {kind} is not served; known are {', '.join(_COLLABORATION)}")
    return kind


def _masked(config: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {key: _MASK if key in _SECRETS else value for key, value in config.items()}
    if isinstance(shown.get("propertyList"), list):
        shown["propertyList"] = [
            {
                **item,
                "value": _MASK
                if any(word in item["name"].lower() for word in _SECRET_PROPERTIES)
                else item["value"],
            }
            for item in shown["propertyList"]
        ]
    return shown
