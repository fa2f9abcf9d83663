"""A declared bronze table and its connection's stream as the order for a merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.ingestion.declaration import Stream, connection_of
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.lake.contract import Contract
    from lakehouse.lake.merge_spec import MergeSpec


def declared_stream(table: BronzeTable) -> Stream:
    """The stream that fills the table.

    Raises:
        ConfigurationError: no defs.yaml declares that connection, or that stream in it.
    """
    where = f"source {table.source}, table {table.relation.name}"
    connection = connection_of(table.connection)
    if connection is None:
        raise ConfigurationError(
            f"no connection is named {table.connection!r}",
            where=f"{where}: meta.lakehouse.connection",
            remedy="declare it in lakehouse/defs/ingestion/<name>/defs.yaml",
        )
    stream = connection.stream(table.stream)
    if stream is None or connection.namespace != table.source:
        known = ", ".join(stream.name for stream in connection.streams)
        raise ConfigurationError(
            f"connection {connection.name} lands no {table.source}/{table.stream}",
            where=f"{where}: meta.lakehouse.stream",
            remedy=f"it lands {connection.namespace}/: {known}",
        )
    return stream


def merge_spec(table: BronzeTable, settings: Settings, landed_nothing_at: int | None = None) -> MergeSpec:
    """What `lake.merge_table` is asked for; for `landed_nothing_at` see `History.landed_nothing_at`."""
    from lakehouse.lake.layout import bronze_location
    from lakehouse.lake.merge_spec import MergeSpec, PeriodPartition

    stream = declared_stream(table)
    declared = table.partition_by
    return MergeSpec(
        identifier=(table.relation.schema, table.relation.name),
        location=bronze_location(settings, table.source, table.table),
        source=table.source,
        stream=table.stream,
        primary_key=table.primary_key,
        mode="overwrite" if stream.sync_mode == "full_refresh_overwrite" else "append",
        cursor_field=_cursor_of(stream),
        partition=PeriodPartition(declared.column, declared.expression, declared.granularity)
        if declared
        else None,
        contract=_contract(table),
        landed_nothing_at=landed_nothing_at,
    )


def _cursor_of(stream: Stream) -> str | None:
    """The declared cursor; a log's own position orders versions without being declared, where it is landed."""
    from lakehouse.lake.landed_schema import CDC_PREFIX

    cursor = stream.cursor_field[0] if stream.cursor_field else None
    return None if cursor is None or cursor.startswith(CDC_PREFIX) else cursor


def _contract(table: BronzeTable) -> Contract:
    from lakehouse.lake.contract import ColumnContract, Contract, declared_type

    declared = table.contract
    return Contract(
        columns={
            column.name: ColumnContract(declared_type(column.type) if column.type else None, column.nullable)
            for column in declared.columns
        },
        drift={
            "new": declared.drift.new,
            "dropped": declared.drift.dropped,
            "retyped": declared.drift.retyped,
        },
    )
