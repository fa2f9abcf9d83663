"""Where destination-s3 puts a stream's files: the variables of its path format, in sync-start time, UTC."""

from __future__ import annotations

import re
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from lakehouse.embedded.airbyte.landing.configuration import S3Configuration

_VARIABLE = re.compile(r"\$\{([A-Z_]+)\}")
_FILE_VARIABLE = re.compile(r"\{([a-z_]+)\}")
# What a variable's value looks like: exact, so that no stream takes the files of one whose name begins alike.
_SHAPES = {
    "YEAR": r"\d{4}",
    "MONTH": r"\d\d",
    "DAY": r"\d\d",
    "HOUR": r"\d\d",
    "MINUTE": r"\d\d",
    "SECOND": r"\d\d",
    "MILLISECOND": r"\d{4}",
    "EPOCH": r"\d+",
    "UUID": r"[0-9a-f-]{36}",
    "part_number": r"\d+",
    "sync_id": r"\d+",
    "format_extension": r"\.parquet",
}


@dataclass(frozen=True)
class StreamPath:
    """Object keys of one stream in one sync, and the pattern that all its keys of every sync match."""

    base: str
    file_pattern: str
    sync_id: int
    constant_prefix: str
    every_sync: re.Pattern[str]

    def key(self, part: int) -> str:
        """The object key of part `part`, counted from 0."""
        values = {
            "part_number": str(part),
            "format_extension": ".parquet",
            "sync_id": str(self.sync_id),
        }
        return self.base + _FILE_VARIABLE.sub(lambda found: values[found.group(1)], self.file_pattern)


def stream_path(
    configuration: S3Configuration, namespace: str, stream: str, sync_id: int, started_ms: int
) -> StreamPath:
    """The paths of a stream for the sync that began at `started_ms` (epoch milliseconds)."""
    template = f"{configuration.s3_bucket_path}/{configuration.s3_path_format}"
    fixed = {"NAMESPACE": safe_name(namespace), "STREAM_NAME": safe_name(stream)}
    values = fixed | _moment_variables(started_ms) | {"UUID": str(uuid.uuid4())}
    base = _tidy(_VARIABLE.sub(lambda found: values[found.group(1)], template))
    known = _tidy(_VARIABLE.sub(lambda found: fixed.get(found.group(1), found.group(0)), template))
    return StreamPath(
        base=base,
        file_pattern=configuration.file_name_pattern,
        sync_id=sync_id,
        constant_prefix=known.split("${")[0].rpartition("/")[0],
        every_sync=re.compile(_any(known, _VARIABLE) + _any(configuration.file_name_pattern, _FILE_VARIABLE)),
    )


def _any(template: str, variable: re.Pattern[str]) -> str:
    """A regular expression for a template with any values of its variables."""
    pieces = variable.split(template)  # text, variable, text, variable, ..., text
    return "".join(_SHAPES[piece] if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))


def check_path_format(configuration: S3Configuration) -> str | None:
    """What is wrong with the path format or file name pattern, in one line, or None."""
    known = {"NAMESPACE", "STREAM_NAME", "UUID", *_moment_variables(0)}
    unknown = [name for name in _VARIABLE.findall(configuration.s3_path_format) if name not in known]
    if unknown:
        return f"s3_path_format: unknown variable ${{{unknown[0]}}}; known are {', '.join(sorted(known))}"
    parts = _FILE_VARIABLE.findall(configuration.file_name_pattern)
    unsupported = [name for name in parts if name not in ("part_number", "format_extension", "sync_id")]
    if unsupported:
        problem = f"file_name_pattern: {{{unsupported[0]}}} is not supported"
        return problem + "; use {part_number}{format_extension}"
    if "part_number" not in parts or not configuration.file_name_pattern.endswith("{format_extension}"):
        return "file_name_pattern: {part_number} is needed, and {format_extension} at the end"
    if "${STREAM_NAME}" not in configuration.s3_path_format:
        return "s3_path_format: ${STREAM_NAME} is needed, or the files of two streams could not be told apart"
    return None


def safe_name(name: str) -> str:
    """A stream name or namespace as destination-s3 makes it safe for an object key."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"\s+", "_", re.sub(r"[^\w\-./!*'()\s]", "_", plain.strip(), flags=re.ASCII))


def _moment_variables(started_ms: int) -> dict[str, str]:
    moment = datetime.fromtimestamp(started_ms / 1000, UTC)
    return {
        "YEAR": f"{moment.year:04d}",
        "MONTH": f"{moment.month:02d}",
        "DAY": f"{moment.day:02d}",
        "HOUR": f"{moment.hour:02d}",
        "MINUTE": f"{moment.minute:02d}",
        "SECOND": f"{moment.second:02d}",
        "MILLISECOND": f"{started_ms % 1000:04d}",
        "EPOCH": str(started_ms),
    }


def _tidy(key: str) -> str:
    return (
        re.sub(r"/+", "/", key).strip("/") if not key.endswith("/") else re.sub(r"/+", "/", key).lstrip("/")
    )
