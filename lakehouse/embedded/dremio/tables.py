"""What statements do to Iceberg tables: create, append, replace, delete by files, change columns, drop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    LessThan,
    LessThanOrEqual,
)
from pyiceberg.io import load_file_io
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.transforms import (
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    YearTransform,
)
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimeType,
)

from lakehouse.embedded.dremio.lakes import Lake, table_properties
from lakehouse.embedded.dremio.sql.model import AlterTable, PartitionField, SqlError
from lakehouse.embedded.dremio.writer import Writer

Batches = Iterable[pa.RecordBatch]
_ATTEMPTS = 5
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:")


def create(  # noqa: PLR0917
    lake: Lake,
    namespace: str,
    name: str,
    schema: pa.Schema,
    partition_by: tuple[PartitionField, ...],
    batches: Batches,
) -> int:
    """Create the table with its rows in one commit: it is there whole or not at all. Gives the row count.

    Raises:
        SqlError: the table exists, or a partition column does not.
    """
    location = lake.table_location(namespace, name)
    try:
        transaction = lake.catalog.create_table_transaction(
            (namespace, name),
            schema=schema,
            location=location,
            properties=table_properties(namespace),
        )
        _partition(transaction, partition_by)
        writer = Writer(load_file_io(lake.catalog.properties, location), transaction.table_metadata)
        return _commit(transaction, writer, batches)
    except TableAlreadyExistsError:
        raise SqlError(f"table {namespace}.{name} already exists") from None


def append(table: Table, batches: Callable[[], Batches]) -> int:
    """Add rows. A commit that lost against another writer is tried again; the files are written once."""
    writer = Writer(table.io, table.metadata)
    files = writer.write(batches())
    for attempt in range(_ATTEMPTS):
        transaction = table.transaction()
        with transaction.update_snapshot().fast_append() as producer:
            for file in files:
                producer.append_data_file(file)
        try:
            transaction.commit_transaction()
            break
        except CommitFailedException:
            if attempt == _ATTEMPTS - 1:
                writer.discard()
                raise
            table = table.refresh()
    return writer.rows


def replace(table: Table, batches: Batches) -> int:
    """Swap the table's whole content for these rows in one commit; gives the new row count."""
    return _swap(table, [task.file for task in table.scan().plan_files()], batches)


def delete_matching(
    table: Table, conjuncts: list[tuple[str, str, Any]], remaining: Callable[[list[str]], Batches]
) -> int:
    """Delete rows by simple comparisons, touching only the files that may hold such rows; gives how many went.

    A file whose rows all match is dropped by metadata alone; `remaining(paths)` gives the rows to keep of the
    other files, which are rewritten.
    """
    names = {field.name.lower(): field.name for field in table.schema().fields}
    candidates = list(table.scan(row_filter=_expression(conjuncts, names)).plan_files())
    if not candidates:
        return 0
    removed = [task.file for task in candidates]
    partial = [task.file.file_path for task in candidates if not isinstance(task.residual, AlwaysTrue)]
    kept = _swap(table, removed, remaining(partial) if partial else ())
    return sum(file.record_count for file in removed) - kept


def _swap(table: Table, removed: list[DataFile], batches: Batches) -> int:
    """Put these rows in the place of those files, in one commit; gives the rows written."""
    return _commit(table.transaction(), Writer(table.io, table.metadata), batches, removed)


def alter(table: Table, statement: AlterTable) -> None:
    """ADD COLUMNS, DROP COLUMN, ALTER COLUMN. Raises SqlError for a change Iceberg does not allow."""
    from pyiceberg.exceptions import ValidationError

    try:
        with table.update_schema() as update:
            for column in statement.columns:
                new_type = _iceberg_type(column.type)
                if statement.action == "add_columns":
                    update.add_column(column.name, new_type)
                elif statement.column is not None:
                    update.update_column(statement.column, field_type=new_type)
                    if column.name != statement.column:
                        update.rename_column(statement.column, column.name)
            if statement.action == "drop_column" and statement.column is not None:
                update.delete_column(statement.column)
    except (ValueError, ValidationError) as error:
        raise SqlError(f"table {'.'.join(table.name())}: {error}") from None


def _partition(transaction: Transaction, fields: tuple[PartitionField, ...]) -> None:
    """Raises SqlError for a column that is not there and for a transform that is not supported."""
    if not fields:
        return
    names = {field.name.lower(): field.name for field in transaction.table_metadata.schema().fields}
    with transaction.update_spec() as update:
        for field in fields:
            source = names.get(field.column.lower())
            if source is None:
                raise SqlError(
                    f"PARTITION BY: no column {field.column}; the table has {', '.join(names.values())}"
                )
            name = source if field.transform == "identity" else f"{source}_{field.transform}"
            update.add_field(source, _transform(field), name)


def _commit(
    transaction: Transaction, writer: Writer, batches: Batches, removed: Sequence[DataFile] = ()
) -> int:
    files = writer.write(batches)
    snapshot = transaction.update_snapshot()
    with snapshot.overwrite() if removed else snapshot.fast_append() as producer:
        for file in removed:
            producer.delete_data_file(file)
        for file in files:
            producer.append_data_file(file)
    try:
        transaction.commit_transaction()
    except (CommitFailedException, TableAlreadyExistsError):  # after any other error it may have happened
        writer.discard()
        raise
    return writer.rows


def _transform(field: PartitionField) -> Transform[Any, Any]:
    match field.transform:
        case "identity":
            return IdentityTransform()
        case "year":
            return YearTransform()
        case "month":
            return MonthTransform()
        case "day":
            return DayTransform()
        case "hour":
            return HourTransform()
        case "truncate":
            return TruncateTransform(field.argument or 1)
    raise SqlError(f"PARTITION BY {field.transform.upper()}(..) is not supported by the local engine")


def _iceberg_type(name: str) -> IcebergType:
    if name.startswith("DECIMAL"):
        precision, scale = name[8:-1].split(",")
        return DecimalType(int(precision), int(scale))
    return _TYPES[name]


_TYPES: dict[str, IcebergType] = {
    "INTEGER": IntegerType(), "BIGINT": LongType(), "FLOAT": FloatType(), "DOUBLE": DoubleType(),
    "BOOLEAN": BooleanType(), "DATE": DateType(), "TIME": TimeType(), "TIMESTAMP": TimestampType(),
    "CHARACTER VARYING": StringType(), "BINARY VARYING": BinaryType(),
}  # fmt: skip


def _expression(conjuncts: list[tuple[str, str, Any]], names: dict[str, str]) -> BooleanExpression:
    operators: dict[str, Any] = {
        "=": EqualTo,
        "<": LessThan,
        "<=": LessThanOrEqual,
        ">": GreaterThan,
        ">=": GreaterThanOrEqual,
        "in": In,
    }
    result: BooleanExpression = AlwaysTrue()
    for column, symbol, value in conjuncts:
        if column.lower() not in names:
            raise SqlError(f"no column {column}; the table has {', '.join(names.values())}")
        literal = [_iso(each) for each in value] if symbol == "in" else _iso(value)
        result = And(result, operators[symbol](names[column.lower()], literal))
    return result


def _iso(value: Any) -> Any:
    return value.replace(" ", "T") if isinstance(value, str) and _TIMESTAMP.match(value) else value
