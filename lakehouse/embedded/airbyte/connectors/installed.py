"""Connectors that were installed into the server's home: what each folder there says of itself.

`connectors/<type>/connector.json` appears last, in one step, so that a folder without it is no connector.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from lakehouse.embedded.errors import EmbeddedError

_RECORD = "connector.json"


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """An installed source; `folder` is the environment or the manifest, which goes when it is removed."""

    type: str
    package: str
    version: str
    command: tuple[str, ...]
    spec: dict[str, Any]
    folder: str


def connectors_folder(home: Path) -> Path:
    """Where the installed connectors of the server with this home are."""
    return home / "connectors"


def installed(home: Path) -> list[Installed]:
    """Every installed connector, by type. Raises EmbeddedError for one whose record cannot be read."""
    folders = sorted(connectors_folder(home).glob(f"[a-z]*/{_RECORD}"))
    found = (installed_connector(home, record.parent.name) for record in folders)
    return [connector for connector in found if connector is not None]


def installed_connector(home: Path, type_: str) -> Installed | None:
    """The installed connector of a type, or None. Raises EmbeddedError when its record cannot be read."""
    if not type_ or "/" in type_ or type_.startswith("."):
        return None
    path = connectors_folder(home) / type_ / _RECORD
    try:
        return msgspec.json.decode(path.read_bytes(), type=Installed)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        problem, remedy = f"cannot be read: {error}", f"run `lakehouse connector remove {type_}`"
        raise EmbeddedError(problem, where=str(path), remedy=remedy) from error


def record(home: Path, connector: Installed) -> None:
    """Makes a connector visible, in the place of one of the same type."""
    path = connectors_folder(home) / connector.type / _RECORD
    draft = path.with_name(f".{_RECORD}.{os.getpid()}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(connector), indent=1))
    draft.replace(path)


def forget(home: Path, type_: str) -> bool:
    """Makes a connector invisible; false when there is none."""
    path = connectors_folder(home) / type_ / _RECORD
    if not path.exists():
        return False
    path.unlink()
    return True
