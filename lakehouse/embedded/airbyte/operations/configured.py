"""The configuration API's words for a connection, in those of the public API that `Connections` understands."""

from __future__ import annotations

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.catalog import SYNC_MODES
from lakehouse.embedded.airbyte.configuration_requests import (
    CatalogEntry,
    CreateConfiguredConnection,
    UpdateConnection,
)
from lakehouse.embedded.airbyte.requests import (
    CreateConnection,
    PatchConnection,
    SelectedField,
    StreamConfiguration,
    StreamConfigurations,
)

_NAMESPACES = {"customformat": "custom_format"}
_SCHEMA_UPDATES = {"disable": "disable_connection"}
_MODES = {modes: name for name, modes in SYNC_MODES.items()}


def creation(body: CreateConfiguredConnection) -> CreateConnection:
    """connections/create. Raises ApiError."""
    given = patch(body)
    return CreateConnection(
        source_id=body.source_id,
        destination_id=body.destination_id,
        name=given.name,
        configurations=given.configurations,
        namespace_definition=given.namespace_definition or "destination",
        namespace_format=given.namespace_format,
        prefix=given.prefix or "",
        non_breaking_schema_updates_behavior=given.non_breaking_schema_updates_behavior or "ignore",
        status=given.status or "active",
    )


def patch(body: CreateConfiguredConnection | UpdateConnection) -> PatchConnection:
    """connections/update. Raises ApiError."""
    definition, behavior = body.namespace_definition, body.non_breaking_changes_preference
    return PatchConnection(
        name=body.name,
        configurations=None if body.sync_catalog is None else _selection(body.sync_catalog.streams),
        namespace_definition=_NAMESPACES.get(definition or "", definition),  # type: ignore[arg-type]
        namespace_format=body.namespace_format,
        prefix=body.prefix,
        non_breaking_schema_updates_behavior=_SCHEMA_UPDATES.get(behavior or "", behavior),  # type: ignore[arg-type]
        status=body.status,
    )


def _selection(entries: list[CatalogEntry]) -> StreamConfigurations:
    return StreamConfigurations(streams=[_stream(entry) for entry in entries if entry.config.selected])


def _stream(entry: CatalogEntry) -> StreamConfiguration:
    config, modes = entry.config, (entry.config.sync_mode, entry.config.destination_sync_mode)
    if modes not in _MODES:
        raise ApiError(
            400,
            f"stream {entry.stream.name}: {modes[0]} with {modes[1]} is not available; use {', '.join(_MODES.values())}",
        )
    fields = config.selected_fields if config.field_selection_enabled else None
    return StreamConfiguration(
        name=entry.stream.name,
        namespace=entry.stream.namespace,
        sync_mode=_MODES[modes],  # type: ignore[arg-type]
        cursor_field=config.cursor_field or None,
        primary_key=config.primary_key or None,
        selected_fields=[SelectedField(field_path=field.field_path) for field in fields or ()] or None,
    )
