"""CSV as text columns, and the type that all of a column's texts have."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from lakehouse.embedded.airbyte.coercion import all_parse
from lakehouse.embedded.airbyte.connectors.files.configuration import CsvFormat
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import Kind

_BLOCK = 8 * 2**20
_LEADING_ZERO = r"^[+-]?0[0-9]"
_LEADING_ZERO_OR_LONG = r"^[+-]?(0[0-9]|[0-9]{16,}$)"
_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_PRIMITIVE = (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)
_TEMPORAL = (Kind.DATE, Kind.TIMESTAMP_TZ, Kind.TIMESTAMP)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The text of a file as bytes, decompressed when it is gzip or a zip archive of one member."""
    with path.open("rb") as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(raw) as plain:
                yield plain  # type: ignore[misc]
        elif magic == b"PK\x03\x04":
            with zipfile.ZipFile(raw) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
                if len(members) != 1:
                    problem = f"{path.name}: a zip archive must hold one file, this one holds {len(members)}"
                    raise ConnectorError(problem, kind="config_error")
                with archive.open(members[0]) as plain:
                    yield plain
        else:
            yield raw


def header(path: Path, layout: CsvFormat) -> list[str]:
    """The column names: declared, or the file's first line. Raises ConnectorError for an odd header."""
    if layout.column_names:
        return list(layout.column_names)
    with opened(path) as stream:
        text = io.TextIOWrapper(stream, encoding=layout.encoding, newline="")
        rows = csv.reader(
            text,
            delimiter=layout.delimiter,
            quotechar=layout.quote_char,
            escapechar=layout.escape_char,
            doublequote=layout.double_quote,
        )
        try:
            names = next(rows, [])
        except (UnicodeDecodeError, EOFError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise unreadable(path, error) from error
    if names:
        names[0] = names[0].removeprefix("\ufeff")
    if not names or "" in names or len(set(names)) < len(names):
        problem = f"{path.name}: its first line must name every column once, it is {names}"
        raise ConnectorError(problem + "; set column_names of the format for files without a header")
    return names


def text_batches(path: Path, layout: CsvFormat, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The file's rows, the given columns, as text or NULL. Raises ConnectorError naming the file."""
    names = header(path, layout)
    read = pacsv.ReadOptions(
        block_size=_BLOCK,
        encoding=layout.encoding,
        column_names=list(layout.column_names) or None,
    )
    parse = pacsv.ParseOptions(
        delimiter=layout.delimiter,
        quote_char=layout.quote_char,
        double_quote=layout.double_quote,
        escape_char=layout.escape_char or False,
        newlines_in_values=True,
    )
    convert = pacsv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        include_columns=columns,
        null_values=list(layout.null_values),
        strings_can_be_null=True,
    )
    with opened(path) as stream:
        try:
            with pacsv.open_csv(stream, read, parse, convert) as reader:
                yield from reader
        except (pa.ArrowInvalid, UnicodeDecodeError, EOFError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            if "Empty CSV file" not in str(error):
                raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> ConnectorError:
    """A file that is not what its format says, as one line."""
    hint = "; check `encoding` of the format" if isinstance(error, UnicodeDecodeError) else ""
    return ConnectorError(f"{path.name}: {' '.join(str(error).split())}{hint}", kind="config_error")


class TypeInference:
    """Narrows, batch by batch, what all values of each column can be."""

    def __init__(self, columns: list[str], inference: str) -> None:
        candidates: tuple[Kind, ...] = ()
        if inference != "None":
            candidates = _PRIMITIVE if inference == "Primitive Types Only" else _PRIMITIVE + _TEMPORAL
        self._viable: dict[str, list[Kind]] = {column: list(candidates) for column in columns}
        self._seen: set[str] = set()

    def look_at(self, batch: pa.RecordBatch) -> None:
        """Takes the texts of a batch into account."""
        for name, texts in zip(batch.schema.names, batch.columns, strict=True):
            values: Any = texts.drop_null()
            if len(values):
                self._seen.add(name)
                self._viable[name] = [kind for kind in self._viable[name] if _all_are(values, kind)]

    def kinds(self) -> dict[str, Kind]:
        """The narrowest kind of each column; text where nothing else fits or nothing was seen."""
        return {
            name: viable[0] if viable and name in self._seen else Kind.STRING
            for name, viable in self._viable.items()
        }


def _all_are(texts: pa.Array, kind: Kind) -> bool:
    if kind is Kind.BOOLEAN:
        return bool(pc.all(pc.is_in(pc.utf8_lower(texts), pa.array(["true", "false"]))).as_py())
    if kind is Kind.DATE and not pc.all(pc.match_substring_regex(texts, _ISO_DATE)).as_py():
        return False  # a timestamp would parse too, and lose its time
    if not all_parse(texts, kind):
        return False
    if kind in (Kind.INTEGER, Kind.NUMBER):
        # 00501 is a code: as a number it would lose its zeros. A double would round 16 digits and more.
        lossy = _LEADING_ZERO if kind is Kind.INTEGER else _LEADING_ZERO_OR_LONG
        return not pc.any(pc.match_substring_regex(texts, lossy)).as_py()
    return True
