"""The credentials of a home directory: generated at the first start, kept, never overwritten."""

from __future__ import annotations

import fcntl
import os
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ENV_FILE_NAME = "lakehouse.env"

_GENERATED = {
    "LAKEHOUSE_DREMIO__PASSWORD": lambda: secrets.token_urlsafe(24),
    "LAKEHOUSE_AIRBYTE__PASSWORD": lambda: secrets.token_urlsafe(24),
    "LAKEHOUSE_POSTGRES__PASSWORD": lambda: secrets.token_urlsafe(24),
    "LAKEHOUSE_API__TOKENS": lambda: secrets.token_urlsafe(32),
    "LAKEHOUSE_AIRBYTE__WORKSPACE_ID": lambda: str(uuid.uuid4()),
}

_HEADER = (
    "# Written by the embedded stack at its first start; holds secrets. Values set here by hand are kept.\n"
)


def ensure_credentials(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make sure that `<home>/lakehouse.env` (mode 0600) holds every generated credential.

    Keys that are there stay as they are; missing ones are appended. `extra` holds further keys to keep if
    they are missing, such as ports. The file is replaced atomically, and two first starts at the same
    moment agree on one set of credentials.

    Returns:
        All keys of the file.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / ENV_FILE_NAME
    with _locked(home):
        text = path.read_text() if path.exists() else _HEADER
        kept = _assignments(text)
        missing = {key: value for key, value in (extra or {}).items() if key not in kept}
        missing |= {key: make() for key, make in _GENERATED.items() if key not in kept}
        if missing:
            lines = text if text.endswith("\n") else text + "\n"
            _replace(path, lines + "".join(f"{key}={value}\n" for key, value in missing.items()))
        path.chmod(0o600)
    return kept | missing


def _assignments(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
