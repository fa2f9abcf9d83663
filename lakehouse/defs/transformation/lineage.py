"""Which columns of which datasets each column of a model is made of, read from the SQL that dbt compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable, Model

if TYPE_CHECKING:
    from sqlglot.lineage import Node

_DIALECT = "dremio"


def column_lineage(
    sql: str, model: Model, upstream: Iterable[BronzeTable | Model]
) -> dg.TableColumnLineage | None:
    """Lineage of the model's declared columns; None for SQL that cannot be traced.

    The columns that dbt adds to a snapshot are made of no others.

    Args:
        sql: the model's compiled SELECT, with three-part names.
        upstream: the datasets it reads, with their declared columns.
    """
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    datasets = {str(dataset.relation).lower(): dataset for dataset in upstream}
    schema = _schema(datasets)
    try:
        tree = qualify(
            parse_one(sql, dialect=_DIALECT),
            dialect=_DIALECT,
            schema=schema,
            validate_qualify_columns=False,
            identify=False,
        )
        scope = build_scope(tree)
        deps = {
            column.name: _origins(
                lineage(column.name, tree, schema, dialect=_DIALECT, scope=scope, trim_selects=False),
                datasets,
            )
            for column in model.columns
            if not (model.is_snapshot and column.name.startswith("dbt_"))
        }
    except SqlglotError:
        return None
    return dg.TableColumnLineage(deps)


def _origins(traced: Node, datasets: Mapping[str, BronzeTable | Model]) -> list[dg.TableColumnDep]:
    """The columns of datasets at the ends of a traced column."""
    from sqlglot import exp

    found = set()
    for node in traced.walk():
        table = node.expression
        if not isinstance(table, exp.Table):
            continue
        dataset = datasets.get(f"{table.catalog}.{table.db}.{table.name}".lower())
        name = exp.to_column(node.name).name.lower()
        if dataset is not None and name != "*":
            found.add((dataset.key, name))
    return [dg.TableColumnDep(dg.AssetKey(key), name) for key, name in sorted(found)]


def _schema(datasets: Mapping[str, BronzeTable | Model]) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    """Declared columns as sqlglot wants them: catalogue, schema, table, column, type."""
    nested: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for dataset in datasets.values():
        database, schema, name = dataset.relation.parts
        columns = {column.name: column.type or "unknown" for column in dataset.columns}
        nested.setdefault(database, {}).setdefault(schema, {})[name] = columns
    return nested
