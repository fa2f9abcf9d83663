"""Which files a stream has, and which of them are new: the history state of Airbyte's file-based sources.

Source: airbyte-cdk, `DefaultFileBasedCursor`: the state's shape, the size of the history and what counts as new
once it is full.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wcmatch.glob import GLOBSTAR, globmatch

from lakehouse.embedded.airbyte.connectors.files.configuration import Configuration, FileStream
from lakehouse.embedded.airbyte.connectors.files.storage import Found, Storage
from lakehouse.embedded.airbyte.protocol import ConnectorError

MODIFIED = "_ab_source_file_last_modified"
URL = "_ab_source_file_url"
HISTORY_FILES = 10_000
_LOOK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True)
class SourceFile:
    """A file as it was listed."""

    storage: Storage
    found: Found

    @property
    def url(self) -> str:
        """Its path below the root."""
        return self.found.url

    @property
    def modified(self) -> str:
        """When it was last modified (ISO 8601, UTC)."""
        return self.found.modified

    def open(self) -> Any:
        """A seekable binary file."""
        return self.storage.open(self.url)


def files_of(configuration: Configuration, storage: Storage, stream: FileStream) -> list[SourceFile]:
    """The stream's files, oldest first. Raises ConnectorError when there are none."""
    globs = list(stream.globs)
    found = [
        SourceFile(storage, file)
        for file in storage.list()
        if file.modified >= configuration.since and globmatch(file.url, globs, flags=GLOBSTAR)
    ]
    if not found:
        problem = f"stream {stream.name}: no file matches {', '.join(globs)} below {configuration.place}"
        raise ConnectorError(problem, kind="config_error")
    return sorted(found, key=lambda file: (file.modified, file.url))


def settled(files: Sequence[SourceFile]) -> list[SourceFile]:
    """The files that nobody is writing: those young enough to be unfinished are looked at once more."""
    if not files or not files[0].storage.settles:
        return list(files)
    storage = files[0].storage
    recent = _iso(datetime.now(UTC) - timedelta(seconds=storage.settles))
    if all(file.modified < recent for file in files):
        return list(files)
    time.sleep(_LOOK_AGAIN_SECONDS)
    return [file for file in files if file.modified < recent or unchanged(file)]


def unchanged(file: SourceFile) -> bool:
    """Whether the file is still as it was listed."""
    return file.storage.look(file.url) == file.found


def new_files(
    files: Sequence[SourceFile], state: Mapping[str, Any] | None, stream: FileStream
) -> list[SourceFile]:
    """The files that the history does not know, or knows with another modification time.

    A full history has forgotten its oldest files: of those older than all it knows, only the ones of the last
    `days_to_sync_if_history_is_full` days are read.
    """
    history: Mapping[str, str] = (state or {}).get("history") or {}
    fresh = [file for file in files if file.modified != history.get(file.url)]
    if len(history) < HISTORY_FILES:
        return fresh
    earliest = min((modified, url) for url, modified in history.items())
    window = _iso(datetime.now(UTC) - timedelta(days=stream.days_to_sync_if_history_is_full))
    return [
        file
        for file in fresh
        if file.url in history or (file.modified, file.url) > earliest or file.modified >= window
    ]


def state_after(state: Mapping[str, Any] | None, file: SourceFile) -> dict[str, Any]:
    """The state once a file's rows are safe."""
    history = {**((state or {}).get("history") or {}), file.url: file.modified}
    if len(history) > HISTORY_FILES:
        del history[min(history, key=lambda url: (history[url], url))]
    url, modified = max(history.items(), key=lambda entry: (entry[1], entry[0]))
    return {"history": history, MODIFIED: f"{modified}_{url}"}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
