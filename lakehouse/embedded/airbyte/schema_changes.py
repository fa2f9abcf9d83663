"""What became of a connection's streams in its source, column by column, and the catalogue that follows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lakehouse.embedded.airbyte.catalog import api_stream, new_entry, selected_schema
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import columns_of

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class SchemaChange:
    """One change; `before` and `after` are JSON schemas of the column, None where there is none.

    A stream that was added is one change without a column.
    """

    namespace: str
    stream: str
    column: str
    kind: Literal["added", "removed", "retyped"]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def __str__(self) -> str:
        what = f"column {self.column}" if self.column else "the stream itself"
        return f"stream {self.stream}: {what} {self.kind}"


def followed(
    catalog: Mapping[str, Any], discovered: Iterable[Mapping[str, Any]], *, new_streams: bool
) -> tuple[dict[str, Any], list[SchemaChange]]:
    """The catalogue after the source's schema as it is now, and what changed in the selected columns.

    With `new_streams` a stream that the catalogue never had is selected. Raises ConnectorError when a selected
    stream, or a column of its primary key or cursor, is gone.
    """
    offered = {_place(stream): stream for stream in discovered}
    entries: list[Entry] = []
    changes: list[SchemaChange] = []
    for entry in catalog["streams"]:
        found = offered.pop(_place(entry["stream"]), None)
        if not entry["config"]["selected"]:
            entries.append(entry)
            continue
        if found is None:
            raise ConnectorError(
                f"stream {entry['stream']['name']}: it is gone from the source; deselect it in the connection",
                kind="config_error",
            )
        after = _updated(entry, found)
        changes += _column_changes(entry, after)
        entries.append(after)
    for stream in offered.values() if new_streams else ():
        entries.append(new_entry(stream))
        changes.append(
            SchemaChange(
                stream.get("namespace") or "", stream["name"], "", "added", None, stream["json_schema"]
            )
        )
    return {"streams": entries}, changes


def _place(stream: Mapping[str, Any]) -> tuple[str | None, str]:
    return stream.get("namespace"), stream["name"]


def _updated(entry: Entry, found: Mapping[str, Any]) -> Entry:
    """The entry with the stream as it is now; selected fields that are gone are selected no longer."""
    stream, config = api_stream(found), entry["config"]
    fields = stream["jsonSchema"].get("properties", {})
    for role, paths in (("cursor", [config["cursorField"]]), ("primary key", config["primaryKey"])):
        for path in paths:
            if path and path[0] not in fields:
                raise ConnectorError(
                    f"stream {stream['name']}: column {path[0]} of its {role} is gone from the source;"
                    f" configure another {role} in the connection",
                    kind="config_error",
                )
    kept = [field for field in config["selectedFields"] if field["fieldPath"][0] in fields]
    return {"stream": stream, "config": {**config, "selectedFields": kept}}


def _column_changes(before: Entry, after: Entry) -> Iterator[SchemaChange]:
    old, new = selected_schema(before), selected_schema(after)
    old_types = {column.name: column.type for column in columns_of(old)}
    new_types = {column.name: column.type for column in columns_of(new)}
    namespace, name = before["stream"].get("namespace") or "", before["stream"]["name"]
    for column in dict.fromkeys((*old_types, *new_types)):
        was, now = old_types.get(column), new_types.get(column)
        if was != now:
            kind: Literal["added", "removed", "retyped"] = (
                "added" if was is None else "removed" if now is None else "retyped"
            )
            was_schema, now_schema = old["properties"].get(column), new["properties"].get(column)
            yield SchemaChange(namespace, name, column, kind, was_schema, now_schema)
