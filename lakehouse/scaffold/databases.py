"""What a database tells by itself, which Airbyte does not pass on: NOT NULL, oldest days, missing privileges."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, ServiceDownError
from lakehouse.scaffold.source import NewSource

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_CONNECT_SECONDS = 10
_LOG_OF_POSTGRES = """
SELECT current_setting('wal_level') = 'logical',
       rolsuper OR rolreplication
       OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(m.oid, 'MEMBER')),
       EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :slot)
       OR (SELECT count(*) FROM pg_replication_slots) + 1 < current_setting('max_replication_slots')::int,
       EXISTS (SELECT FROM pg_publication WHERE pubname = :publication),
       has_database_privilege(current_database(), 'CREATE')
FROM pg_roles WHERE rolname = current_user
"""
_TABLES_OF_POSTGRES = """
SELECT c.relname, has_table_privilege(c.oid, 'SELECT'), has_schema_privilege(n.oid, 'USAGE'),
       pg_has_role(c.relowner, 'USAGE'),
       EXISTS (SELECT FROM pg_publication_tables p
               WHERE p.pubname = :publication AND p.schemaname = n.nspname AND p.tablename = c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND (c.relname = ANY(:tables) OR cardinality(CAST(:tables AS text[])) = 0
       AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))
ORDER BY c.relname
"""


@dataclass(frozen=True)
class Table:
    """A table or view as its database describes it."""

    required: frozenset[str]
    """The columns that are NOT NULL."""
    oldest: Mapping[str, date]
    """The first day in each of its date columns that are NOT NULL; empty without rows."""


class Database:
    """A connection of our own to the database that is added; `opened` makes it."""

    def __init__(self, connection: Connection, source: NewSource) -> None:
        self._connection = connection
        self._configuration = source.configuration
        self._postgres = source.configuration["sourceType"] == "postgres"

    @property
    def _schema(self) -> str:
        return self._configuration["schemas"][0] if self._postgres else self._configuration["database"]

    def table(self, name: str, asked: str | None = None) -> Table:
        """What is known of a table or view; `asked` is a column whose oldest day is wanted too."""
        import sqlalchemy as sa

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", sa.exc.SAWarning
            )  # of types that it does not know; none matters here
            described = sa.inspect(self._connection).get_columns(name, schema=self._schema)
        required = frozenset(column["name"] for column in described if not column["nullable"])
        days = [c["name"] for c in described if isinstance(c["type"], sa.Date) and c["name"] in required]
        days += [c["name"] for c in described if c["name"] == asked and asked not in days]
        if not days:
            return Table(required, {})
        table = sa.table(name, *map(sa.column, days), schema=self._schema)
        oldest = self._connection.execute(sa.select(*(sa.func.min(table.c[day]) for day in days))).one()
        known = {day: _day(first) for day, first in zip(days, oldest, strict=True) if first is not None}
        return Table(required, known)

    def unprepared(self, tables: Iterable[str]) -> list[str]:
        """The SQL that somebody with more rights has to run before the log of these tables can be read.

        Without tables those that have a key: the readable ones, or all of them if none is.

        Only Postgres is asked: what MySQL and MariaDB lack, their connector's check names all at once.
        """
        method = self._configuration["replication_method"]
        if not self._postgres or method["method"] != "CDC":
            return []
        return list(self._missing(method["replication_slot"], method["publication"], list(tables)))

    def _missing(self, slot: str, publication: str, tables: list[str]) -> Iterator[str]:
        import sqlalchemy as sa

        quote = self._connection.dialect.identifier_preparer.quote
        user, named = quote(self._configuration["username"]), quote(publication)
        logical, may_replicate, free_slot, published, may_create = self._connection.execute(
            sa.text(_LOG_OF_POSTGRES), {"slot": slot, "publication": publication}
        ).one()
        if not logical:
            yield "ALTER SYSTEM SET wal_level = 'logical'; /* then restart the server */"
        if not free_slot:
            yield "ALTER SYSTEM SET max_replication_slots = 20; /* then restart the server */"
        if not may_replicate:
            yield f"ALTER ROLE {user} REPLICATION;"
        found = self._connection.execute(
            sa.text(_TABLES_OF_POSTGRES),
            {"publication": publication, "schema": self._schema, "tables": tables},
        ).all()
        if not tables:
            found = [row for row in found if row[1] and row[2]] or found
        names = {row[0]: f"{quote(self._schema)}.{quote(row[0])}" for row in found}
        if not all(enterable for _, _, enterable, _, _ in found):
            yield f"GRANT USAGE ON SCHEMA {quote(self._schema)} TO {user};"
        unreadable = [names[table] for table, readable, _, _, _ in found if not readable]
        if unreadable:
            yield f"GRANT SELECT ON {', '.join(unreadable)} TO {user};"
        unpublished = {table: owned for table, _, _, owned, there in found if not there}
        listed = ", ".join(names[table] for table in unpublished)
        if unpublished and not (all(unpublished.values()) and (published or may_create)):
            if published:
                yield f"ALTER PUBLICATION {named} ADD TABLE {listed};"
            else:
                yield f"CREATE PUBLICATION {named} FOR TABLE {listed} WITH (publish_via_partition_root = true);"


@contextmanager
def opened(source: NewSource) -> Iterator[Database]:
    """A session in the database of the source.

    Raises:
        ServiceDownError: it does not answer here, or refuses the login.
        ConfigurationError: it breaks a question off.
    """
    import sqlalchemy as sa

    try:
        with _engine(source).connect() as connection:
            yield Database(connection, source)
    except sa.exc.OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise ServiceDownError(
            f"cannot be opened: {reason}",
            where=source.what,
            remedy="check host, port, database, user and password of the address",
        ) from None
    except sa.exc.DBAPIError as error:
        raise ConfigurationError(" ".join(str(error.orig).split()), where=source.what) from None


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _engine(source: NewSource) -> Engine:
    import sqlalchemy as sa

    url = sa.make_url(source.url or "")
    driver = _DRIVERS.get(url.drivername, "mysql+pymysql")
    return sa.create_engine(
        url.set(drivername=driver),
        poolclass=sa.pool.NullPool,
        connect_args={"connect_timeout": _CONNECT_SECONDS},
        isolation_level="AUTOCOMMIT",
    )
