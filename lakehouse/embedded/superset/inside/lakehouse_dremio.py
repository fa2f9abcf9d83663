"""Dremio over Arrow Flight for Superset: a thin SQLAlchemy dialect on top of sqlalchemy-dremio's.

Its address stays `dremio+flight://user:password@host:port/?UseEncryption=…`. What sqlalchemy-dremio gets wrong is
replaced: rows go by way of pandas, which knows only timestamps in nanoseconds, makes floats of whole numbers with
gaps, and loses types of empty results; every connection logs in anew; views are listed as tables; booleans are
compared with 1; nested types are errors.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl
from sqlalchemy import exc, types
from sqlalchemy.dialects import registry
from sqlalchemy.engine import reflection
from sqlalchemy_dremio.flight import DremioCompiler, DremioDialect_flight
from sqlalchemy_dremio.flight_middleware import CookieMiddlewareFactory

apilevel = "2.0"
threadsafety = 2
paramstyle = "pyformat"

DEFAULT_SECONDS = 300
"""How long an answer may take; `?TimeoutSeconds=` in the address says otherwise."""
_HEADERS = ("schema", "routing_queue", "routing_tag", "quoting", "routing_engine")
_NOISE = re.compile(r"\.?\s*(?:gRPC client debug context|Detail:).*$", re.DOTALL)


class Error(Exception):
    """What the server said, in one line."""


class DatabaseError(Error):
    """A statement that cannot be run, or a server that cannot be reached."""


class NotSupportedError(DatabaseError):
    """Bound parameters: Dremio's Flight takes none, and Superset sends none."""


def register() -> None:
    """Have SQLAlchemy use this dialect for dremio+flight."""
    registry.register("dremio.flight", __name__, "Dialect")


class _Session:
    """The logged-in client of one address and user, shared by all connections of this process."""

    _known: dict[tuple[Any, ...], _Session] = {}
    _lock = threading.Lock()

    def __init__(self, location: str, user: str | None, secret: str, tls: dict[str, Any]) -> None:
        self._client = fl.FlightClient(location, middleware=[CookieMiddlewareFactory()], **tls)
        self._user, self._secret = user, secret
        self._token: tuple[bytes, bytes] | None = None

    @classmethod
    def of(cls, location: str, user: str | None, secret: str, tls: dict[str, Any]) -> _Session:
        key = (location, user, secret, *sorted(tls.items()))
        with cls._lock:
            if key not in cls._known:
                cls._known[key] = cls(location, user, secret, tls)
            return cls._known[key]

    def read(self, sql: str, headers: list[tuple[bytes, bytes]], seconds: float) -> pa.Table:
        """The whole result; a token that is not known any more is replaced once."""
        try:
            return self._read(sql, headers, seconds)
        except fl.FlightUnauthenticatedError:
            self._token = None
            return self._read(sql, headers, seconds)

    def _read(self, sql: str, headers: list[tuple[bytes, bytes]], seconds: float) -> pa.Table:
        options = fl.FlightCallOptions(headers=[self._login(seconds), *headers], timeout=seconds)
        info = self._client.get_flight_info(fl.FlightDescriptor.for_command(sql), options)
        return self._client.do_get(info.endpoints[0].ticket, options).read_all()

    def _login(self, seconds: float) -> tuple[bytes, bytes]:
        if self._user is None:
            return b"authorization", f"Bearer {self._secret}".encode()
        if self._token is None:
            options = fl.FlightCallOptions(timeout=seconds)
            self._token = self._client.authenticate_basic_token(self._user, self._secret, options)
        return self._token


def connect(
    *,
    location: str,
    user: str | None,
    secret: str,
    tls: dict[str, Any],
    headers: list[tuple[bytes, bytes]],
    seconds: float,
) -> Connection:
    """A DB-API connection; nothing is sent before the first statement."""
    return Connection(_Session.of(location, user, secret, tls), headers, seconds)


class Connection:
    """DB-API: statements commit by themselves."""

    def __init__(self, session: _Session, headers: list[tuple[bytes, bytes]], seconds: float) -> None:
        self._session, self._headers, self._seconds = session, headers, seconds

    def cursor(self) -> Cursor:
        return Cursor(self)

    def run(self, sql: str) -> pa.Table:
        try:
            return self._session.read(sql, self._headers, self._seconds)
        except pa.ArrowException as error:
            text = " ".join(_NOISE.sub("", str(error)).removeprefix("Flight error: ").split())
            raise DatabaseError(text) from error

    def commit(self) -> None:
        """Nothing is open."""

    def rollback(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """The session goes on for the next connection."""


class Cursor:
    """DB-API: the rows of one statement, as Python values made by Arrow."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, sql: str, parameters: Any = None) -> Cursor:
        if parameters:
            raise NotSupportedError("bound parameters are not supported")
        table = self._connection.run(sql)
        self.description = [
            (field.name, sql_type(field.type), None, None, None, None, True) for field in table.schema
        ]
        self._rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        self.rowcount = table.num_rows
        return self

    def executemany(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        raise NotSupportedError("executemany is not supported")

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        count = size or self.arraysize
        taken, self._rows = self._rows[:count], self._rows[count:]
        return taken

    def fetchall(self) -> list[tuple[Any, ...]]:
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        self._rows = []


def sql_type(kind: pa.DataType) -> str:
    """Dremio's name of an Arrow type: what Superset shows and decides formats by."""
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    for belongs, name in _NAMES:
        if belongs(kind):
            return name
    return "VARCHAR"


_NAMES = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int64, "BIGINT"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_floating, "FLOAT"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_binary, "VARBINARY"),
    (pa.types.is_list, "ARRAY"),
    (pa.types.is_map, "MAP"),
    (pa.types.is_struct, "ROW"),
)


