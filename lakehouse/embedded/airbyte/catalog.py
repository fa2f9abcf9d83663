"""A connection's catalogue: what the source offers, and which of it is selected in which sync mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.requests import StreamConfiguration, SyncMode
from lakehouse.embedded.airbyte.types import columns_of

DEDUP = "append_dedup"
# The public API's sync modes as the protocol's (source mode, destination mode).
SYNC_MODES = {
    "full_refresh_overwrite": ("full_refresh", "overwrite"),
    "full_refresh_append": ("full_refresh", "append"),
    "incremental_append": ("incremental", "append"),
    "incremental_deduped_history": ("incremental", DEDUP),
}


class CatalogError(ValueError):
    """A selection the source or the destination cannot fulfil; one line that names stream and field."""


def sync_catalog(
    discovered: Iterable[Mapping[str, Any]], wanted: list[StreamConfiguration] | None
) -> dict[str, Any]:
    """The configuration API's syncCatalog. Without a selection every stream is read in full and overwritten.

    Raises CatalogError.
    """
    offered = list(discovered)
    selections = _by_stream(offered, wanted)
    return {"streams": [_entry(stream, selections.get(_identity(stream))) for stream in offered]}


def configured_streams(catalog: Mapping[str, Any]) -> list[ConfiguredStream]:
    """The selected streams as the protocol's configured catalogue, deselected fields left out.

    append_dedup becomes append: destination-s3 only appends, whoever reads the landing files de-duplicates them.
    """
    return [
        ConfiguredStream(
            name=entry["stream"]["name"],
            namespace=entry["stream"].get("namespace"),
            json_schema=selected_schema(entry),
            sync_mode=entry["config"]["syncMode"],
            destination_sync_mode=entry["config"]["destinationSyncMode"].removesuffix("_dedup"),
            cursor_field=tuple(entry["config"]["cursorField"]),
            primary_key=tuple(tuple(path) for path in entry["config"]["primaryKey"]),
        )
        for entry in catalog["streams"]
        if entry["config"]["selected"]
    ]


def selected_schema(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an entry's stream with nothing but the selected fields."""
    schema = dict(entry["stream"]["jsonSchema"])
    if entry["config"]["fieldSelectionEnabled"]:
        kept = {field["fieldPath"][0] for field in entry["config"]["selectedFields"]}
        schema["properties"] = {name: field for name, field in schema["properties"].items() if name in kept}
    return schema


def new_entry(stream: Mapping[str, Any]) -> dict[str, Any]:
    """A stream selected as the source itself suggests: incremental where it needs nobody to choose a cursor."""
    by_itself = stream.get("source_defined_cursor") and "incremental" in (
        stream.get("supported_sync_modes") or ()
    )
    keyed: SyncMode = (
        "incremental_deduped_history" if stream.get("source_defined_primary_key") else "incremental_append"
    )
    mode: SyncMode = keyed if by_itself else "full_refresh_overwrite"
    return _entry(stream, StreamConfiguration(name=stream["name"], sync_mode=mode))


