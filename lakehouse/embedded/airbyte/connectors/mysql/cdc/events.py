"""The events of the binary log from a position on, in transactions; what cannot be understood is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.event import (
    MariadbGtidEvent,
    NotImplementedEvent,
    QueryEvent,
    RotateEvent,
    XAPrepareEvent,
    XidEvent,
)
from pymysqlreplication.row_event import RowsEvent, TableMapEvent

from lakehouse.embedded.airbyte.connectors.mysql.cdc.position import LogPosition
from lakehouse.embedded.airbyte.connectors.mysql.cdc.server import LogServer, domains
from lakehouse.embedded.airbyte.connectors.mysql.configuration import MysqlConfiguration
from lakehouse.embedded.airbyte.connectors.mysql.sessions import (
    Session,
    connection_arguments,
    query_error,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError

_STANDALONE = 1  # the flag of a MariaDB GTID whose group is a single statement
_NOT_PERMITTED = 1227
# Event types without rows that the library has no class for: transactions without a GTID, with a tagged one, what
# group replication notes, heartbeats.
_HARMLESS = frozenset({28, 34, 36, 37, 41, 42})


@dataclass(frozen=True)
class Commit:
    """The end of a transaction or of a statement outside of one; reading may begin again here."""

    position: LogPosition
    gtid: str | None


@dataclass(frozen=True)
class Statement:
    """A statement in the log, run in a database."""

    text: str
    database: str
    position: LogPosition


@dataclass(frozen=True)
class Logged:
    """An event about a table, where it begins, and the images of its rows."""

    event: Any
    position: LogPosition
    rows: bytes


def check_readable(session: Session, configuration: MysqlConfiguration) -> None:
    """Raises ConnectorError with the SQL to run when the user cannot read the log, or it lacks what is needed."""
    server = LogServer(session, configuration)
    server.check()
    for _ in BinaryLog(configuration, server, []).read(server.position(), None):
        return


class BinaryLog:
    """The log of some tables of one database."""

    def __init__(self, configuration: MysqlConfiguration, server: LogServer, tables: Sequence[str]) -> None:
        self._configuration = configuration
        self._server = server
        self._tables = list(tables)
        self._connections = 0

    def read(self, position: LogPosition, gtid: str | None) -> Iterator[Logged | Statement | Commit]:
        """The events from a position, at which the log stands at `gtid`, to the log's end of now."""
        self._connections = 0
        reader = self._open(position)
        try:
            yield from _Transactions(reader, gtid).items()
        except pymysql.err.MySQLError as error:
            if error.args[0] == _NOT_PERMITTED:
                raise self._server.not_permitted(error) from error
            raise query_error(self._configuration, error) from error
        except OSError as error:
            raise query_error(self._configuration, error) from error
        finally:
            reader.close()

    def _open(self, position: LogPosition) -> BinLogStreamReader:
        arguments = connection_arguments(self._configuration)
        for name in ("database", "conv"):
            del arguments[name]
        return BinLogStreamReader(
            connection_settings=arguments,
            server_id=random.randrange(2**31, 2**32),  # noqa: S311  no other replica may have it
            resume_stream=True,
            log_file=position.file,
            log_pos=position.offset,
            only_schemas=[self._configuration.database],
            only_tables=self._tables,
            filter_non_implemented_events=False,
            enable_logging=False,
            pymysql_wrapper=self._connect,
        )

    def _connect(self, **arguments: Any) -> Any:
        """One connection for the log and one for look-ups.

        The library would begin anew in the middle of a transaction when the first is lost.
        """
        self._connections += 1
        if self._connections > 2:
            problem = f"MySQL {self._configuration.address}: the connection was lost while its log was read"
            raise ConnectorError(problem)
        if "db" in arguments:  # the name that the library uses is deprecated
            arguments["database"] = arguments.pop("db")
        return pymysql.connect(**arguments)


class _Transactions:
    """Where transactions end, told from the events."""

    def __init__(self, reader: BinLogStreamReader, gtid: str | None) -> None:
        self._reader = reader
        self._gtids = None if gtid is None else domains(gtid)
        self._inside = False
        self._with_rows = False

    def items(self) -> Iterator[Logged | Statement | Commit]:
        last = self._here()
        for event in self._reader:
            match event:
                case TableMapEvent():
                    yield Logged(event, last, b"")
                case RowsEvent():
                    self._with_rows = True
                    begins = LogPosition(last.file, self._reader.log_pos - event.packet.event_size)
                    yield Logged(event, begins, event.packet.read(event.event_size - event.packet.read_bytes))
                case QueryEvent():
                    yield from self._statement(event, last)
                case XidEvent():
                    yield self._commit()
                case XAPrepareEvent():
                    self._refuse_prepared(event)
                    yield self._commit()
                case MariadbGtidEvent():
                    self._inside = not event.flags & _STANDALONE
                    if self._gtids is not None:
                        self._gtids[str(event.domain_id)] = event.gtid
                case RotateEvent():
                    self._begin_file(last)
                case NotImplementedEvent():
                    self._refuse_unknown(event, last)
            last = self._advanced(last)
            event.packet.event = None  # a cycle, which would keep the bytes until there are many events

    def _here(self) -> LogPosition:
        return LogPosition(self._reader.log_file, self._reader.log_pos)

    def _advanced(self, last: LogPosition) -> LogPosition:
        here = self._here()
        if here.file == last.file and here.offset < last.offset:
            raise _refused(
                f"binary log file {here.file} is larger than 4 GB, and positions in it are not told"
            )
        return here

    def _statement(self, event: Any, last: LogPosition) -> Iterator[Statement | Commit]:
        text = event.query.strip()
        word = text[:9].upper()
        if word == "BEGIN":
            self._inside = True
        elif word.startswith("ROLLBACK") and self._with_rows:
            raise _refused(f"rows of several engines are rolled back after {last}")
        elif word in ("COMMIT", "ROLLBACK"):
            yield self._commit()
        elif not word.startswith(("SAVEPOINT", "ROLLBACK ", "XA START", "XA END")):
            yield Statement(text, event.schema.decode(), last)
            if not self._inside:
                yield self._commit()

    def _commit(self) -> Commit:
        self._inside = self._with_rows = False
        gtid = None if self._gtids is None else ",".join(one for _, one in sorted(self._gtids.items()))
        return Commit(self._here(), gtid)

    def _begin_file(self, last: LogPosition) -> None:
        # After a crash a server numbers its tables anew, without telling the library that the old numbers end.
        self._reader.table_map = {}
        if self._reader.log_file != last.file and self._with_rows:
            raise _refused(f"binary log file {last.file} ends within a transaction")

    def _refuse_prepared(self, event: Any) -> None:
        if self._with_rows and not event.one_phase:
            raise _refused(
                f"an XA transaction is prepared before {self._here()}, and whether it will commit is not known"
            )

    def _refuse_unknown(self, event: Any, last: LogPosition) -> None:
        if event.event_type not in _HARMLESS:
            raise _refused(f"the event after {last} is of type {event.event_type}, which is not known here")


def _refused(problem: str) -> ConnectorError:
    remedy = "refresh the connection to read its tables anew"
    return ConnectorError(f"the log cannot be followed: {problem}; {remedy}", kind="config_error")
