"""The columns that a log-based read adds to a stream, and the stream without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column


@dataclass(frozen=True)
class LogColumns:
    """Names and JSON schemas of a source's columns; without those `needed` changes cannot be told apart."""

    schema: Mapping[str, dict[str, Any]]
    needed: tuple[str, ...]

    def require(self, stream: ConfiguredStream) -> None:
        """Raises ConnectorError when a needed column is not selected."""
        for name in self.needed:
            if name not in stream.json_schema["properties"]:
                problem = (
                    f"stream {stream.name}: column {name} is not selected, and deletes and order need it"
                )
                raise ConnectorError(f"{problem}; add it to selectedFields", kind="config_error")

    def taken_from(self, stream: ConfiguredStream) -> ConfiguredStream:
        """The stream as its table has it, to be read in full."""
        fields = stream.json_schema.get("properties", {})
        properties = {name: field for name, field in fields.items() if name not in self.schema}
        schema = {**stream.json_schema, "properties": properties}
        return replace(stream, json_schema=schema, sync_mode="full_refresh", cursor_field=())

    def added_to(
        self, batch: LandingBatch, columns: tuple[Column, ...], constants: Mapping[str, Any]
    ) -> LandingBatch:
        """A batch of the table's columns with these among them: of one value each, NULL where none is given."""
        rows = batch.rows
        arrays = [
            pa.repeat(pa.scalar(constants.get(column.source), column.type.arrow), rows.num_rows)
            if column.source in self.schema
            else rows.column(column.name)
            for column in columns
        ]
        return replace(batch, rows=pa.RecordBatch.from_arrays(arrays, [column.name for column in columns]))