class Named(types.UserDefinedType):
    """A type that SQLAlchemy has no class for, by its name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


_TYPES = {
    "BOOLEAN": types.BOOLEAN,
    "INTEGER": types.INTEGER,
    "BIGINT": types.BIGINT,
    "FLOAT": types.FLOAT,
    "DOUBLE": types.FLOAT,
    "DATE": types.DATE,
    "TIME": types.TIME,
    "TIMESTAMP": types.TIMESTAMP,
    "CHARACTER VARYING": types.VARCHAR,
}


class Compiler(DremioCompiler):
    """Dremio knows TRUE and FALSE."""

    def visit_true(self, expr: Any, **kw: Any) -> str:
        return "TRUE"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        return "FALSE"


class Dialect(DremioDialect_flight):
    """Reads the catalogue from INFORMATION_SCHEMA and keeps the types that Arrow carries."""

    supports_statement_cache = False
    supports_native_boolean = True
    statement_compiler = Compiler

    @classmethod
    def dbapi(cls) -> Any:
        return sys.modules[__name__]

    def create_connect_args(self, url: Any) -> tuple[list[Any], dict[str, Any]]:
        query = {name.lower(): value for name, value in url.query.items()}
        encrypted = query.get("useencryption", "true").lower() != "false"
        tls: dict[str, Any] = {}
        if encrypted and query.get("disablecertificateverification", "").lower() == "true":
            tls["disable_server_verification"] = True
        elif encrypted and "trustedcerts" in query:
            with open(query["trustedcerts"], "rb") as authorities:
                tls["tls_root_certs"] = authorities.read()
        headers = {**query, **({"schema": url.database} if url.database else {})}
        return [], {
            "location": f"grpc+{'tls' if encrypted else 'tcp'}://{url.host}:{url.port}",
            "user": url.username,
            "secret": str(url.password if url.username else query.get("token", "")),
            "tls": tls,
            "headers": [(name.encode(), headers[name].encode()) for name in _HEADERS if name in headers],
            "seconds": float(query.get("timeoutseconds", DEFAULT_SECONDS)),
        }

    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        columns = "COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, IS_NULLABLE"
        where = f"WHERE {_called(table_name, schema)} ORDER BY ORDINAL_POSITION"
        sql = f'SELECT {columns} FROM INFORMATION_SCHEMA."COLUMNS" {where}'  # noqa: S608  a literal
        found = connection.exec_driver_sql(sql).fetchall()
        if not found:
            raise exc.NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)
        return [
            {
                "name": name,
                "type": _type(kind, precision, scale),
                "default": None,
                "comment": None,
                "nullable": nullable != "NO",
            }
            for name, kind, precision, scale, nullable in found
        ]

    # No annotations on what is cached: SQLAlchemy makes source text of them, which fails on those kept as strings.

    @reflection.cache
    def get_table_names(self, connection, schema=None, **kw):
        return self._names(connection, schema, "<> 'VIEW'")

    @reflection.cache
    def get_view_names(self, connection, schema=None, **kw):
        return self._names(connection, schema, "= 'VIEW'")

    @reflection.cache
    def has_table(self, connection, table_name, schema=None, **kw):
        sql = f'SELECT COUNT(*) FROM INFORMATION_SCHEMA."TABLES" WHERE {_called(table_name, schema)}'  # noqa: S608  a literal
        return bool(connection.exec_driver_sql(sql).scalar())

    def _names(self, connection: Any, schema: str | None, kind: str) -> list[str]:
        where = f"TABLE_TYPE {kind}" + (f" AND TABLE_SCHEMA = {_literal(schema)}" if schema else "")
        sql = f'SELECT TABLE_NAME FROM INFORMATION_SCHEMA."TABLES" WHERE {where} ORDER BY TABLE_NAME'  # noqa: S608
        return [name for (name,) in connection.exec_driver_sql(sql)]


def _called(table: str, schema: str | None) -> str:
    within = f" AND TABLE_SCHEMA = {_literal(schema)}" if schema else ""
    return f"TABLE_NAME = {_literal(table)}{within}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _type(name: str, precision: int | None, scale: int | None) -> Any:
    if name == "DECIMAL":
        return types.DECIMAL(precision, scale)
    return _TYPES[name]() if name in _TYPES else Named(name)