def public_configurations(catalog: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The selected streams as the public API's `configurations.streams`."""
    names = {modes: name for name, modes in SYNC_MODES.items()}
    return [
        {
            "name": entry["stream"]["name"],
            "syncMode": names[(entry["config"]["syncMode"], entry["config"]["destinationSyncMode"])],
            "cursorField": entry["config"]["cursorField"],
            "primaryKey": entry["config"]["primaryKey"],
            "selectedFields": entry["config"]["selectedFields"],
        }
        | ({"namespace": entry["stream"]["namespace"]} if "namespace" in entry["stream"] else {})
        for entry in catalog["streams"]
        if entry["config"]["selected"]
    ]


def api_stream(stream: Mapping[str, Any]) -> dict[str, Any]:
    """A protocol AirbyteStream with the configuration API's names."""
    described = {
        "name": stream["name"],
        "jsonSchema": stream["json_schema"],
        "supportedSyncModes": list(stream.get("supported_sync_modes") or ["full_refresh"]),
        "sourceDefinedCursor": bool(stream.get("source_defined_cursor")),
        "defaultCursorField": list(stream.get("default_cursor_field") or []),
        "sourceDefinedPrimaryKey": [list(path) for path in stream.get("source_defined_primary_key") or []],
    }
    if stream.get("namespace") is not None:
        described["namespace"] = stream["namespace"]
    return described


def _identity(stream: Mapping[str, Any]) -> tuple[str | None, str]:
    return stream.get("namespace"), stream["name"]


def _by_stream(
    offered: list[Mapping[str, Any]], wanted: list[StreamConfiguration] | None
) -> dict[tuple[str | None, str], StreamConfiguration]:
    if wanted is None:
        return {_identity(stream): StreamConfiguration(name=stream["name"]) for stream in offered}
    selections: dict[tuple[str | None, str], StreamConfiguration] = {}
    for selection in wanted:
        matches = [
            _identity(stream)
            for stream in offered
            if stream["name"] == selection.name and selection.namespace in (None, stream.get("namespace"))
        ]
        if not matches:
            names = ", ".join(sorted(stream["name"] for stream in offered)) or "none"
            raise CatalogError(f"stream {selection.name}: the source has no such stream; it has {names}")
        if len(matches) > 1:
            spaces = ", ".join(str(namespace) for namespace, _ in matches)
            raise CatalogError(
                f"stream {selection.name}: it is in several namespaces ({spaces}); give `namespace`"
            )
        if matches[0] in selections:
            raise CatalogError(f"stream {selection.name}: it is configured twice")
        selections[matches[0]] = selection
    return selections


def _entry(stream: Mapping[str, Any], selection: StreamConfiguration | None) -> dict[str, Any]:
    described = api_stream(stream)
    if selection is None:
        source_mode, destination_mode = SYNC_MODES["full_refresh_overwrite"]
        selection = StreamConfiguration(name=stream["name"])
        selected = False
    else:
        source_mode, destination_mode = _modes(described, selection)
        selected = True
    config = {
        "syncMode": source_mode,
        "destinationSyncMode": destination_mode,
        "cursorField": _cursor(described, selection, source_mode),
        "primaryKey": [list(path) for path in selection.primary_key or described["sourceDefinedPrimaryKey"]],
        "aliasName": stream["name"],
        "selected": selected,
        "fieldSelectionEnabled": bool(selection.selected_fields),
        "selectedFields": [
            {"fieldPath": list(field.field_path)} for field in selection.selected_fields or ()
        ],
    }
    entry = {"stream": described, "config": config}
    if selected:
        _check_fields(entry)
    return entry


def _modes(described: Mapping[str, Any], selection: StreamConfiguration) -> tuple[str, str]:
    mode = selection.sync_mode or "full_refresh_overwrite"
    modes = SYNC_MODES[mode]
    if modes[0] not in described["supportedSyncModes"]:
        raise CatalogError(
            f"stream {selection.name}: the source cannot read it with {mode}; use full_refresh_append"
        )
    return modes


def _cursor(described: Mapping[str, Any], selection: StreamConfiguration, source_mode: str) -> list[str]:
    default: list[str] = described["defaultCursorField"]
    given = list(selection.cursor_field or ())
    if described["sourceDefinedCursor"]:
        if given and given != default:
            raise CatalogError(
                f"stream {selection.name}: the source itself defines the cursor {'.'.join(default)}"
            )
        return default
    if source_mode == "incremental" and not (given or default):
        raise CatalogError(
            f'stream {selection.name}: an incremental sync needs cursorField, such as ["updated_at"]'
        )
    return given or default


def _check_fields(entry: Mapping[str, Any]) -> None:
    name, config = entry["stream"]["name"], entry["config"]
    properties = entry["stream"]["jsonSchema"].get("properties", {})
    paths = [config["cursorField"]] if config["cursorField"] else []
    named = [("cursorField", path) for path in paths]
    named += [("primaryKey", path) for path in config["primaryKey"]]
    named += [("selectedFields", field["fieldPath"]) for field in config["selectedFields"]]
    for role, path in named:
        if not path or path[0] not in properties:
            fields = ", ".join(properties)
            raise CatalogError(
                f"stream {name}: {role} {'.'.join(path)} is no field of it; the fields are {fields}"
            )
    if config["destinationSyncMode"] == DEDUP and not config["primaryKey"]:
        raise CatalogError(
            f'stream {name}: incremental_deduped_history needs primaryKey, such as [["id"]]; the source names none'
        )
    kept = {field["fieldPath"][0] for field in config["selectedFields"]}
    for role, path in named[:1] + [pair for pair in named if pair[0] == "primaryKey"]:
        if kept and path[0] not in kept:
            raise CatalogError(f"stream {name}: {role} {path[0]} must be among selectedFields")
    try:
        columns_of(selected_schema(entry))
    except ValueError as error:
        raise CatalogError(f"stream {name}: {error}") from error
