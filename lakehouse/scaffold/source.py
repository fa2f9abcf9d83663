"""What a person gives to name a source, as the configuration of its Airbyte connector and its secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lakehouse.errors import ConfigurationError

Method = Literal["cdc", "standard"]
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DATABASE = ("sourceType", "host", "port", "database", "replication_method")
_LONGEST_SLOT = 63 - len("_4fe3ba5a")
"""Of the characters that Postgres lets a name have."""
_SSL_MODES = ("disable", "allow", "prefer", "require")


@dataclass(frozen=True)
class NewSource:
    """A source to declare."""

    name: str
    """Of the source, its connection, its folder in landing/ and the prefix of its tables."""
    what: str
    """Type and address without a secret, for people: `postgres 127.0.0.1:5432/bank`."""
    configuration: Mapping[str, Any]
    """The connector's configuration as it is declared; secrets are `${env:...}` references."""
    identity: tuple[str, ...]
    """The keys of the configuration that say which source it is: two of another value are two sources."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Values of those references that `<home>/lakehouse.env` has to hold."""
    url: str | None = None
    """SQLAlchemy's form of a database's address, with its password; None for what is no database."""


def postgres(url: str, *, name: str | None, schema: str, method: Method) -> NewSource:
    """source-postgres for `postgresql://user:password@host:port/database`.

    >>> source = postgres("postgresql://ann:s3cret@db/bank", name=None, schema="public", method="cdc")
    >>> source.name, source.what, source.configuration["password"], dict(source.secrets)
    ('bank', 'postgres db:5432/bank', '${env:BANK_PASSWORD}', {'BANK_PASSWORD': 's3cret'})

    Raises:
        ConfigurationError: no such address, or an option of it that has no place in the configuration.
    """
    parts = _database(url, ("postgresql", "postgres"), "postgresql://user:password@host:5432/database")
    chosen = checked_name(name or slug(parts.database))
    ssl_mode = _query(parts.query, "sslmode", "prefer")
    if ssl_mode not in _SSL_MODES:
        raise ConfigurationError(
            f"sslmode {ssl_mode} is not served", where="address", remedy=f"use {', '.join(_SSL_MODES)}"
        )
    replication = {
        "method": "CDC",
        "replication_slot": f"lakehouse_{chosen}",
        "publication": f"lakehouse_{chosen}",
        "invalid_cdc_cursor_position_behavior": "Re-sync data",
    }
    password, secrets = _password(chosen, parts.password)
    configuration = {
        "sourceType": "postgres",
        "host": parts.host,
        "port": parts.port or 5432,
        "database": parts.database,
        "schemas": [schema],
        "username": parts.user,
        **password,
        "ssl_mode": {"mode": ssl_mode},
        "replication_method": replication if method == "cdc" else {"method": "Standard"},
    }
    what = f"postgres {parts.host}:{parts.port or 5432}/{parts.database}"
    return NewSource(chosen, what, configuration, (*_DATABASE, "schemas"), secrets, url)


def mysql(url: str, *, name: str | None, method: Method) -> NewSource:
    """source-mysql, for MariaDB too, for `mysql://user:password@host:port/database`.

    Raises:
        ConfigurationError: no such address, or an option of it that has no place in the configuration.
    """
    parts = _database(url, ("mysql", "mariadb"), "mysql://user:password@host:3306/database")
    _query(parts.query, "", "")
    chosen = checked_name(name or slug(parts.database))
    password, secrets = _password(chosen, parts.password)
    configuration = {
        "sourceType": "mysql",
        "host": parts.host,
        "port": parts.port or 3306,
        "database": parts.database,
        "username": parts.user,
        **password,
        "ssl_mode": {"mode": "preferred"},
        "replication_method": {"method": "CDC", "invalid_cdc_cursor_position_behavior": "Re-sync data"}
        if method == "cdc"
        else {"method": "STANDARD"},
    }
    what = f"mysql {parts.host}:{parts.port or 3306}/{parts.database}"
    return NewSource(chosen, what, configuration, _DATABASE, secrets, url)


def files(root: str, streams: list[dict[str, Any]], *, name: str | None) -> NewSource:
    """source-files for a folder of this machine or a URL, with these streams of its configuration."""
    place = root if "://" in root else str(Path(root).expanduser().resolve())
    chosen = checked_name(name or slug(place.rstrip("/").rpartition("/")[2]))
    configuration = {"sourceType": "files", "root": place, "streams": streams}
    return NewSource(chosen, f"files {place}", configuration, ("sourceType", "root"))


def manifest(source_type: str, given: Mapping[str, Any], secret: frozenset[str], *, name: str) -> NewSource:
    """A low-code source that is installed as `source_type`; `secret` are the keys its spec marks as secrets."""
    chosen = checked_name(name)
    variables = {key: f"{chosen}_{slug(key)}".upper() for key in given if key in secret}
    configuration = {key: f"${{env:{variables[key]}}}" if key in secret else given[key] for key in given}
    secrets = {variable: str(given[key]) for key, variable in variables.items()}
    return NewSource(
        chosen,
        f"manifest {source_type}",
        {"sourceType": source_type, **configuration},
        ("sourceType",),
        secrets,
    )


def with_own_slot(source: NewSource, workspace_id: str) -> NewSource:
    """The source with a replication slot that only this Airbyte workspace reads, where it has one.

    Readers of one slot move it on without each other, and both have to read everything anew.

    >>> bank = postgres("postgresql://ann@db/bank", name=None, schema="public", method="cdc")
    >>> own = with_own_slot(bank, "4fe3ba5a-36cb-4d2b-9bcd-f4ee3c5a1a70")
    >>> own.configuration["replication_method"]["replication_slot"]
    'lakehouse_bank_4fe3ba5a'
    """
    method = source.configuration.get("replication_method", {})
    if "replication_slot" not in method:
        return source
    slot = f"{method['replication_slot'][:_LONGEST_SLOT]}_{workspace_id[:8]}"
    return replace(
        source,
        configuration={**source.configuration, "replication_method": {**method, "replication_slot": slot}},
    )


def slug(text: str) -> str:
    """The text as a name: lower case letters, digits and underscores.

    >>> slug("Order Items-2025")
    'order_items_2025'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def checked_name(name: str) -> str:
    """The name. Raises ConfigurationError when it is not one."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name", where="--name", remedy="use lower case letters, digits and underscores"
        )
    return name


@dataclass(frozen=True)
class _Address:
    host: str
    port: int | None
    database: str
    user: str
    password: str | None
    query: Mapping[str, Any]


def _database(url: str, schemes: tuple[str, ...], form: str) -> _Address:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        parts = None
    if (
        parts is None
        or parts.drivername not in schemes
        or not (parts.host and parts.database and parts.username)
    ):
        raise ConfigurationError("is no database's address", where="address", remedy=f"write {form}")
    password = None if parts.password is None else str(parts.password)
    return _Address(parts.host, parts.port, parts.database, parts.username, password, parts.query)


def _query(query: Mapping[str, Any], known: str, default: str) -> str:
    for key in query:
        if key != known:
            remedy = f"known is {known}" if known else "declare it in the source's defs.yaml afterwards"
            raise ConfigurationError(f"unknown option {key}", where="address", remedy=remedy)
    return str(query.get(known, default))


def _password(name: str, given: str | None) -> tuple[dict[str, str], dict[str, str]]:
    if given is None:
        return {}, {}
    variable = f"{name}_password".upper()
    return {"password": f"${{env:{variable}}}"}, {variable: given}
