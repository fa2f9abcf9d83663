"""The columns that a bronze table will have after a merge, and the Iceberg changes that lead there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DateType,
    IcebergType,
    NestedField,
    TimestampType,
    TimestamptzType,
)

from lakehouse.errors import PermanentError
from lakehouse.lake.column_types import common_type, promotes, type_name
from lakehouse.lake.periods import granularity_of, transform_of

if TYPE_CHECKING:
    from pyiceberg.table import Table, Transaction

    from lakehouse.lake.merge_spec import MergeSpec


@dataclass(frozen=True)
class TargetColumns:
    """The table's columns in order, and how they come about."""

    types: dict[str, IcebergType]
    evolved: tuple[str, ...]
    """Added columns, and those whose type Iceberg can promote in place."""
    replaced: tuple[str, ...]
    """Columns whose new type Iceberg cannot promote to (long to double): a new column takes the name, and
    every file is rewritten in the same commit."""


def target_columns(spec: MergeSpec, table: Table | None, landed: dict[str, IcebergType]) -> TargetColumns:
    """The columns of `table` joined with the landed ones. A dropped column stays, and holds NULL.

    Raises:
        PermanentError: a column was landed with a type that does not hold its old values, or the partition's
            column is neither date nor timestamp.
    """
    _refuse_partition_without_days(spec, landed)
    if table is None:
        return TargetColumns(dict(landed), (), ())
    types = {field.name: field.field_type for field in table.schema().fields}
    evolved: list[str] = []
    replaced: list[str] = []
    for name, landed_type in landed.items():
        current = types.get(name)
        if current is None:
            types[name] = landed_type
            evolved.append(name)
            continue
        joined = landed_type if spec.rebuild else common_type(current, landed_type)
        fixed = name in spec.primary_key or (spec.partition is not None and name == spec.partition.column)
        if joined is None or (fixed and not promotes(current, joined)):
            raise PermanentError(
                f"column {name} of {spec.name} was {type_name(current)} and is now {type_name(landed_type)}",
                where=table.location(),
                remedy="undo the change, or drop the table and let the next merge build it from landing",
            )
        if type_name(joined) != type_name(current):
            types[name] = joined
            (evolved if promotes(current, joined) else replaced).append(name)
    return TargetColumns(types, tuple(evolved), tuple(replaced))


def evolve(transaction: Transaction, columns: TargetColumns) -> None:
    """Bring the transaction's schema to the target columns."""
    if columns.replaced:
        with transaction.update_schema() as update:
            for name in columns.replaced:
                update.delete_column(name)
        with transaction.update_schema() as update:
            for name in columns.replaced:
                update.add_column(name, columns.types[name])
    if columns.evolved:
        changed = {name: columns.types[name] for name in columns.evolved}
        with transaction.update_schema() as update:
            update.union_by_name(iceberg_schema(changed))


def iceberg_schema(types: dict[str, IcebergType]) -> Schema:
    """An Iceberg schema of optional columns; its field ids are the catalogue's to assign."""
    return Schema(
        *(
            NestedField(position, name, kind, required=False)
            for position, (name, kind) in enumerate(types.items(), 1)
        )
    )


def partition_spec(spec: MergeSpec, types: dict[str, IcebergType]) -> PartitionSpec:
    """One partition a period of the declared column."""
    if spec.partition is None:
        return PartitionSpec()
    column = spec.partition.column
    transform = transform_of(types[column], spec.partition.granularity)
    name = column if isinstance(transform, IdentityTransform) else f"{column}_{spec.partition.granularity}"
    return PartitionSpec(PartitionField(list(types).index(column) + 1, 1000, transform, name))


def refuse_other_partitioning(spec: MergeSpec, table: Table) -> None:
    """Raises PermanentError when the table is not partitioned as declared."""
    schema = table.schema()
    actual = [
        f"{granularity_of(field.transform) or field.transform} of {schema.find_column_name(field.source_id)}"
        for field in table.spec().fields
    ]
    declared = [f"{spec.partition.granularity} of {spec.partition.column}"] if spec.partition else []
    if actual != declared:
        raise PermanentError(
            f"{spec.name} is partitioned by {', '.join(actual) or 'nothing'}, declared is"
            f" {', '.join(declared) or 'nothing'}",
            where=table.location(),
            remedy="restore partition_by, or drop the table and let the next merge build it from landing",
        )


def _refuse_partition_without_days(spec: MergeSpec, landed: dict[str, IcebergType]) -> None:
    kind = landed.get(spec.partition.column) if spec.partition else None
    if spec.partition is None or kind is None:
        return
    if spec.partition.granularity == "hour" and isinstance(kind, DateType):
        raise PermanentError(
            f"partition column {spec.partition.column} of {spec.name} is landed as {kind}, which has no hours",
            where=f"partition_by.column of {spec.name}",
            remedy="declare a timestamp column, or granularity day",
        )
    if not isinstance(kind, DateType | TimestampType | TimestamptzType):
        raise PermanentError(
            f"partition column {spec.partition.column} of {spec.name} is landed as {kind}",
            where=f"partition_by.column of {spec.name}",
            remedy="declare a date or timestamp column, or partition_by.expression that gives a date",
        )
