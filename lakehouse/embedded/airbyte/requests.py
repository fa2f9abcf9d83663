"""Request bodies of both APIs. A field that is not here is refused by name.

Source: Airbyte public API (https://reference.airbyte.com) and configuration API; field names are theirs.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body."""


class CreateActor(Body):
    """POST /sources and POST /destinations."""

    name: str
    workspaceId: str
    configuration: dict[str, Any]
    definitionId: str | None = None


class PatchActor(Body):
    """PATCH /sources/{id} and PATCH /destinations/{id}: given configuration fields replace stored ones."""

    name: str | None = None
    configuration: dict[str, Any] | None = None


class PutActor(Body):
    """PUT /sources/{id} and PUT /destinations/{id}: the whole configuration is replaced."""

    name: str
    configuration: dict[str, Any]


class SelectedField(Body):
    """One field to read."""

    fieldPath: list[str]


class StreamConfiguration(Body):
    """How one stream is read and written."""

    name: str
    namespace: str | None = None
    syncMode: (
        Literal[
            "full_refresh_overwrite",
            "full_refresh_append",
            "incremental_append",
            "incremental_deduped_history",
        ]
        | None
    ) = None
    cursorField: list[str] | None = None
    primaryKey: list[list[str]] | None = None
    selectedFields: list[SelectedField] | None = None


class StreamConfigurations(Body):
    """The selected streams; those not listed are not read."""

    streams: list[StreamConfiguration]


class Schedule(Body):
    """When the server itself starts syncs: never. Dagster does."""

    scheduleType: Literal["manual"]


class CreateConnection(Body):
    """POST /connections."""

    sourceId: str
    destinationId: str
    name: str | None = None
    workspaceId: str | None = None
    configurations: StreamConfigurations | None = None
    schedule: Schedule | None = None
    namespaceDefinition: Literal["source", "destination", "custom_format"] = "destination"
    namespaceFormat: str | None = None
    prefix: str = ""
    nonBreakingSchemaUpdatesBehavior: Literal["ignore"] = "ignore"
    status: Literal["active", "inactive"] = "active"


class PatchConnection(Body):
    """PATCH /connections/{id}. Giving `configurations` reads the source's schema anew."""

    name: str | None = None
    configurations: StreamConfigurations | None = None
    schedule: Schedule | None = None
    namespaceDefinition: Literal["source", "destination", "custom_format"] | None = None
    namespaceFormat: str | None = None
    prefix: str | None = None
    nonBreakingSchemaUpdatesBehavior: Literal["ignore"] | None = None
    status: Literal["active", "inactive"] | None = None


class CreateJob(Body):
    """POST /jobs."""

    connectionId: str
    jobType: Literal["sync"]


class TokenRequest(Body):
    """POST /applications/token."""

    client_id: str
    client_secret: str
    grant_type: Literal["client_credentials", "client-credentials"] = "client_credentials"


class ConnectionId(Body):
    """A configuration API body that names a connection."""

    connectionId: str


class SourceId(Body):
    """A configuration API body that names a source."""

    sourceId: str


class DiscoverSchema(Body):
    """POST sources/discover_schema."""

    sourceId: str
    connectionId: str | None = None
    disable_cache: bool = False


class WorkspaceId(Body):
    """A configuration API body that names a workspace."""

    workspaceId: str


class JobId(Body):
    """A configuration API body that names a job."""

    id: int


class Nothing(Body):
    """A configuration API call without parameters."""
