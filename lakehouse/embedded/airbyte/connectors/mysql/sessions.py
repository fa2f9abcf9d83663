"""Sessions with a MySQL or MariaDB server: in UTC, values as the server writes them."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.converters import conversions

from lakehouse.embedded.airbyte.connectors.mysql.configuration import (
    MysqlConfiguration,
    Preferred,
    Required,
    VerifyCa,
    VerifyIdentity,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError

if TYPE_CHECKING:
    Session = pymysql.connections.Connection[Any]
else:
    Session = pymysql.connections.Connection

# Text as the server writes it: types are the stream's, and a zero date is no Python date.
_ENCODERS_ONLY = {type_: convert for type_, convert in conversions.items() if not isinstance(type_, int)}
# The server waits this long for a reader that writes files meanwhile; its own 60 seconds end such reads.
_SESSION = "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600"
_REFUSED_LOGIN = frozenset({1044, 1045, 1049, 1130, 1698})


@contextmanager
def connected(configuration: MysqlConfiguration) -> Iterator[Session]:
    """An autocommit session. Raises ConnectorError where the server refuses or is not there."""
    try:
        session = pymysql.connect(**connection_arguments(configuration), init_command=_SESSION)
    except (pymysql.err.MySQLError, OSError) as error:
        raise _cannot_connect(configuration, error) from error
    try:
        yield session
    except (pymysql.err.MySQLError, OSError) as error:
        raise query_error(configuration, error) from error
    finally:
        session.close()


def connection_arguments(configuration: MysqlConfiguration) -> dict[str, Any]:
    """What PyMySQL connects with."""
    return {
        "host": configuration.host,
        "port": configuration.port,
        "user": configuration.username,
        "password": configuration.password,
        "database": configuration.database,
        "charset": "utf8mb4",
        "autocommit": True,
        "connect_timeout": configuration.driver.connect_seconds,
        "read_timeout": configuration.driver.read_seconds,
        "conv": _ENCODERS_ONLY,
        "program_name": "airbyte source-mysql",
        **_encryption(configuration),
    }


def _encryption(configuration: MysqlConfiguration) -> dict[str, Any]:
    """PyMySQL encrypts where the server can, and insists on it when it is given a context."""
    mode = configuration.ssl_mode
    if isinstance(mode, Preferred):
        return {}
    context = ssl.create_default_context()
    context.check_hostname = isinstance(mode, VerifyIdentity)
    context.verify_mode = ssl.CERT_NONE if isinstance(mode, Required) else ssl.CERT_REQUIRED
    if isinstance(mode, VerifyCa | VerifyIdentity):
        try:
            _load_certificates(context, mode)
        except (ssl.SSLError, ValueError) as error:
            problem = f"source-mysql configuration: ssl_mode: not a usable certificate or key: {error}"
            raise ConnectorError(problem, kind="config_error") from error
    return {"ssl": context}


def _load_certificates(context: ssl.SSLContext, mode: VerifyCa | VerifyIdentity) -> None:
    context.load_verify_locations(cadata=mode.ca_certificate)
    if mode.client_certificate is None:
        return
    # The module takes certificate and key from files only.
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "client.pem"
        chain.touch(mode=0o600)
        chain.write_text(f"{mode.client_key or ''}\n{mode.client_certificate}\n")
        context.load_cert_chain(chain, password=mode.client_key_password)


def _cannot_connect(configuration: MysqlConfiguration, error: Exception) -> ConnectorError:
    code = error.args[0] if error.args else None
    reason = error_text(error)
    if code in _REFUSED_LOGIN:
        remedy = "check database, username and password of the source"
    else:
        remedy = "check host, port and ssl_mode of the source, and that the server runs"
    return ConnectorError(
        f"cannot connect to MySQL {configuration.address} as {configuration.username}: {reason}; {remedy}",
        kind="config_error",
    )


def query_error(configuration: MysqlConfiguration, error: Exception) -> ConnectorError:
    """A failed query as one line."""
    return ConnectorError(f"MySQL {configuration.address}: {error_text(error)}", detail=repr(error))


def error_text(error: Exception) -> str:
    """A driver's error as one line, without its number."""
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    return " ".join(text.split()) or type(error).__name__


def rows_of(session: Session, query: str, arguments: Any = None) -> list[tuple[Any, ...]]:
    """All rows of a small query."""
    with session.cursor() as cursor:
        cursor.execute(query, arguments)
        return list(cursor.fetchall())


def quoted(*names: str) -> str:
    """A quoted name of one or more parts."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)
