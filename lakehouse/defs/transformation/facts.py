"""What a freshly built model looks like, asked of Dremio over Flight: milliseconds, not 0.25 s a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.catalog.datasets import Model
from lakehouse.catalog.meta import Granularity
from lakehouse.clients.dremio import DremioClient, quoted
from lakehouse.defs.partitions import KEY_FORMATS
from lakehouse.defs.transformation.window import Window
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
    """Rows of each partition of the window; empty for an unpartitioned model."""

    def metadata(self, model: Model, settings: Settings) -> dict[str, Any]:
        """Metadata of the whole model."""
        facts: dict[str, Any] = {"dagster/row_count": self.rows, "dagster/column_schema": self.schema}
        if model.materialized != "view":
            facts["dagster/uri"] = dg.MetadataValue.path(model_location(settings, model.layer, model.name))
        return facts


def model_facts(dremio: DremioClient, model: Model, window: Window | None) -> ModelFacts:
    """Row count, actual columns, and rows by partition of the window."""
    relation = quoted(*model.relation.parts)
    empty = dremio.query(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608  the path is quoted
    by_partition = {}
    if window and model.partition_by:
        period, within = _period(quoted(model.partition_by.column), model.partition_by.granularity, window)
        counted = dremio.query(
            f"SELECT {period} AS d, COUNT(*) AS n FROM {relation} WHERE {within} GROUP BY {period}"  # noqa: S608
        )
        key = KEY_FORMATS[model.partition_by.granularity]
        by_partition = {row["d"].strftime(key): row["n"] for row in counted.to_pylist()}
    return ModelFacts(dremio.count(*model.relation.parts), _table_schema(empty.schema, model), by_partition)


def _period(column: str, granularity: Granularity, window: Window) -> tuple[str, str]:
    """SQL of a row's period, and of whether it lies in the window."""
    if granularity == "hour":
        begins, ends = window.times
        return (
            f"DATE_TRUNC('HOUR', {column})",
            f"{column} >= TIMESTAMP '{begins}' AND {column} < TIMESTAMP '{ends}'",
        )
    day = f"CAST({column} AS DATE)"
    first, end = window.dates
    period = f"DATE_TRUNC('MONTH', {day})" if granularity == "month" else day
    return period, f"{day} >= DATE '{first}' AND {day} < DATE '{end}'"


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
