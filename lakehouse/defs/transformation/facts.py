"""What a freshly built model looks like, asked of Dremio over Flight: milliseconds, not 0.25 s a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.catalog.datasets import Model
from lakehouse.clients.dremio import DremioClient, quoted
from lakehouse.lake.layout import model_location
from lakehouse.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

_DREMIO_TYPES = {
    "string": "varchar",
    "large_string": "varchar",
    "int64": "bigint",
    "int32": "integer",
    "double": "double",
    "float": "float",
    "bool": "boolean",
    "date32[day]": "date",
    "date64[ms]": "date",
    "binary": "varbinary",
}


@dataclass(frozen=True)
class ModelFacts:
    rows: int
    schema: dg.TableSchema
    by_partition: dict[str, int]
    """Rows of each day; empty for an unpartitioned model."""

    def metadata(self, model: Model, settings: Settings) -> dict[str, Any]:
        """Metadata of the whole model."""
        facts: dict[str, Any] = {"dagster/row_count": self.rows, "dagster/column_schema": self.schema}
        if model.materialized != "view":
            facts["dagster/uri"] = dg.MetadataValue.path(model_location(settings, model.layer, model.name))
        return facts


def model_facts(dremio: DremioClient, model: Model, window: tuple[str, str] | None) -> ModelFacts:
    """Row count, actual columns, and rows by day of the window (first day, day after the last)."""
    relation = quoted(*model.relation.parts)
    empty = dremio.query(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608  the path is quoted
    by_partition = {}
    if window and model.partition_by:
        day = f"CAST({quoted(model.partition_by.column)} AS DATE)"
        counted = dremio.query(
            f"SELECT {day} AS d, COUNT(*) AS n FROM {relation}"  # noqa: S608  names are quoted, days are dates
            f" WHERE {day} >= DATE '{window[0]}' AND {day} < DATE '{window[1]}' GROUP BY {day}"
        )
        by_partition = {row["d"].isoformat()[:10]: row["n"] for row in counted.to_pylist()}
    return ModelFacts(dremio.count(*model.relation.parts), _table_schema(empty.schema, model), by_partition)


def _table_schema(schema: pa.Schema, model: Model) -> dg.TableSchema:
    described = {column.name: column.description for column in model.columns}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(field.name, _type_name(field.type), description=described.get(field.name) or None)
            for field in schema
        ]
    )


def _type_name(type_: pa.DataType) -> str:
    text = str(type_)
    if text.startswith("timestamp"):
        return "timestamp"
    if text.startswith("decimal128"):
        return text.replace("decimal128", "decimal").replace(" ", "")
    return _DREMIO_TYPES.get(text, text)
