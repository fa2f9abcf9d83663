"""Where files are: a directory here, an S3 bucket, or a server that fsspec knows how to talk to (FTP, SFTP)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow.fs as pafs

from lakehouse.embedded.airbyte.protocol import ConnectorError


@dataclass(frozen=True)
class Found:
    """A file of a storage: its path below the root, when it was modified (ISO 8601, UTC) and its bytes."""

    url: str
    modified: str
    size: int


class Storage(Protocol):
    """`settles` is how old, in seconds, a file must be to be taken without looking again whether it grows."""

    settles: float

    def list(self) -> Iterator[Found]:
        """Every file below the root."""

    def look(self, url: str) -> Found | None:
        """The file as it is now, or None when it is gone."""

    def open(self, url: str) -> Any:
        """A file as a seekable binary file."""


class Directory:
    """A local directory. Another process may still be writing a file of it."""

    settles = 2.0

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self) -> Iterator[Found]:
        if not self._root.is_dir():
            raise ConnectorError(f"root {self._root}: no such directory", kind="config_error")
        for path in self._root.rglob("*"):
            if path.is_file() and (found := self.look(path.relative_to(self._root).as_posix())):
                yield found

    def look(self, url: str) -> Found | None:
        try:
            about = (self._root / url).stat()
        except FileNotFoundError:
            return None
        return Found(url, _iso(datetime.fromtimestamp(about.st_mtime_ns // 1000 / 1e6, UTC)), about.st_size)

    def open(self, url: str) -> Any:
        return (self._root / url).open("rb")


class Bucket:
    """An S3 bucket below a prefix. An object is there whole or not at all."""

    settles = 0.0

    def __init__(self, bucket: str, prefix: str, options: dict[str, Any]) -> None:
        self._files = pafs.S3FileSystem(**options)
        self._root = f"{bucket}/{prefix}".rstrip("/")

    def list(self) -> Iterator[Found]:
        selector = pafs.FileSelector(self._root, recursive=True)
        for info in self._files.get_file_info(selector):
            if info.is_file:
                yield self._found(info)

    def look(self, url: str) -> Found | None:
        info = self._files.get_file_info(f"{self._root}/{url}")
        return self._found(info) if info.is_file else None

    def _found(self, info: Any) -> Found:
        # Whole seconds: a listing may say more, asking for one object does not.
        moment = datetime.fromtimestamp(info.mtime_ns // 10**9, UTC)
        return Found(info.path[len(self._root) + 1 :], _iso(moment), info.size)

    def open(self, url: str) -> Any:
        # Buffered, because a file of pyarrow's cannot be read by lines.
        return io.BufferedReader(self._files.open_input_file(f"{self._root}/{url}"))


class Server:
    """An FTP or SFTP server. Its clock may differ from ours, so that a file must rest longer."""

    settles = 60.0

    def __init__(self, protocol: str, root: str, options: dict[str, Any]) -> None:
        self._protocol = protocol
        self._root = "/" + root.strip("/")
        self._options = options
        self._opened: Any = None

    @property
    def _files(self) -> Any:
        if self._opened is None:
            self._opened = _connected(self._protocol, self._options)
        return self._opened

    def list(self) -> Iterator[Found]:
        for path, about in self._files.find(self._root, detail=True).items():
            yield Found(path.removeprefix(self._root).strip("/"), _modified(about), about["size"])

    def look(self, url: str) -> Found | None:
        self._files.invalidate_cache()
        try:
            about = self._files.info(f"{self._root.rstrip('/')}/{url}")
        except FileNotFoundError:
            return None
        return Found(url, _modified(about), about["size"])

    def open(self, url: str) -> Any:
        return self._files.open(f"{self._root.rstrip('/')}/{url}", "rb")


def _connected(protocol: str, options: dict[str, Any]) -> Any:
    import fsspec

    given = dict(options)
    if protocol == "sftp":
        try:
            import paramiko
        except ImportError as error:
            raise ConnectorError(
                "files over SFTP need the extra sftp: pip install 'lakehouse[sftp]'", kind="config_error"
            ) from error
        if key := given.pop("private_key", None):
            given["pkey"] = _private_key(paramiko, key)
    return fsspec.filesystem(protocol, skip_instance_cache=True, **given)


def _private_key(paramiko: Any, text: str) -> Any:
    for kind in (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey):
        try:
            return kind.from_private_key(io.StringIO(text))
        except paramiko.SSHException:
            continue
    raise ConnectorError("credentials.private_key: not an Ed25519, RSA or ECDSA key", kind="config_error")


def _modified(about: dict[str, Any]) -> str:
    moment = about.get("mtime") or about.get("modify")
    if isinstance(moment, str):  # FTP's MLSD: 20261123174206, with or without a fraction
        moment = datetime.strptime(moment[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    if not isinstance(moment, datetime):
        raise ConnectorError(
            f"file {about['name']}: the server does not say when it was modified (FTP's MLSD)",
            kind="config_error",
        )
    return _iso(moment)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_REFUSED = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "HTTP status 403", "530 ")


@contextmanager
def told(place: str) -> Iterator[None]:
    """What a storage's library raises, as a ConnectorError of one line that names the place."""
    try:
        yield
    except (OSError, EOFError) as error:
        text = " ".join(str(error).split())
        if isinstance(error, FileNotFoundError | PermissionError):
            raise ConnectorError(f"{place}: {text}", kind="config_error") from error
        raise _problem(place, text) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("ftplib", "paramiko"):
            raise
        text = " ".join(str(error).split())
        if "uthentication" in text:
            raise _refused(place, text) from error
        raise _problem(place, text) from error


def _problem(place: str, text: str) -> ConnectorError:
    if any(sign in text for sign in _REFUSED):
        return _refused(place, text)
    if "NO_SUCH_BUCKET" in text:
        return ConnectorError(f"{place}: there is no such bucket", kind="config_error")
    return ConnectorError(f"{place} does not answer: {text}", kind="transient_error")


def _refused(place: str, text: str) -> ConnectorError:
    return ConnectorError(f"{place} refuses the credentials: {text}", kind="config_error")
