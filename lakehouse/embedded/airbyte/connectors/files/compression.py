"""Files as plain bytes, whatever they are packed in."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.protocol import ConnectorError


@contextmanager
def opened(file: SourceFile) -> Iterator[IO[bytes]]:
    """The content of a file, decompressed when it is gzip or a zip archive of one member."""
    with file.open() as raw:
        magic = raw.read(4)
        raw.seek(0)
        try:
            if magic[:2] == b"\x1f\x8b":
                with gzip.open(raw) as plain:
                    yield plain  # type: ignore[misc]
            elif magic == b"PK\x03\x04":
                with zipfile.ZipFile(raw) as archive:
                    members = [member for member in archive.infolist() if not member.is_dir()]
                    if len(members) != 1:
                        problem = (
                            f"{file.url}: a zip archive must hold one file, this one holds {len(members)}"
                        )
                        raise ConnectorError(problem, kind="config_error")
                    with archive.open(members[0]) as plain:
                        yield plain
            else:
                yield raw
        except (EOFError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise unreadable(file, error) from error


def unreadable(file: SourceFile, error: Exception) -> ConnectorError:
    """A file that is not what its format says, as one line."""
    hint = "; check `encoding` of the format" if isinstance(error, UnicodeDecodeError) else ""
    return ConnectorError(f"{file.url}: {' '.join(str(error).split())}{hint}", kind="config_error")
