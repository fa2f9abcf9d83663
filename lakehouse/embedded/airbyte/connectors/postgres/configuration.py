"""The configuration of source-postgres, field for field as the real connector's specification names it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Secret = Annotated[str, msgspec.Meta(extra_json_schema={"airbyte_secret": True})]


class SslMode(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`ssl_mode`, without client certificates."""

    mode: Literal["disable", "allow", "prefer", "require"] = "prefer"


class Standard(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="method", tag="Standard"):
    """`replication_method`: full reads, and incremental reads by a cursor column."""


class Cdc(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, tag_field="method", tag="CDC"
):
    """`replication_method`: log-based reads. Slot and publication are made where they are missing."""

    replication_slot: str
    publication: str
    plugin: Literal["pgoutput"] = "pgoutput"
    invalid_cdc_cursor_position_behavior: Literal["Fail sync", "Re-sync data"] = "Fail sync"
    heartbeat_action_query: str = ""
    lsn_commit_behaviour: Literal["After loading Data in the destination"] = (
        "After loading Data in the destination"
    )
    initial_waiting_seconds: int = 1200
    """Of no effect, like the next two: the log is polled, and no queue lies between it and landing."""
    queue_size: int = 10_000
    initial_load_timeout_hours: int = 8


class NoTunnel(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="tunnel_method", tag="NO_TUNNEL"
):
    """`tunnel_method`: a direct connection."""


class PostgresConfiguration(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """source-postgres."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 5432
    database: str
    schemas: tuple[str, ...] = ("public",)
    username: str
    password: Secret = ""
    ssl_mode: SslMode = SslMode()
    replication_method: Standard | Cdc = Standard()
    tunnel_method: NoTunnel = NoTunnel()
    entra_service_principal_auth: Literal[False] = False
    source_type: Literal["postgres"] = msgspec.field(default="postgres", name="sourceType")

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        return f"{self.host}:{self.port}/{self.database}"
