"""A DuckDB connection for one merge: bounded memory, spilling to disk, and S3 when the lake is there."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from lakehouse.errors import ConfigurationError, PermanentError, TransientError
from lakehouse.lake.filesystem import s3_region

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lakehouse.settings import Settings

DEFAULT_MEMORY_LIMIT = "1GB"


@contextmanager
def duckdb_session(
    settings: Settings, table: str, memory_limit: str = DEFAULT_MEMORY_LIMIT
) -> Iterator[DuckDBPyConnection]:
    """An in-memory database that spills into a directory of the home, removed at the end.

    Raises:
        TransientError: files of the lake cannot be read.
        PermanentError: a value cannot be cast, or the memory does not suffice; both name `table`.
    """
    import duckdb

    with _spill_directory(settings.home / "spill") as spill:
        connection = duckdb.connect(
            config={
                "memory_limit": memory_limit,
                "temp_directory": spill,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": False,
            }
        )
        try:
            connection.execute("SET TimeZone = 'UTC'")
            if settings.lake.startswith("s3://"):
                _attach_s3(connection, settings)
            yield connection
        except duckdb.IOException as error:
            raise TransientError(
                f"cannot read the lake: {_first_line(error)}", where=table, remedy="run the merge again"
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise PermanentError(
                f"memory limit {memory_limit} does not suffice: {_first_line(error)}",
                where=table,
                remedy="raise memory_limit",
            ) from error
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            raise PermanentError(f"a landed value does not fit: {_first_line(error)}", where=table) from error
        finally:
            connection.close()


@contextmanager
def _spill_directory(root: Path) -> Iterator[str]:
    """A directory that this process holds. Those that nobody holds are of killed ones: spills are big.

    Held by a lock, not by a process id: containers that share a home do not see each other's processes.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / ".lock").open("w") as sweeping:
        fcntl.flock(
            sweeping, fcntl.LOCK_EX
        )  # so that no directory is swept between its making and its holding
        for left in root.iterdir():
            if left.is_dir() and (handle := _hold(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                handle.close()
        directory = tempfile.TemporaryDirectory(dir=root)
        held = _hold(Path(directory.name))
    try:
        yield directory.name
    finally:
        directory.cleanup()
        if held is not None:
            held.close()


def _hold(directory: Path) -> IO[str] | None:
    """The directory's lock until the handle is closed; None when another has it, or the directory is gone."""
    try:
        handle = (directory / "held").open("w")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def literal(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _attach_s3(connection: DuckDBPyConnection, settings: Settings) -> None:
    connection.execute(f"LOAD {literal(_httpfs_path())}")
    s3 = settings.s3
    options = {"TYPE": "s3", "SCOPE": literal("s3://")}
    if region := s3_region(settings):
        options["REGION"] = literal(region)
    if s3.endpoint:
        endpoint = urlsplit(s3.endpoint if "://" in s3.endpoint else f"https://{s3.endpoint}")
        options |= {
            "ENDPOINT": literal(endpoint.netloc),
            "URL_STYLE": "'path'",
            "USE_SSL": str(endpoint.scheme == "https").lower(),
        }
    if s3.access_key_id and s3.secret_access_key:
        key_id, secret, token = s3.access_key_id, s3.secret_access_key.get_secret_value(), None
    else:
        key_id, secret, token = _aws_credentials()
    options |= {"KEY_ID": literal(key_id), "SECRET": literal(secret)}
    if token:
        options["SESSION_TOKEN"] = literal(token)
    connection.execute(f"CREATE SECRET lake ({', '.join(f'{k} {v}' for k, v in options.items())})")


def _aws_credentials() -> tuple[str, str, str | None]:
    """Key id, secret and session token from the AWS environment, as boto3 finds them."""
    import boto3

    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise ConfigurationError(
            "no S3 credentials",
            where="LAKEHOUSE_S3__ACCESS_KEY_ID, LAKEHOUSE_S3__SECRET_ACCESS_KEY, then the AWS environment",
            remedy="set both, or the AWS environment",
        )
    frozen = credentials.get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token


def _httpfs_path() -> str:
    """The extension inside its wheel, so that DuckDB never downloads it."""
    from importlib.resources import files

    package = files("duckdb_extension_httpfs") / "extensions"
    for version in package.iterdir():
        return str(version / "httpfs.duckdb_extension")
    raise PermanentError("no httpfs extension in its wheel", where=str(package), remedy="install again")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
