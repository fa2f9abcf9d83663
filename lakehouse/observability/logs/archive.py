"""The logs in the lake: `<lake>/logs/<service>/date=YYYY-MM-DD/*.json.gz`, gzip of JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING

from lakehouse.errors import TransientError
from lakehouse.lake.filesystem import open_filesystem, path_of
from lakehouse.lake.layout import logs_prefix
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

_DAY = re.compile(r"/date=(\d{4}-\d{2}-\d{2})/[^/]+\.json\.gz$")


class LogArchive:
    """Files are whole or not there; one that is written again under its name is the same."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: FileSystem | None = None

    def write(self, service: str, day: str, name: str, members: Iterable[bytes]) -> None:
        """One file of these gzip members. Raises TransientError when the lake cannot be written."""
        folder = f"{path_of(logs_prefix(self._settings, service))}/date={day}"
        local = self._settings.lake.startswith("file://")
        # An object appears when it is complete; a local file would be seen while it grows.
        target = f"{folder}/.{name}.partial" if local else f"{folder}/{name}.json.gz"
        try:
            if local:
                self._files.create_dir(folder, recursive=True)
            with self._files.open_output_stream(target, compression=None) as file:
                for member in members:
                    file.write(member)
            if local:
                self._files.move(target, f"{folder}/{name}.json.gz")
        except OSError as error:
            raise TransientError(f"cannot write logs: {error}", where=self._settings.lake) from error

    def before(self, day: date) -> list[tuple[str, int]]:
        """The files of earlier days, with their sizes in bytes."""
        return [(info.path, info.size) for info in self._listed() if _day(info.path) < day]

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files that `before` gave. Raises TransientError when the lake cannot be written."""
        for path in paths:
            try:
                self._files.delete_file(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise TransientError(f"cannot remove logs: {error}", where=self._settings.lake) from error

    def _listed(self) -> Iterator[FileInfo]:
        from pyarrow.fs import FileSelector

        root = path_of(f"{self._settings.lake}/logs")
        try:
            found = self._files.get_file_info(FileSelector(root, allow_not_found=True, recursive=True))
        except OSError as error:
            raise TransientError(f"cannot list logs: {error}", where=self._settings.lake) from error
        return (info for info in found if _DAY.search(info.path))

    @property
    def _files(self) -> FileSystem:
        if self._opened is None:
            self._opened = open_filesystem(self._settings)
        return self._opened


def _day(path: str) -> date:
    found = _DAY.search(path)
    if found is None:
        raise ValueError(f"no file of logs: {path}")
    return date.fromisoformat(found[1])
