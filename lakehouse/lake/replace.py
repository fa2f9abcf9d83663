"""A table whose rows are all replaced at once: what something else knows, as it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io.pyarrow import schema_to_pyarrow

from lakehouse.errors import TransientError
from lakehouse.lake.commit import CONFLICTS
from lakehouse.lake.iceberg import BRONZE_PROPERTIES, open_catalog
from lakehouse.lake.table_columns import iceberg_schema
from lakehouse.lake.table_files import current_files

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType

    from lakehouse.settings import Settings


def replace_rows(
    settings: Settings,
    identifier: tuple[str, str],
    location: str,
    types: Mapping[str, IcebergType],
    rows: Sequence[Mapping[str, Any]],
) -> int:
    """Make these the rows of the table, which is made when there is none. Readers see all of them or the old ones.

    A column that the table does not have is added; one that is no longer among the types stays, and holds NULL.

    Args:
        identifier: (namespace, table).
        location: URL of a table that is to be made.
        types: of the columns, in order.
        rows: values by column; a column without one is NULL.

    Returns:
        The id of the snapshot.

    Raises:
        TransientError: another writer was first, or the catalogue does not answer.
    """
    import pyarrow as pa

    catalog = open_catalog(settings)
    table = _made(catalog, identifier, location, types)
    try:
        with table.transaction() as transaction:
            with transaction.update_schema() as update:
                update.union_by_name(iceberg_schema(dict(types)))
            schema = schema_to_pyarrow(transaction.table_metadata.schema(), include_field_ids=False)
            write = transaction.overwrite if current_files(table) else transaction.append
            write(pa.Table.from_pylist(list(rows), schema=schema))
    except CONFLICTS as error:
        raise TransientError(f"another writer changed the table: {error}", where=location) from error
    snapshot = table.current_snapshot()
    return snapshot.snapshot_id if snapshot else 0


def _made(
    catalog: Catalog, identifier: tuple[str, str], location: str, types: Mapping[str, IcebergType]
) -> Table:
    try:
        return catalog.load_table(identifier)
    except NoSuchTableError:
        pass
    schema = iceberg_schema(dict(types))
    try:
        return catalog.create_table(
            identifier, schema=schema, location=location, properties=BRONZE_PROPERTIES
        )
    except TableAlreadyExistsError:  # another process was quicker
        return catalog.load_table(identifier)
