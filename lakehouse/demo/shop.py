"""The shop's database: created, filled in one transaction with COPY, and recognised when it is there already."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

import psycopg
import pyarrow as pa
import pyarrow.csv as pc
from psycopg import sql

from lakehouse.demo.generator import generate
from lakehouse.errors import PermanentError, ServiceDownError, ServiceRefusedError
from lakehouse.settings_sections import PostgresSettings

DATABASE = "shop"
_TABLES = ("customers", "products", "orders", "order_items")


@dataclass(frozen=True)
class ShopLoad:
    """What `load_shop` found or made."""

    rows: dict[str, int]
    loaded: bool
    """False when the same shop was there already."""


def load_shop(
    settings: PostgresSettings, *, scale: float, seed: int, today: date, reset: bool = False
) -> ShopLoad:
    """Fill database `shop`; a second call with the same scale and seed changes nothing.

    Raises:
        PermanentError: the database holds a shop of another scale or seed, and `reset` is not asked for.
        ServiceDownError, ServiceRefusedError: Postgres does not answer, or refuses the credentials.
    """
    _create_database(settings)
    with connect(settings) as connection:
        found = _marker(connection)
        if found is not None and not reset:
            if found != (scale, seed):
                raise PermanentError(
                    f"the shop was made with --scale {found[0]:g} --seed {found[1]}",
                    where=f"database {DATABASE}",
                    remedy="use the same, or --reset to make it anew",
                )
            return ShopLoad(_counts(connection), loaded=False)
        with connection.transaction():
            for table in ("shop_meta", *reversed(_TABLES)):
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))
            connection.execute((files("lakehouse.demo") / "shop.sql").read_text().encode())
            for name, rows in generate(scale, seed, today).tables().items():
                _copy(connection, name, rows)
            # After the rows: one pass over a table is quicker than a check for every row.
            connection.execute((files("lakehouse.demo") / "shop_keys.sql").read_text().encode())
            connection.execute(
                "CREATE TABLE shop_meta (scale float8 NOT NULL, seed bigint NOT NULL, last_day date NOT NULL)"
            )
            connection.execute("INSERT INTO shop_meta VALUES (%s, %s, %s)", (scale, seed, today))
        connection.execute("ANALYZE")
        return ShopLoad(_counts(connection), loaded=True)


_DOWN = ("refused", "timeout", "starting up", "shutting down", "in recovery mode", "closed the connection")


@contextmanager
def connect(settings: PostgresSettings, database: str = DATABASE) -> Iterator[psycopg.Connection]:
    """An autocommit connection.

    Raises:
        ServiceDownError: nothing answers. ServiceRefusedError: wrong credentials or no such database.
    """
    where = f"Postgres at {settings.host}:{settings.port}"
    password = settings.password.get_secret_value() if settings.password else None
    try:
        connection = psycopg.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=password,
            dbname=database,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        text = " ".join(str(error).split())
        if any(word in text for word in _DOWN):
            raise ServiceDownError(
                "does not answer", where=where, remedy="start it with `lakehouse up`"
            ) from error
        remedy = f"check user {settings.user!r} and LAKEHOUSE_POSTGRES__PASSWORD"
        raise ServiceRefusedError(text.rpartition("FATAL: ")[2], where=where, remedy=remedy) from error
    with connection:
        yield connection


def _create_database(settings: PostgresSettings) -> None:
    with connect(settings, "postgres") as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _marker(connection: psycopg.Connection) -> tuple[float, int] | None:
    if connection.execute("SELECT to_regclass('shop_meta')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT scale, seed FROM shop_meta").fetchone()
    return (float(row[0]), int(row[1])) if row else None


def _counts(connection: psycopg.Connection) -> dict[str, int]:
    counts = {}
    for table in _TABLES:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        counts[table] = int(row[0]) if row else 0
    return counts


def _copy(connection: psycopg.Connection, table: str, rows: pa.Table) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(name) for name in rows.column_names)
    )
    options = pc.WriteOptions(include_header=False)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_batches(max_chunksize=50_000):
            buffer = io.BytesIO()
            pc.write_csv(batch, buffer, options)
            copy.write(buffer.getvalue())
