"""One Iceberg transaction: the table or its new columns, the files, and the watermark, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.io import load_file_io

from lakehouse.lake.iceberg import BRONZE_PROPERTIES
from lakehouse.lake.table_columns import evolve, iceberg_schema, partition_spec
from lakehouse.lake.watermark import WATERMARK_PROPERTY, Watermark

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table, Transaction

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.table_columns import TargetColumns

CONFLICTS = (CommitFailedException, ValidationException, TableAlreadyExistsError)
"""Another writer was first: the commit certainly did not happen."""


def load(catalog: Catalog, spec: MergeSpec) -> Table | None:
    """The table as it is now, or None when there is none."""
    try:
        return catalog.load_table(spec.identifier)
    except NoSuchTableError:
        return None


def begin(
    catalog: Catalog, spec: MergeSpec, table: Table | None, columns: TargetColumns
) -> tuple[Transaction, FileIO]:
    """A transaction whose schema has the target columns; of a table to be created when there is none."""
    if table is not None:
        transaction = table.transaction()
        evolve(transaction, columns)
        return transaction, table.io
    creation = catalog.create_table_transaction(
        spec.identifier,
        schema=iceberg_schema(columns.types),
        location=spec.location,
        partition_spec=partition_spec(spec, columns.types),
        properties=BRONZE_PROPERTIES,
    )
    return creation, load_file_io(catalog.properties, spec.location)


def commit(
    transaction: Transaction, added: Sequence[DataFile], removed: Sequence[DataFile], reached: Watermark
) -> None:
    """Commit the files and the watermark as one snapshot.

    Without files it is an append of nothing: that keeps the one place where the watermark is, and unlike a
    change of a table property it is refused when another writer's snapshot came in between.

    Raises:
        CommitFailedException, ValidationException, TableAlreadyExistsError: see CONFLICTS.
    """
    properties = {WATERMARK_PROPERTY: reached.to_json()}
    update = transaction.update_snapshot(snapshot_properties=properties)
    with update.overwrite() if removed else update.fast_append() as producer:
        for file in added:
            producer.append_data_file(file)
        for file in removed:
            producer.delete_data_file(file)
    transaction.commit_transaction()
