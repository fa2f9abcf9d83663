"""Request bodies of the configuration API. A field that is not here is refused by name.

Source: airbyte-platform, config.yaml; field names are Airbyte's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from lakehouse.embedded.airbyte.requests import Body, Nothing

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
JobType = Literal["sync", "refresh", "clear", "reset_connection"]


class NoParameters(Body):
    """A call without parameters."""


class WorkspaceId(Body):
    """workspaces/get, connections/list, sources/list, destinations/list."""

    workspace_id: str


class SourceId(Body):
    """sources/get, delete, check_connection."""

    source_id: str


class DestinationId(Body):
    """destinations/get, delete, check_connection."""

    destination_id: str


class DiscoverSchema(Body):
    """sources/discover_schema."""

    source_id: str
    connection_id: str | None = None
    disable_cache: bool = msgspec.field(default=False, name="disable_cache")  # Airbyte writes this one so
    notify_schema_change: bool = False


class CreateSource(Body):
    """sources/create."""

    source_definition_id: str
    connection_configuration: dict[str, Any]
    workspace_id: str
    name: str


class UpdateSource(Body):
    """sources/update: the whole configuration is replaced."""

    source_id: str
    connection_configuration: dict[str, Any]
    name: str


class CreateDestination(Body):
    """destinations/create."""

    destination_definition_id: str
    connection_configuration: dict[str, Any]
    workspace_id: str
    name: str


class UpdateDestination(Body):
    """destinations/update: the whole configuration is replaced."""

    destination_id: str
    connection_configuration: dict[str, Any]
    name: str


class ConnectionId(Body):
    """A call that names a connection."""

    connection_id: str


class StreamName(Body):
    """One stream of a connection."""

    stream_name: str
    stream_namespace: str | None = None


Streams = Annotated[list[StreamName], msgspec.Meta(min_length=1)]


class ConnectionStreams(Body):
    """connections/clear/stream and connections/reset/stream."""

    connection_id: str
    streams: Streams


class RefreshConnection(Body):
    """connections/refresh; without `streams` every one."""

    connection_id: str
    streams: Streams | None = None
    refresh_mode: Literal["Truncate", "Merge"] = "Truncate"


class BasicSchedule(Body):
    """So many units between the starts of two syncs."""

    time_unit: Literal["minutes", "hours", "days", "weeks", "months"]
    units: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class Cron(Body):
    """A Quartz expression in an IANA time zone."""

    cron_expression: str
    cron_time_zone: str = "UTC"


class ScheduleData(Body):
    """The data that the schedule's type asks for."""

    basic_schedule: BasicSchedule | None = None
    cron: Cron | None = None


class CatalogStream(Body):
    """What a stream is: of this only its name counts, the source is asked for the rest."""

    name: str
    namespace: str | None = None
    json_schema: dict[str, Any] | None = None
    supported_sync_modes: list[str] | None = None
    source_defined_cursor: bool | None = None
    default_cursor_field: list[str] | None = None
    source_defined_primary_key: list[list[str]] | None = None


class CatalogField(Body):
    """One selected field."""

    field_path: list[str]


class CatalogConfig(Body):
    """How a stream is read and written."""

    sync_mode: Literal["full_refresh", "incremental"] = "full_refresh"
    destination_sync_mode: Literal["overwrite", "append", "append_dedup"] = "overwrite"
    cursor_field: list[str] | None = None
    primary_key: list[list[str]] | None = None
    alias_name: str | None = None
    selected: bool = True
    field_selection_enabled: bool = False
    selected_fields: list[CatalogField] | None = None
    suggested: bool | None = None


class CatalogEntry(Body):
    """A stream with its configuration."""

    stream: CatalogStream
    config: CatalogConfig


class Catalog(Body):
    """The syncCatalog of a connection."""

    streams: list[CatalogEntry]


class ConnectionBody(Body):
    """What connections/create and connections/update share; what is not given stays."""

    name: str | None = None
    namespace_definition: Literal["source", "destination", "customformat"] | None = None
    namespace_format: str | None = None
    prefix: str | None = None
    sync_catalog: Catalog | None = None
    schedule_type: Literal["manual", "basic", "cron"] | None = None
    schedule_data: ScheduleData | None = None
    status: Literal["active", "inactive"] | None = None
    non_breaking_changes_preference: (
        Literal["ignore", "disable", "propagate_columns", "propagate_fully"] | None
    ) = None
    operation_ids: Nothing = ()
    tags: Nothing = ()
    notify_schema_changes: bool | None = None
    source_catalog_id: str | None = None


class CreateConfiguredConnection(ConnectionBody, kw_only=True):
    """connections/create."""

    source_id: str
    destination_id: str


class UpdateConnection(ConnectionBody, kw_only=True):
    """connections/update."""

    connection_id: str
    breaking_change: bool | None = None
    skip_reset: bool | None = None


class StreamDescriptor(Body):
    """A stream by name."""

    name: str
    namespace: str | None = None


class StreamStateBody(Body):
    """The state of one stream; null forgets it."""

    stream_descriptor: StreamDescriptor
    stream_state: dict[str, Any] | None = None


class GlobalStateBody(Body):
    """The state of a log-based connection."""

    stream_states: list[StreamStateBody]
    shared_state: dict[str, Any] | None = None


class ConnectionStateBody(Body):
    """A connection's state."""

    state_type: Literal["stream", "global", "not_set"]
    connection_id: str | None = None
    stream_state: list[StreamStateBody] | None = None
    global_state: GlobalStateBody | None = None


class UpdateState(Body):
    """state/create_or_update and state/create_or_update_safe."""

    connection_id: str
    connection_state: ConnectionStateBody


class JobId(Body):
    """A call that names a job."""

    id: Count


class Pagination(Body):
    """A page of jobs/list."""

    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    row_offset: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0


class ListJobs(Body):
    """jobs/list, newest first."""

    config_types: list[JobType]
    config_id: str | None = None
    status: Literal["pending", "running", "incomplete", "failed", "succeeded", "cancelled"] | None = None
    pagination: Pagination = msgspec.field(default_factory=Pagination)


class AttemptOfJob(Body):
    """attempt/get_for_job; attempts are counted from 0."""

    job_id: Count
    attempt_number: Count
