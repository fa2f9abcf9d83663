"""How much log a Postgres server keeps for a connection that reads it, as an asset check of every stream it lands.

A slot that is not read keeps log until the disk is full. So the database itself is asked, whether or not anything
syncs: Airbyte knows only how it was at the last sync.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.defs.ingestion.references import resolve
from lakehouse.settings import environment

if TYPE_CHECKING:
    import psycopg

    from lakehouse.defs.ingestion.declaration import Connection, Source
    from lakehouse.settings import Settings

LOG_KEPT = "log_kept"
GIB = 2**30
MUCH, TOO_MUCH = 1 * GIB, 10 * GIB
"""Of log that a server keeps for one slot: a warning, a failure."""
_SLOT = """
SELECT wal_status, pg_current_wal_lsn() - restart_lsn, pg_current_wal_lsn() - confirmed_flush_lsn, safe_wal_size
FROM pg_replication_slots WHERE slot_name = %s
"""


@dataclass(frozen=True)
class Kept:
    """What a server says of a slot; sizes are bytes, None where it does not say."""

    wal_status: str | None
    kept: int | None
    """Log that cannot be removed because of the slot."""
    unread: int | None
    safe: int | None
    """Log that may still be written before the slot is lost; None without a limit."""

    @property
    def severity(self) -> dg.AssetCheckSeverity | None:
        """None when all is well. Of a limit, half may be used up without a warning, and four fifths without a failure."""
        kept, limit = self.kept or 0, None if self.safe is None else (self.kept or 0) + self.safe
        used = 0.0 if not limit else kept / limit
        if self.wal_status in ("lost", "unreserved") or kept >= TOO_MUCH or used > 0.8:
            return dg.AssetCheckSeverity.ERROR
        if self.wal_status == "extended" or kept >= MUCH or used > 0.5:
            return dg.AssetCheckSeverity.WARN
        return None


def reads_log(source: Source) -> bool:
    """Whether the declared source follows the log of a Postgres database."""
    method = source.configuration.get("replication_method")
    logged = isinstance(method, Mapping) and method.get("method") == "CDC"
    return logged and source.configuration["sourceType"] == "postgres"


def log_kept_check(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every stream of a connection that reads its log has one."""
    return dg.AssetCheckSpec(
        LOG_KEPT,
        asset=key,
        description="The database keeps no more log for the connection than its disk can bear.",
    )


def log_kept_facts(slot: str, connection: str, found: Kept | None) -> dict[str, Any]:
    """What was found of a slot, as the fields of a check's result."""
    if found is None:
        told = f"there is no replication slot {slot}: the next sync makes it"
        return {"passed": True, "description": told}
    sizes = {"kept_bytes": found.kept, "unread_bytes": found.unread, "safe_wal_size": found.safe}
    metadata: dict[str, Any] = {f"log/{name}": size for name, size in sizes.items() if size is not None}
    metadata["log/wal_status"] = found.wal_status or "unknown"
    if found.severity is None:
        return {"passed": True, "metadata": metadata}
    return {
        "passed": False,
        "severity": found.severity,
        "description": _told(slot, connection, found),
        "metadata": metadata,
    }


def log_kept(settings: Settings, source: Source, connection: Connection) -> dict[str, Any]:
    """Asks the database of a source that `reads_log`; one that does not answer here is a warning.

    Raises:
        ConfigurationError: a reference that cannot be resolved.
    """
    import psycopg

    where = f"connection {connection.name}: source.configuration"
    given = resolve(source.configuration, environment(settings), where=where)
    slot = given["replication_method"]["replication_slot"]
    try:
        with connected(given) as database:
            row = database.execute(_SLOT, (slot,)).fetchone()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        told = f"nobody can tell how much log replication slot {slot} keeps: {reason}"
        return {"passed": False, "severity": dg.AssetCheckSeverity.WARN, "description": told}
    found = None if row is None else Kept(row[0], *(None if size is None else int(size) for size in row[1:]))
    return log_kept_facts(slot, connection.name, found)


def _told(slot: str, connection: str, found: Kept) -> str:
    if found.wal_status == "lost":
        return (
            f"replication slot {slot} is lost: the server removed log that was not read; the next sync reads"
            " everything anew, or fails, as invalid_cdc_cursor_position_behavior says"
        )
    kept, unread = found.kept or 0, found.unread or 0
    told = f"the server keeps {kept / GIB:.2f} GiB of log for replication slot {slot}"
    if found.safe is not None:
        told += f", and removes it unread {found.safe / GIB:.2f} GiB from now"
    if unread < kept / 2:
        return f"{told}; most is read, and kept for the oldest transaction in pg_stat_activity: have it end"
    drop = f"SELECT pg_drop_replication_slot('{slot}')"
    return f"{told}; sync connection {connection}, or give its log up: {drop}"


def connected(given: Mapping[str, Any]) -> psycopg.Connection[Any]:
    """A connection to the database of a resolved source configuration, which only reads."""
    import psycopg

    return psycopg.connect(
        host=given["host"],
        port=given["port"],
        dbname=given["database"],
        user=given["username"],
        password=given.get("password"),
        sslmode=(given.get("ssl_mode") or {}).get("mode", "prefer"),
        connect_timeout=10,
        application_name="lakehouse log_kept",
        options="-c default_transaction_read_only=on",
        autocommit=True,
    )
