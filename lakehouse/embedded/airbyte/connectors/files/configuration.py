"""The configuration of source-files: streams and formats as Airbyte's file-based sources have them."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import Kind

_OneCharacter = Annotated[str, msgspec.Meta(min_length=1, max_length=1)]
INPUT_TYPES = {
    "string": Kind.STRING,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
    "timestamp_with_timezone": Kind.TIMESTAMP_TZ,
    "timestamp_without_timezone": Kind.TIMESTAMP,
}


class CsvFormat(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="filetype", tag="csv"):
    """CSV, plain, gzipped, or alone in a zip archive. `null_values` are the texts that mean NULL."""

    delimiter: _OneCharacter = ","
    quote_char: _OneCharacter = '"'
    escape_char: _OneCharacter | None = None
    double_quote: bool = True
    encoding: str = "utf8"
    null_values: tuple[str, ...] = ("",)
    column_names: tuple[str, ...] = ()  # for files without a header line
    inference_type: Literal["None", "Primitive Types Only", "Dates and Times"] = "Dates and Times"


class ParquetFormat(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="filetype", tag="parquet"
):
    """Parquet; its own types are taken."""


class FileStream(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One stream: every file that a glob matches, all of one shape."""

    name: str
    globs: tuple[str, ...] = ("**",)
    format: CsvFormat | ParquetFormat
    input_schema: dict[str, str] | str | None = None
    primary_key: tuple[str, ...] = ()

    @property
    def declared(self) -> dict[str, Kind]:
        """The columns whose type the configuration fixes. Raises ConnectorError for an unknown type."""
        given = self.input_schema or {}
        try:
            types = msgspec.json.decode(given, type=dict[str, str]) if isinstance(given, str) else given
            return {column: INPUT_TYPES[name] for column, name in types.items()}
        except msgspec.DecodeError as error:
            raise ConnectorError(f"stream {self.name}: input_schema: {error}", kind="config_error") from error
        except KeyError as error:
            raise ConnectorError(
                f"stream {self.name}: input_schema: unknown type {error}; known are {', '.join(INPUT_TYPES)}",
                kind="config_error",
            ) from error


class FilesConfiguration(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """source-files. `root` is a directory, as an absolute path or a file URL."""

    root: str
    streams: Annotated[tuple[FileStream, ...], msgspec.Meta(min_length=1)]
    source_type: Literal["files"] = msgspec.field(default="files", name="sourceType")

    @property
    def directory(self) -> Path:
        """The root as a directory. Raises ConnectorError when it is none, or on another machine."""
        parts = urlsplit(self.root)
        path = Path(unquote(parts.path))
        if parts.scheme not in ("", "file") or parts.netloc or not path.is_absolute():
            problem = (
                f"root {self.root}: only a local directory is read; give an absolute path or file:///path"
            )
            raise ConnectorError(problem, kind="config_error")
        if not path.is_dir():
            raise ConnectorError(f"root {self.root}: no such directory", kind="config_error")
        return path

    def stream(self, name: str) -> FileStream:
        """The declared stream of a name. Raises ConnectorError when it is not declared any more."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise ConnectorError(f"stream {name} is not declared in the source's streams", kind="config_error")


def configuration_of(settings: Mapping[str, Any]) -> FilesConfiguration:
    """The validated configuration. Raises ConnectorError naming the field."""
    try:
        configuration = msgspec.convert(settings, FilesConfiguration)
    except msgspec.ValidationError as error:
        raise ConnectorError(f"source-files configuration: {error}", kind="config_error") from error
    names = [stream.name for stream in configuration.streams]
    for stream in configuration.streams:
        if names.count(stream.name) > 1:
            raise ConnectorError(
                f"source-files configuration: two streams named {stream.name}", kind="config_error"
            )
        if isinstance(stream.format, CsvFormat):
            try:
                codecs.lookup(stream.format.encoding)
            except LookupError as error:
                problem = f"stream {stream.name}: unknown encoding {stream.format.encoding}"
                raise ConnectorError(problem, kind="config_error") from error
    return configuration
