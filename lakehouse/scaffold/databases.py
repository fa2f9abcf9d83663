"""What a database tells by itself, which Airbyte does not pass on: NOT NULL and oldest days."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, ServiceDownError
from lakehouse.scaffold.preparation import Preparation
from lakehouse.scaffold.source import NewSource

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_CONNECT_SECONDS = 10


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

    @property
    def preparation(self) -> Preparation | None:
        """What the user lacks; None of MySQL and MariaDB, where their connector's check names it all at once."""
        return Preparation(self._connection, self._configuration) if self._postgres else None


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
