"""Request bodies of the public API. A field that is not here is refused by name.

Source: https://reference.airbyte.com; field names are Airbyte's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

SyncMode = Literal[
    "full_refresh_overwrite", "full_refresh_append", "incremental_append", "incremental_deduped_history"
]
SchemaUpdates = Literal["ignore", "disable_connection", "propagate_columns", "propagate_fully"]
Nothing = Annotated[tuple[str, ...], msgspec.Meta(max_length=0)]
"""A list that clients send empty; what it could hold, this server has not."""


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A request body."""


class CreateActor(Body):
    """POST /sources and POST /destinations."""

    name: str
    workspace_id: str
    configuration: dict[str, Any]
    definition_id: str | None = None


class PatchActor(Body):
    """PATCH /sources/{id} and PATCH /destinations/{id}: given configuration fields replace stored ones."""

    name: str | None = None
    workspace_id: str | None = None
    configuration: dict[str, Any] | None = None


class PutActor(Body):
    """PUT /sources/{id} and PUT /destinations/{id}: the whole configuration is replaced."""

    name: str
    configuration: dict[str, Any]


class SelectedField(Body):
    """One field to read."""

    field_path: list[str]


class StreamConfiguration(Body):
    """How one stream is read and written."""

    name: str
    namespace: str | None = None
    sync_mode: (
        Literal[
            "full_refresh_overwrite",
            "full_refresh_append",
            "incremental_append",
            "incremental_deduped_history",
        ]
        | None
    ) = None
    cursor_field: list[str] | None = None
    primary_key: list[list[str]] | None = None
    selected_fields: list[SelectedField] | None = None
    mappers: Nothing = ()
    include_files: Literal[False] = False


class StreamConfigurations(Body):
    """The selected streams; those not listed are not read."""

    streams: list[StreamConfiguration]


class ScheduleRequest(Body):
    """When the server itself starts syncs; `cronExpression` is Quartz's, a time zone may follow it."""

    schedule_type: Literal["manual", "cron"]
    cron_expression: str | None = None


class CreateConnection(Body):
    """POST /connections."""

    source_id: str
    destination_id: str
    name: str | None = None
    workspace_id: str | None = None
    configurations: StreamConfigurations | None = None
    schedule: ScheduleRequest | None = None
    namespace_definition: Literal["source", "destination", "custom_format"] = "destination"
    namespace_format: str | None = None
    prefix: str = ""
    non_breaking_schema_updates_behavior: SchemaUpdates = "ignore"
    status: Literal["active", "inactive"] = "active"
    data_residency: Literal["auto"] = "auto"
    tags: Nothing = ()


class PatchConnection(Body):
    """PATCH /connections/{id}. Giving `configurations` reads the source's schema anew.

    `sourceId` and `destinationId` may be repeated and never changed.
    """

    source_id: str | None = None
    destination_id: str | None = None
    name: str | None = None
    configurations: StreamConfigurations | None = None
    schedule: ScheduleRequest | None = None
    namespace_definition: Literal["source", "destination", "custom_format"] | None = None
    namespace_format: str | None = None
    prefix: str | None = None
    non_breaking_schema_updates_behavior: SchemaUpdates | None = None
    status: Literal["active", "inactive"] | None = None
    data_residency: Literal["auto"] = "auto"
    tags: Nothing = ()


class CreateJob(Body):
    """POST /jobs. A refresh reads every stream anew and then removes what was landed before, as Airbyte's does."""

    connection_id: str
    job_type: Literal["sync", "refresh", "clear", "reset"]


class TokenRequest(Body, rename=None):
    """POST /applications/token."""

    client_id: str
    client_secret: str
    grant_type: Literal["client_credentials", "client-credentials"] = "client_credentials"
