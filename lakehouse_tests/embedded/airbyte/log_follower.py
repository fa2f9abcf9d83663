"""Reads a log as the worker does, and keeps what the rows make of each table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from lakehouse.embedded.airbyte.connectors.command_line import Source
from lakehouse.embedded.airbyte.connectors.streams import (
    ConfiguredStream,
    LogOptions,
    LogRead,
    LogState,
    StreamReset,
    StreamRows,
)

DELETED_AT = "_ab_cdc_deleted_at"


class LogFollower:
    """One source's streams, from where `state` stands."""

    source: ClassVar[Source]
    reader: ClassVar[LogRead]
    cursor: ClassVar[str]
    grows: ClassVar[Callable[[Any, Any], bool]]

    def __init__(self, database: Any, *tables: str, **method: Any) -> None:
        self.database = database
        self.tables = tables
        self.configuration: dict[str, Any] = database.cdc(**method)
        self.state: LogState | None = None
        self.rows: dict[str, dict[Any, dict[str, Any]]] = {}
        self.changes: list[dict[str, Any]] = []

    @property
    def streams(self) -> list[ConfiguredStream]:
        offered = {stream["name"]: stream for stream in self.source.discover(self.configuration)}
        return [
            ConfiguredStream.from_json(
                {
                    "stream": offered[name],
                    "sync_mode": "incremental",
                    "cursor_field": [self.cursor],
                    "primary_key": offered[name]["source_defined_primary_key"],
                }
            )
            for name in self.tables
        ]

    def follow(self, *, streams: Sequence[ConfiguredStream] | None = None, forget: bool = False) -> list[Any]:
        """Reads to the log's end. With `forget` it is killed before anything is committed."""
        items = []
        waiting: list[StreamRows | StreamReset] = []
        for item in self.items(streams or self.streams):
            items.append(item)
            if not isinstance(item, LogState):
                waiting.append(item)
            elif forget:
                return items
            else:
                for done in waiting:
                    self._apply(done)
                waiting, self.state = [], item
        assert not waiting, "rows that no state covers"
        return items

    def items(
        self, streams: Sequence[ConfiguredStream], **options: Any
    ) -> Iterator[StreamRows | StreamReset | LogState]:
        state = None if self.state is None else LogState.from_json(self.state.to_json())
        return self.reader(self.configuration, streams, state, options=LogOptions(**options))

    def _apply(self, item: StreamRows | StreamReset) -> None:
        table = self.rows.setdefault(item.stream.name, {})
        if isinstance(item, StreamReset):
            table.clear()
            return
        key_columns = [path[0] for path in item.stream.primary_key]
        for place, row in enumerate(item.batch.rows.to_pylist()):
            key = tuple(row[name] for name in key_columns)
            known = table.get(key)
            in_order = known is None or type(self).grows(row[self.cursor], known[self.cursor])
            assert in_order, "a version came before an older one"
            self.changes.append(row | {"changes": item.batch.changes.get(place, [])})
            if row[DELETED_AT] is not None:
                table.pop(key, None)
            else:
                table[key] = row
