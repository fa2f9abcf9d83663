"""The metadata database itself: SQLite in the home directory, Postgres elsewhere, migrated at its first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from lakehouse.errors import PermanentError, TransientError
from lakehouse.observability.metadata.migrate import bring_up_to_date, revision_of
from lakehouse.observability.metadata.tables import REVISION
from lakehouse.settings import Settings

_CONNECT_SECONDS = 5
_SQLITE_BUSY_SECONDS = 30
_LOCK = 0x6C616B65
"""The advisory lock of migrations on Postgres."""


class MetadataDatabase:
    """One database, by its SQLAlchemy URL. Nothing is opened before it is used."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(sa.make_url(url))
        self._is_migrated = False

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection whose statements become true together at the end of the block.

        Raises:
            TransientError: the database does not answer.
            PermanentError: a newer version made it, or it refuses the statement.
        """
        try:
            self._be_ready()
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            problem = f"the metadata database does not answer: {_first_line(error)}"
            raise TransientError(problem, where=self.where, remedy="check LAKEHOUSE_METADATA__URL") from error
        except DBAPIError as error:
            problem = f"the metadata database refuses: {_first_line(error)}"
            raise PermanentError(problem, where=self.where) from error

    @property
    def where(self) -> str:
        """Its address without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    def _be_ready(self) -> None:
        """One process migrates, others wait for it: SQLite gives the transaction to one, Postgres the lock."""
        if self._is_migrated:
            return
        url = self.engine.url
        if url.get_backend_name() == "sqlite" and url.database:
            try:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                problem = f"the metadata database cannot be made: {error.strerror}"
                raise TransientError(problem, where=self.where, remedy="check the directory") from error
        with self.engine.begin() as connection:
            if url.get_backend_name() == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            if revision_of(connection) != REVISION:
                bring_up_to_date(connection, self.where)
        self._is_migrated = True


def metadata_database(settings: Settings) -> MetadataDatabase:
    """The database of these settings; migrated once in a process."""
    return _database(settings.metadata_uri)


@cache
def _database(url: str) -> MetadataDatabase:
    return MetadataDatabase(url)


def _engine(url: sa.URL) -> sa.Engine:
    # Writes are few and run workers come and go: no connection is kept.
    if url.get_backend_name() != "sqlite":
        driver = url.set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": _CONNECT_SECONDS, "application_name": "lakehouse"}
        return sa.create_engine(driver, poolclass=NullPool, connect_args=arguments)
    engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": _SQLITE_BUSY_SECONDS})

    # Python's driver begins no transaction before DDL, and one that turns from reading to writing does not wait:
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    @sa.event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]
