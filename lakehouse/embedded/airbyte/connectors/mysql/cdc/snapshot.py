"""The first read of tables: all rows of one consistent snapshot, with the log position that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pymysql

from lakehouse.embedded.airbyte.connectors.mysql.cdc.columns import (
    CURSOR,
    LOG_COLUMNS,
    LOG_FILE,
    LOG_POS,
    UPDATED_AT,
)
from lakehouse.embedded.airbyte.connectors.mysql.cdc.position import LogPosition
from lakehouse.embedded.airbyte.connectors.mysql.cdc.server import LogServer
from lakehouse.embedded.airbyte.connectors.mysql.configuration import MysqlConfiguration
from lakehouse.embedded.airbyte.connectors.mysql.rows import SNAPSHOT, read_batches, select
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session, connected, rows_of
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.records import LandingBatch


@contextmanager
def consistent_snapshot(configuration: MysqlConfiguration) -> Iterator[tuple[Session, LogPosition]]:
    """A session that sees one moment, and the place in the log where that moment is.

    MariaDB tells the place by itself. MySQL does not: there writes are locked out for as long as it takes to
    begin the snapshot and to ask for the place, as mysqldump does it (this needs RELOAD).
    """
    with connected(configuration) as session:
        server = LogServer(session, configuration)
        if server.is_mariadb:
            session.query(SNAPSHOT)
            status = dict(rows_of(session, "SHOW STATUS LIKE 'binlog_snapshot_%'"))
            position = LogPosition(status["Binlog_snapshot_file"], int(status["Binlog_snapshot_position"]))
        else:
            try:
                session.query("FLUSH TABLES WITH READ LOCK")
            except pymysql.err.OperationalError as error:
                raise server.not_permitted(error) from error
            session.query(SNAPSHOT)
            position = server.position()
            session.query("UNLOCK TABLES")
        yield session, position


def read_snapshot(
    session: Session, position: LogPosition, stream: ConfiguredStream, table: Table
) -> Iterator[LandingBatch]:
    """All rows of a table as the session sees it, as changes made at the snapshot's place in the log."""
    plain = LOG_COLUMNS.taken_from(stream)
    query, arguments, _ = select(session, table, plain, None)
    constants = {
        CURSOR: position.cursor,
        LOG_FILE: position.file,
        LOG_POS: float(position.offset),
        UPDATED_AT: datetime.now(UTC),
    }
    for batch in read_batches(session, query, arguments, table, plain.columns):
        yield LOG_COLUMNS.added_to(batch, stream.columns, constants)
