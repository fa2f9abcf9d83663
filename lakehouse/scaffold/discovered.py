"""What a source tells through Airbyte: whether it can be read, and its streams."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lakehouse.clients.airbyte import AirbyteClient, id_of
from lakehouse.errors import ServiceRefusedError
from lakehouse.scaffold.source import NewSource

_TYPES = {"boolean": "boolean", "integer": "bigint", "number": "double"}
_FORMATS = {"date": "date", "date-time": "timestamp"}
_META = "_ab_"
"""Columns that a source adds to its rows: where a change stands in the log, which file a row is of."""


@dataclass(frozen=True)
class Stream:
    """A stream as its source describes it."""

    name: str
    columns: Mapping[str, str]
    """The Dremio type that bronze has of each column; empty for nested ones."""
    fields: Mapping[str, str]
    """Each column's name in the source."""
    alike: tuple[str, ...]
    """Columns of the source whose names bronze cannot tell apart: it knows no case."""
    primary_key: tuple[str, ...]
    cursor: tuple[str, ...]
    """The column that the source itself goes by: its position in the log; empty when there is none."""
    incremental: bool
    source_defined_cursor: bool


@contextmanager
def discovered(
    airbyte: AirbyteClient, source: NewSource, configuration: Mapping[str, Any]
) -> Iterator[dict[str, Stream]]:
    """Its streams by name. The source is made in Airbyte, or brought to this configuration.

    One that was made for the asking stays only when the block ends well.

    Args:
        airbyte: the configured Airbyte.
        source: what is added.
        configuration: the source's, with every reference resolved.

    Raises:
        ServiceRefusedError: Airbyte cannot read it; carries the connector's reason.
    """
    existing = airbyte.find("sources", source.name)
    body = {"name": source.name, "configuration": dict(configuration)}
    if existing is None:
        source_id = id_of("sources", airbyte.create("sources", body))
    else:
        source_id = id_of("sources", existing)
        airbyte.patch("sources", source_id, body)
    try:
        _require_readable(airbyte, source_id, source.what)
        yield {stream.name: stream for stream in map(_stream, airbyte.discover(source_id))}
    except BaseException:
        if existing is None:
            airbyte.delete("sources", source_id)
        raise


def _require_readable(airbyte: AirbyteClient, source_id: str, what: str) -> None:
    problem = airbyte.check_source(source_id)
    if problem is not None:
        raise ServiceRefusedError(f"cannot be read: {problem}", where=what)


def _stream(described: Mapping[str, Any]) -> Stream:
    properties = (described.get("jsonSchema") or {}).get("properties") or {}
    own = {name: schema for name, schema in properties.items() if not name.startswith(_META)}
    return Stream(
        name=described["name"],
        columns={landed_name(name): dremio_type(schema) for name, schema in own.items()},
        fields={landed_name(name): name for name in own},
        alike=_alike(own),
        primary_key=tuple(landed_name(path[0]) for path in described.get("sourceDefinedPrimaryKey") or ()),
        cursor=tuple(described.get("defaultCursorField") or ()),
        incremental="incremental" in (described.get("supportedSyncModes") or ()),
        source_defined_cursor=bool(described.get("sourceDefinedCursor")),
    )


def _alike(fields: Collection[str]) -> tuple[str, ...]:
    """
    >>> _alike(["Id", "name", "ID"])
    ('Id', 'ID')
    """
    names = [landed_name(field).lower() for field in fields]
    return tuple(field for field, name in zip(fields, names, strict=True) if names.count(name) > 1)


def landed_name(field: str) -> str:
    """A field's name as destination-s3 lands it, and bronze has it.

    >>> landed_name("Order Date"), landed_name("2nd")
    ('Order_Date', '_2nd')
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", field)
    return f"_{name}" if name[:1].isdigit() else name


def dremio_type(schema: Mapping[str, Any]) -> str:
    """The type that destination-s3 and bronze make of a field; empty for nested and mixed ones.

    Source: "Data types" of the Airbyte protocol, as `notes/airbyte.md` maps them to Parquet.

    >>> dremio_type({"type": ["null", "string"], "format": "date-time"}), dremio_type({"type": "object"})
    ('timestamp', '')
    """
    names = schema.get("type")
    present = [name for name in (names if isinstance(names, list) else [names]) if name != "null"]
    if len(present) != 1:
        return ""
    if schema.get("airbyte_type") in ("integer", "big_integer"):
        return "bigint"
    if present[0] == "string":
        return _FORMATS.get(str(schema.get("format")), "" if schema.get("format") == "time" else "varchar")
    return _TYPES.get(str(present[0]), "")
