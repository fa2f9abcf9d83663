"""JSON lines: an object a line, its fields typed as those of a connector's records are."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.files.compression import opened, unreadable
from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch, RecordBatcher
from lakehouse.embedded.airbyte.types import Column, Kind

_KINDS = {bool: Kind.BOOLEAN, int: Kind.INTEGER, float: Kind.NUMBER, str: Kind.STRING}
_NUMBERS = {Kind.INTEGER, Kind.NUMBER}


def kinds_of(file: SourceFile, most_bytes: int) -> dict[str, set[Kind]]:
    """The kinds of values that each field has in the file's first bytes."""
    seen: dict[str, set[Kind]] = {}
    read = 0
    for number, line in _lines(file):
        for name, value in _object(file, number, line).items():
            kinds = seen.setdefault(name, set())
            if value is not None:
                kinds.add(_KINDS.get(type(value), Kind.JSON))
        read += len(line)
        if read >= most_bytes:
            break
    return seen


def widest(kinds: set[Kind]) -> Kind:
    """The kind that holds values of all these kinds; text when they have nothing in common."""
    if kinds == _NUMBERS:
        return Kind.NUMBER
    return next(iter(kinds)) if len(kinds) == 1 else Kind.STRING


def batches(file: SourceFile, columns: tuple[Column, ...]) -> Iterator[LandingBatch]:
    """The file's rows. Raises ConnectorError naming file and line for a line that is no object."""
    batcher = RecordBatcher(columns)
    now = epoch_ms()
    for number, line in _lines(file):
        if not (line.startswith(b"{") and line.endswith(b"}")):
            _object(file, number, line)
        if batcher.add(line, now, []):
            yield from _flushed(file, batcher)
            now = epoch_ms()
    yield from _flushed(file, batcher)


def _flushed(file: SourceFile, batcher: RecordBatcher) -> Iterator[LandingBatch]:
    try:
        batch = batcher.flush()
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise unreadable(file, error) from error
    if batch is None:
        return
    if batch.rows.num_rows != len(batch.extracted_at):
        raise ConnectorError(f"{file.url}: a line holds more than one object", kind="config_error")
    yield batch


def _lines(file: SourceFile) -> Iterator[tuple[int, bytes]]:
    with opened(file) as stream:
        for number, line in enumerate(stream, 1):
            if text := bytes(line).strip().removeprefix(b"\xef\xbb\xbf"):
                yield number, text


def _object(file: SourceFile, number: int, line: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        problem = f"{file.url}: line {number} is no JSON object: {error}"
        raise ConnectorError(problem, kind="config_error") from error
