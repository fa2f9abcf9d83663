"""What a server has to be so that its binary log can be read, and what it says about its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pymysql

from lakehouse.embedded.airbyte.connectors.mysql.cdc.position import LogPosition
from lakehouse.embedded.airbyte.connectors.mysql.configuration import MysqlConfiguration
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session, error_text, rows_of
from lakehouse.embedded.airbyte.protocol import ConnectorError

_SYNTAX_ERROR = 1064
_SETTINGS = {
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_row_metadata": "FULL",
    "log_bin_compress": "OFF",  # MariaDB
    "binlog_transaction_compression": "OFF",  # MySQL
    "binlog_row_value_options": "",  # MySQL
}


class LogServer:
    """A server, by its own account of its binary log."""

    def __init__(self, session: Session, configuration: MysqlConfiguration) -> None:
        self._session = session
        self._configuration = configuration
        self.is_mariadb = "MariaDB" in session.get_server_info()

    def check(self) -> None:
        """Raises ConnectorError with the SQL to run when the log does not hold what a read needs."""
        variables = dict(rows_of(self._session, "SHOW GLOBAL VARIABLES LIKE '%bin%log%'"))
        variables |= dict(rows_of(self._session, "SHOW GLOBAL VARIABLES LIKE 'log_bin%'"))
        if variables.get("log_bin") != "ON":
            raise self._unusable(
                "its binary log is off; set log_bin and server_id in its option file and restart it"
            )
        if "binlog_row_metadata" not in variables:
            raise self._unusable(
                "it has no binlog_row_metadata, so its log has no column names; MySQL 8.0.14 or MariaDB 10.5"
                " have it"
            )
        wrong = {
            name: value
            for name, value in _SETTINGS.items()
            if name in variables and variables[name].upper() != value
        }
        if wrong:
            found = ", ".join(f"{name} is {variables[name]}" for name in wrong)
            statements = " ".join(f"SET GLOBAL {name} = '{value}';" for name, value in wrong.items())
            raise self._unusable(f"{found}; run {statements} and connect its clients anew")
        self.position()

    def _unusable(self, reason: str) -> ConnectorError:
        problem = f"the binary log of MySQL {self._configuration.address} cannot be read: {reason}"
        return ConnectorError(problem, kind="config_error")

    def not_permitted(self, error: Exception) -> ConnectorError:
        """The error of a user who may not read the log."""
        grant = "REPLICATION SLAVE, " + (
            "BINLOG MONITOR" if self.is_mariadb else "REPLICATION CLIENT, RELOAD"
        )
        user = self._configuration.username
        return self._unusable(f"{error_text(error)}; run GRANT SELECT, {grant} ON *.* TO '{user}'@'%';")

    def position(self) -> LogPosition:
        """Where the log ends now."""
        try:
            try:
                rows = rows_of(self._session, "SHOW MASTER STATUS")
            except pymysql.err.ProgrammingError as error:
                if error.args[0] != _SYNTAX_ERROR:
                    raise
                rows = rows_of(self._session, "SHOW BINARY LOG STATUS")  # from MySQL 8.4 on
        except pymysql.err.OperationalError as error:
            raise self.not_permitted(error) from error
        return LogPosition(rows[0][0], int(rows[0][1]))

    def identity(self) -> dict[str, str]:
        """What tells the server from another with a log of the same name."""
        name = "server_id" if self.is_mariadb else "server_uuid"
        ((value,),) = rows_of(self._session, f"SELECT @@global.{name}")
        return {name: value}

    def gtid(self, position: LogPosition) -> str | None:
        """The GTID position of a place in the log; None where the server does not tell."""
        if not self.is_mariadb:
            return None
        arguments = (position.file, position.offset)
        ((gtid,),) = rows_of(self._session, "SELECT BINLOG_GTID_POS(%s, %s)", arguments)
        return None if gtid is None else str(gtid)

    def unread(self, position: LogPosition) -> int:
        """Bytes of the log from a position to its end."""
        sizes = self._sizes()
        later = list(sizes)[list(sizes).index(position.file) :]
        return sum(sizes[file] for file in later) - position.offset

    def _sizes(self) -> dict[str, int]:
        """The bytes of each file that the server keeps, in order."""
        return {row[0]: int(row[1]) for row in rows_of(self._session, "SHOW BINARY LOGS")}

    def why_lost(self, state: Mapping[str, Any]) -> str | None:
        """Why the log cannot be followed on from a state, or None when it can."""
        position = LogPosition.from_state(state)
        sizes = self._sizes()
        if position.file not in sizes:
            return f"binary log file {position.file} is gone from the server"
        if position.offset > sizes[position.file]:
            return f"binary log file {position.file} ends before {position.offset}"
        for name, value in self.identity().items():
            if state.get(name) != value:
                return f"this is another server: {name} is {value} and was {state.get(name)}"
        gtid = state.get("gtid")
        if gtid is not None and domains(self.gtid(position)) != domains(gtid):
            return f"this is another log: at {position} it does not stand at GTID {gtid}"
        return None


def domains(gtid: str | None) -> dict[str, str]:
    """MariaDB's GTID position by domain."""
    return {one.split("-")[0]: one for one in (gtid or "").split(",") if one}
