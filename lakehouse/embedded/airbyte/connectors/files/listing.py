"""Which files a stream has, and which of them are new: the history state of Airbyte's file-based sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.embedded.airbyte.connectors.files.configuration import FileStream
from lakehouse.embedded.airbyte.protocol import ConnectorError

MODIFIED = "_ab_source_file_last_modified"
URL = "_ab_source_file_url"


@dataclass(frozen=True)
class SourceFile:
    """A file, its path below the root and when it was last modified (ISO 8601, UTC)."""

    path: Path
    url: str
    modified: str

    @property
    def unchanged(self) -> bool:
        """Whether the file is still as it was listed."""
        return self.path.exists() and _modified(self.path) == self.modified


def files_of(root: Path, stream: FileStream) -> list[SourceFile]:
    """The stream's files, oldest first. Raises ConnectorError when there are none."""
    paths = {path for glob in stream.globs for path in root.glob(glob) if path.is_file()}
    if not paths:
        globs = ", ".join(stream.globs)
        raise ConnectorError(
            f"stream {stream.name}: no file matches {globs} below {root}", kind="config_error"
        )
    found = [SourceFile(path, path.relative_to(root).as_posix(), _modified(path)) for path in paths]
    return sorted(found, key=lambda file: (file.modified, file.url))


def new_files(files: list[SourceFile], state: Mapping[str, Any] | None) -> list[SourceFile]:
    """The files that the state's history does not know, or knows with an earlier modification time."""
    history = (state or {}).get("history") or {}
    return [file for file in files if file.modified != history.get(file.url)]


def state_after(state: Mapping[str, Any] | None, file: SourceFile) -> dict[str, Any]:
    """The state once a file's rows are safe."""
    history = {**((state or {}).get("history") or {}), file.url: file.modified}
    url, modified = max(history.items(), key=lambda entry: (entry[1], entry[0]))
    return {"history": history, MODIFIED: f"{modified}_{url}"}


def _modified(path: Path) -> str:
    moment = datetime.fromtimestamp(path.stat().st_mtime_ns // 1000 / 1e6, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
