"""Syncs: how each connection stands, and its jobs that ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import sqlalchemy as sa

from lakehouse.api.operation import Limit, Offset
from lakehouse.api.platform import Platform
from lakehouse.api.problems import ApiError
from lakehouse.observability.metadata.tables import sync_history

_DAY = timedelta(days=1)
_Name = Annotated[str, msgspec.Meta(pattern=r"^[\w .:()-]{1,255}$", description="a connection's name")]


class Sync(msgspec.Struct):
    """One job of Airbyte's that ended."""

    job_id: int
    status: str
    started: datetime
    ended: datetime | None
    rows: int
    bytes: int
    failure: str


class Connection(msgspec.Struct):
    name: str
    datasets: list[str]
    """The streams that it lands."""
    last: Sync | None
    """None: no sync of it has ended yet."""
    succeeded_at: datetime | None
    """The end of its newest sync that succeeded."""
    syncs_in_a_day: int
    failed_in_a_day: int
    rows_in_a_day: int


class ConnectionList(msgspec.Struct):
    items: list[Connection]
    total: int


class SyncList(msgspec.Struct):
    items: list[Sync]
    total: int


class ConnectionsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Limit = 100
    offset: Offset = 0


class SyncsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    connection: _Name
    limit: Limit = 100
    offset: Offset = 0


class Syncs:
    """Both operations, of what is declared: a connection that nothing declares lands nothing here."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def list_connections(self, wanted: ConnectionsWanted) -> ConnectionList:
        landed = self._landed()
        names = sorted(landed)[wanted.offset : wanted.offset + wanted.limit]
        table = sync_history.c
        ranked = sa.select(
            sync_history,
            sa.func.row_number().over(partition_by=table.connection, order_by=table.started.desc()).label("place"),
        ).where(table.connection.in_(names)).subquery()  # fmt: skip
        newest = sa.select(ranked).where(ranked.c.place == 1)
        good = (
            sa.select(table.connection, sa.func.max(table.ended).label("ended"))
            .where(table.connection.in_(names), table.status == "succeeded")
            .group_by(table.connection)
        )
        failed = sa.case((table.status == "succeeded", 0), else_=1)
        day = (
            sa.select(
                table.connection,
                sa.func.count().label("syncs"),
                sa.func.sum(failed).label("failed"),
                sa.func.sum(table.rows).label("rows"),
            )
            .where(table.connection.in_(names), table.started >= datetime.now(UTC) - _DAY)
            .group_by(table.connection)
        )
        with self._platform.database.transaction() as connection:
            last = {row.connection: _sync(row) for row in connection.execute(newest)}
            succeeded = {row.connection: row.ended for row in connection.execute(good)}
            lately = {row.connection: row for row in connection.execute(day)}
        items = []
        for name in names:
            counted = lately.get(name)
            counts = (counted.syncs, int(counted.failed), int(counted.rows)) if counted else (0, 0, 0)
            items.append(Connection(name, landed[name], last.get(name), succeeded.get(name), *counts))
        return ConnectionList(items, len(landed))

    def list_syncs(self, wanted: SyncsWanted) -> SyncList:
        if wanted.connection not in self._landed():
            raise ApiError(404, f"no connection is named {wanted.connection}; GET /api/v1/syncs lists them")
        table = sync_history.c
        of_it = table.connection == wanted.connection
        newest = sa.select(sync_history).where(of_it).order_by(table.started.desc())
        with self._platform.database.transaction() as connection:
            rows = connection.execute(newest.limit(wanted.limit).offset(wanted.offset)).all()
            total = connection.execute(sa.select(sa.func.count()).where(of_it)).scalar_one()
        return SyncList([_sync(row) for row in rows], total)

    def _landed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for dataset in self._platform.graph.datasets.values():
            if dataset.connection:
                found.setdefault(dataset.connection, []).append(dataset.key)
        return found


def _sync(row: sa.Row) -> Sync:
    return Sync(row.job_id, row.status, row.started, row.ended, row.rows, row.bytes, row.failure)
