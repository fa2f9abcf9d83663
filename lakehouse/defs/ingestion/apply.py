"""The declared connections in whichever Airbyte is configured: created, or changed where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from lakehouse.clients.airbyte import AirbyteClient, Kind, id_of
from lakehouse.defs.ingestion.declaration import FOLDER, Connection, declarations
from lakehouse.defs.ingestion.references import resolve
from lakehouse.settings import Settings, environment

DESTINATION = "lake"
PATH_FORMAT = "${NAMESPACE}/${STREAM_NAME}/date=${YEAR}-${MONTH}-${DAY}/${EPOCH}_"


@dataclass(frozen=True)
class Change:
    """What became of one source, destination or connection."""

    kind: Kind
    name: str
    action: Literal["created", "updated", "unchanged"]


def apply_connections(settings: Settings, folder: Path = FOLDER) -> list[Change]:
    """Create or update the destination and every declared source and connection; safe to repeat.

    They are found by name, which must be unique in the workspace. Every reference is resolved before the
    first call, so that a missing one changes nothing.

    Raises:
        ConfigurationError: a wrong declaration or an unresolved reference; names file, key and variable.
        ServiceDownError, ServiceRefusedError: Airbyte is down, or refuses credentials or a configuration.
    """
    environ = environment(settings)
    declared = declarations(folder)
    configurations = {
        path: resolve(d.source.configuration, environ, where=f"{path}: source.configuration")
        for path, d in declared.items()
    }
    with AirbyteClient(settings.airbyte) as airbyte:
        apply = _Applier(airbyte)
        destination = apply.ensure("destinations", DESTINATION, {"configuration": destination_of(settings)})
        for path, declaration in declared.items():
            source = apply.ensure("sources", declaration.source.name, {"configuration": configurations[path]})
            body = {
                "sourceId": source,
                "destinationId": destination,
                **_connection_body(declaration.connection),
            }
            apply.ensure("connections", declaration.connection.name, body)
        return apply.changes


def destination_of(settings: Settings) -> dict[str, Any]:
    """The destination-s3 configuration that writes the lake's landing.

    A `file://` lake goes in as `s3_endpoint`, which only the embedded server understands.
    """
    lake = urlsplit(settings.lake)
    common = {
        "destinationType": "s3",
        "s3_path_format": PATH_FORMAT,
        "format": {"format_type": "Parquet", "compression_codec": "SNAPPY"},
    }
    if lake.scheme == "file":
        return {
            **common,
            "s3_bucket_name": "lake",
            "s3_bucket_path": "landing",
            "s3_bucket_region": "",
            "s3_endpoint": settings.lake,
        }
    s3 = settings.s3
    secret = s3.secret_access_key.get_secret_value() if s3.secret_access_key else None
    optional = {
        "s3_endpoint": s3.endpoint,
        "access_key_id": s3.access_key_id,
        "secret_access_key": secret,
    }
    return {
        **common,
        "s3_bucket_name": lake.netloc,
        "s3_bucket_path": f"{lake.path.strip('/')}/landing".strip("/"),
        "s3_bucket_region": s3.region or "",
        **{key: value for key, value in optional.items() if value},
    }


def _connection_body(connection: Connection) -> dict[str, Any]:
    streams = []
    for stream in connection.streams:
        configured: dict[str, Any] = {"name": stream.name, "syncMode": stream.sync_mode}
        if stream.cursor_field:
            configured["cursorField"] = stream.cursor_field
        if stream.primary_key:
            configured["primaryKey"] = stream.primary_key
        streams.append(configured)
    return {
        "namespaceDefinition": "custom_format",
        "namespaceFormat": connection.namespace,
        "configurations": {"streams": streams},
        "schedule": {"scheduleType": "manual"},
    }


class _Applier:
    def __init__(self, airbyte: AirbyteClient) -> None:
        self._airbyte = airbyte
        self.changes: list[Change] = []

    def ensure(self, kind: Kind, name: str, body: dict[str, Any]) -> str:
        """The id of the one of that name, after it is as declared."""
        existing = self._airbyte.find(kind, name)
        if existing is None:
            made = self._airbyte.create(kind, {"name": name, **body})
            self.changes.append(Change(kind, name, "created"))
            return id_of(kind, made)
        known = _agrees(body, existing)
        if known is not True:
            # Airbyte masks secrets: whether they are still right cannot be seen, so they are sent again.
            self._airbyte.patch(kind, id_of(kind, existing), {"name": name, **body})
        self.changes.append(Change(kind, name, "updated" if known is False else "unchanged"))
        return id_of(kind, existing)


def _agrees(wanted: Any, have: Any) -> bool | None:
    """Whether all that is wanted is there; None when only a masked secret is in doubt."""
    if isinstance(have, str) and have and not have.strip("*"):
        return None
    if isinstance(wanted, Mapping):
        if not isinstance(have, Mapping):
            return False
        return _all(_agrees(value, have.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(have, list) or len(wanted) != len(have):
            return False
        if all(isinstance(item, Mapping) and "name" in item for item in [*wanted, *have]):
            by_name = {item["name"]: item for item in have}
            return _all(_agrees(item, by_name.get(item["name"])) for item in wanted)
        return _all(_agrees(a, b) for a, b in zip(wanted, have, strict=True))
    return bool(wanted == have)


def _all(answers: Any) -> bool | None:
    seen = list(answers)
    if False in seen:
        return False
    return None if None in seen else True
