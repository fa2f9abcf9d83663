"""Whether a table has the columns that it had, or those that the project declares by now.

Dagster's own build_column_schema_change_checks compares the last two materialization events. Of a run of several days
only one event has the columns, so it would fail then; it knows one severity; and it forgets a change with the next run,
which is seconds later where changes stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look, is_table

if TYPE_CHECKING:
    from pyiceberg.table import Table

NAME = "columns_as_before"
_BOOKKEEPING = ("_airbyte_", "_ab_cdc_")
"""Airbyte's own columns, which come and go with the way it reads."""
_DREMIO = {"long": "bigint", "string": "varchar", "timestamptz": "timestamp", "binary": "varbinary"}
_SAME = {"integer": "int", "character varying": "varchar"}

Types = Mapping[str, str]
"""Dremio's names of the types, by column."""


def drift(before: Types, now: Types, declared: Types) -> tuple[list[str], list[str]]:
    """What was added, and what was dropped or retyped, as far as the project does not declare it to be so.

    >>> drift({"a": "int", "b": "int"}, {"a": "varchar", "c": "int"}, {})
    (['c int'], ['b int is gone', 'a was int and is varchar'])
    >>> drift({"a": "int", "b": "int"}, {"a": "varchar", "c": "int"}, {"a": "varchar", "c": "int"})
    ([], [])
    """
    gone = [f"{name} {kind} is gone" for name, kind in before.items() if _is_lost(name, now, declared)]
    retyped = [
        f"{name} was {before[name]} and is {kind}"
        for name, kind in now.items()
        if before.get(name, kind) != kind and declared.get(name) != kind
    ]
    added = [f"{name} {kind}" for name, kind in now.items() if name not in before and name not in declared]
    return added, gone + retyped


def _is_lost(name: str, now: Types, declared: Types) -> bool:
    """A column that is no longer declared was dropped on purpose."""
    return name not in now and (name in declared or not declared)


def _look_at(dataset: Dataset, look: Look) -> Facts:
    now = _columns(look.stored(dataset).table)
    declared = {
        column.name: _SAME.get(kind := column.type.replace(", ", ","), kind) for column in dataset.columns
    }
    earlier = look.before(dataset, NAME)
    # What failed is held against the columns from before it, until it is undone or declared.
    before = earlier[0].metadata.get("columns_before", now) if earlier else now
    added, lost = drift(before, now, declared)
    passed = not added and not lost
    told = [*lost, *([f"new: {', '.join(added)}"] if added else [])]
    return {
        "passed": passed,
        "severity": dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN,
        "description": None
        if passed
        else f"{'; '.join(told)}; undo it, or declare the columns in the dbt project",
        "metadata": {
            "columns_before": dg.MetadataValue.json(dict(now if passed else before)),
            "added": dg.MetadataValue.json(added),
            "dropped_or_retyped": dg.MetadataValue.json(lost),
        },
    }


def _columns(table: Table) -> dict[str, str]:
    return {
        field.name: _DREMIO.get(kind := str(field.field_type).replace(", ", ","), kind)
        for field in table.schema().fields
        if not field.name.startswith(_BOOKKEEPING)
    }


COLUMNS_AS_BEFORE = Kind(
    NAME, "The columns of the last materialization, or what the project declares by now.", is_table, _look_at
)
