"""The declared connections in whichever Airbyte is configured: created, or changed where they differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from lakehouse.clients.airbyte import AirbyteClient, Kind, id_of
from lakehouse.defs.ingestion.declaration import CONTINUOUS, FOLDER, Connection, Source, declarations
from lakehouse.defs.ingestion.differences import Difference, differences
from lakehouse.defs.ingestion.references import resolve
from lakehouse.errors import ConfigurationError, ServiceRefusedError
from lakehouse.settings import Settings, environment

DESTINATION = "lake"
PATH_FORMAT = "${NAMESPACE}/${STREAM_NAME}/date=${YEAR}-${MONTH}-${DAY}/${EPOCH}_"


@dataclass(frozen=True)
class Change:
    """What becomes of one source, destination or connection."""

    kind: Kind
    name: str
    action: Literal["created", "updated", "unchanged", "deleted", "failed"]
    differences: tuple[Difference, ...] = ()
    error: ServiceRefusedError | None = None
    """Why it failed."""


def apply_connections(
    settings: Settings,
    folder: Path = FOLDER,
    *,
    names: Collection[str] | None = None,
    prune: bool = False,
    dry_run: bool = False,
) -> list[Change]:
    """Create or update the destination and every declared source and connection; safe to repeat.

    They are found by name, which must be unique in the workspace. Every reference is resolved before the
    first call, so that a missing one changes nothing. A connection that Airbyte refuses is told among the
    changes, and the others are applied.

    Args:
        settings: where Airbyte and the lake are.
        folder: holds the declarations, `<name>/defs.yaml`.
        names: the connections to apply, with their sources; all that are declared when None or empty.
        prune: delete connections to the lake's destination that nothing declares; their sources stay.
        dry_run: only say what would become of each.

    Raises:
        ConfigurationError: a wrong declaration or an unresolved reference; names file, key and variable. Or a
            name that nothing declares.
        ServiceDownError, ServiceRefusedError: Airbyte is down, or refuses credentials or the destination.
    """
    environ = environment(settings)
    declared = declarations(folder)
    known = {declaration.connection.name for declaration in declared.values()}
    for name in names or ():
        if name not in known:
            remedy = f"declared are {', '.join(sorted(known)) or 'none'}"
            raise ConfigurationError(f"no connection is named {name!r}", remedy=remedy)
    chosen = {path: d for path, d in declared.items() if not names or d.connection.name in names}
    configurations = {
        path: resolve(d.source.configuration, environ, where=f"{path}: source.configuration")
        for path, d in chosen.items()
    }
    with AirbyteClient(settings.airbyte) as airbyte:
        apply = _Applier(airbyte, dry_run=dry_run)
        destination = apply.destination(settings)
        for path, declaration in chosen.items():
            try:
                apply.connection(
                    declaration.source, configurations[path], declaration.connection, destination
                )
            except ServiceRefusedError as error:
                apply.changes.append(
                    Change("connections", declaration.connection.name, "failed", error=error)
                )
        if prune:
            apply.prune(destination, known)
        return apply.changes


def require_applied(changes: Sequence[Change]) -> None:
    """Raises the error of the first connection that failed."""
    for change in changes:
        if change.error is not None:
            raise change.error


def drift_of(settings: Settings, source: Source, connection: Connection) -> list[Change]:
    """What would become of one declared connection, its source and the destination; nothing is changed.

    Raises:
        ConfigurationError, ServiceDownError, ServiceRefusedError: as `apply_connections` does.
    """
    where = f"connection {connection.name}: source.configuration"
    configuration = resolve(source.configuration, environment(settings), where=where)
    with AirbyteClient(settings.airbyte) as airbyte:
        apply = _Applier(airbyte, dry_run=True)
        apply.connection(source, configuration, connection, apply.destination(settings))
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
        if stream.selected_fields:
            configured[_SELECTED] = [{"fieldPath": [field]} for field in stream.selected_fields]
        streams.append(configured)
    return {
        "namespaceDefinition": "custom_format",
        "namespaceFormat": connection.namespace,
        "prefix": "",
        "configurations": {"streams": streams},
        "schedule": _schedule(connection.schedule),
        "nonBreakingSchemaUpdatesBehavior": connection.non_breaking_schema_updates,
        "status": connection.status,
    }


def _schedule(declared: str) -> dict[str, str]:
    if declared == "manual":
        return {"scheduleType": "manual"}
    return {
        "scheduleType": "cron",
        "cronExpression": CONTINUOUS if declared == "continuous" else declared,
    }


_SELECTED = "selectedFields"


def _all_selected(connection: dict[str, Any]) -> dict[str, Any]:
    """A connection, declared or live, whose streams say that they land every field where they say nothing."""
    streams = [{**stream, _SELECTED: stream.get(_SELECTED) or []} for stream in _streams_of(connection)]
    return {**connection, "configurations": {"streams": streams}}


def _streams_of(connection: dict[str, Any]) -> list[dict[str, Any]]:
    return list((connection.get("configurations") or {}).get("streams") or [])


def without_zone(live: dict[str, Any]) -> dict[str, Any]:
    """A live connection whose cron expression is as declarations write it: Airbyte may append the zone.

    >>> without_zone({"schedule": {"cronExpression": "0 0 * * * ? UTC"}})
    {'schedule': {'cronExpression': '0 0 * * * ?'}}
    """
    schedule = live.get("schedule") or {}
    if "cronExpression" not in schedule:
        return live
    return {
        **live,
        "schedule": {**schedule, "cronExpression": schedule["cronExpression"].removesuffix(" UTC")},
    }


_NEW = "(new)"
"""Stands for the id of what a dry run would create."""
_CREDENTIALS = {"access_key_id", "secret_access_key"}


class _Applier:
    def __init__(self, airbyte: AirbyteClient, *, dry_run: bool) -> None:
        self._airbyte = airbyte
        self._dry_run = dry_run
        self.changes: list[Change] = []

    def destination(self, settings: Settings) -> str:
        """The id of the lake's destination, after it is as the settings say."""
        configuration = destination_of(settings)
        shown = dict.fromkeys(_CREDENTIALS & configuration.keys(), "(from the settings)")
        body = {"configuration": configuration}
        return self.ensure(
            "destinations", DESTINATION, body, written={"configuration": configuration | shown}
        )

    def connection(
        self, source: Source, configuration: dict[str, Any], connection: Connection, destination: str
    ) -> None:
        """Source and connection, after they are as declared; `configuration` is the source's, resolved."""
        written = {"configuration": source.configuration}
        source_id = self.ensure("sources", source.name, {"configuration": configuration}, written=written)
        body = {"sourceId": source_id, "destinationId": destination, **_connection_body(connection)}
        self.ensure("connections", connection.name, body)

    def ensure(
        self, kind: Kind, name: str, body: dict[str, Any], *, written: dict[str, Any] | None = None
    ) -> str:
        """The id of the one of that name, after it is as declared; `written` is the body without secrets."""
        existing = self._airbyte.find(kind, name)
        if existing is None:
            self.changes.append(Change(kind, name, "created"))
            return _NEW if self._dry_run else id_of(kind, self._airbyte.create(kind, {"name": name, **body}))
        if kind == "connections":
            compared = differences(_all_selected(body), _all_selected(without_zone(existing)))
        else:
            compared = differences(body, existing, written=written)
        found = list(compared)
        if found and not self._dry_run:
            # Airbyte masks secrets: whether they are still right cannot be seen, so they are sent again.
            self._airbyte.patch(kind, id_of(kind, existing), {"name": name, **body})
        seen = tuple(difference for difference in found if not difference.masked)
        self.changes.append(Change(kind, name, "updated" if seen else "unchanged", seen))
        return id_of(kind, existing)

    def prune(self, destination: str, declared: set[str]) -> None:
        """Deletes the connections to the destination that are not declared."""
        for connection in self._airbyte.list("connections"):
            if connection["destinationId"] == destination and connection["name"] not in declared:
                self.changes.append(Change("connections", connection["name"], "deleted"))
                if not self._dry_run:
                    self._airbyte.delete("connections", id_of("connections", connection))
