"""Rows of records as the table that declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse.catalog.datasets import PLATFORM, PlatformTable
from lakehouse.defs.metadata import SNAPSHOT
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings


def write(settings: Settings, table: PlatformTable, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make these the table's rows.

    Returns:
        Metadata of the materialization.

    Raises:
        ConfigurationError: a declared column that no record has.
        TransientError: the catalogue does not answer, or another writer was first.
    """
    from lakehouse.lake.contract import declared_type
    from lakehouse.lake.layout import bronze_location
    from lakehouse.lake.replace import replace_rows

    names = [column.name for column in table.columns]
    for name in names if rows else ():
        if name not in rows[0]:
            raise ConfigurationError(
                f"column {name} is none of the platform's {table.records}",
                where=f"source {PLATFORM}, table {table.name}",
                remedy=f"they have {', '.join(rows[0])}",
            )
    location = bronze_location(settings, PLATFORM, table.records)
    types = {column.name: declared_type(column.type) for column in table.columns}
    chosen = [{name: row[name] for name in names} for row in rows]
    snapshot = replace_rows(settings, (table.relation.schema, table.relation.name), location, types, chosen)
    return {"dagster/row_count": len(rows), "dagster/uri": location, SNAPSHOT: snapshot}
