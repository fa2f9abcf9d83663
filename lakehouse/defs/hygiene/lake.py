"""What the lake no longer needs: old snapshots, files that none refers to, and landed objects where that is declared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from lakehouse.defs.hygiene.removed import Removed
from lakehouse.defs.ingestion.declaration import connection_of
from lakehouse.defs.project import declared_datasets
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog


def remove_snapshots(settings: Settings, catalog: Catalog, *, dry_run: bool) -> Removed:
    """Old snapshots of every table.

    Raises:
        TransientError: a table was written to meanwhile, or the catalogue does not answer.
    """
    from pyiceberg.exceptions import NoSuchTableError

    from lakehouse.lake.expiry import expire_snapshots

    kept = timedelta(days=settings.retention.snapshots_days)
    count = 0
    for identifier in _tables(settings, catalog):
        try:
            table = catalog.load_table(identifier)
        except (NoSuchTableError, FileNotFoundError):
            continue  # dropped since it was listed, as dbt's temporary tables are
        count += len(expire_snapshots(table, kept, dry_run=dry_run))
    return Removed("snapshots of tables", count)


def remove_orphan_files(settings: Settings, catalog: Catalog, *, dry_run: bool) -> Removed:
    """Files of tables that no snapshot refers to, over a day old."""
    from lakehouse.lake.orphans import remove_orphans

    found = [
        orphan
        for identifier in _tables(settings, catalog)
        for orphan in remove_orphans(identifier, settings, catalog, dry_run=dry_run)
    ]
    return Removed("files of no snapshot", len(found), sum(orphan.size for orphan in found))


def remove_landed(settings: Settings, catalog: Catalog, *, dry_run: bool) -> Removed:
    """Landed objects of the connections that declare `landing_days`.

    Raises:
        PermanentError: a file that is no landing object.
    """
    from lakehouse.defs.bronze.spec import merge_spec
    from lakehouse.lake.commit import load
    from lakehouse.lake.landing_retention import old_objects, remove_objects
    from lakehouse.lake.watermark import read_watermark

    count = size = 0
    for table in declared_datasets().bronze:
        connection = connection_of(table.connection)
        if connection is None or connection.landing_days is None:
            continue
        spec = merge_spec(table, settings)
        current = load(catalog, spec)
        watermark = read_watermark(current) if current else None
        old = old_objects(settings, spec, watermark, timedelta(days=connection.landing_days))
        count += len(old)
        size += sum(found.size for found in old) if dry_run else remove_objects(settings, old)
    return Removed("landed objects", count, size)


def _tables(settings: Settings, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Every table of a catalogue of our own; of a shared one those that only we write."""
    from lakehouse.lake.iceberg import NAMESPACES

    for namespace in NAMESPACES if settings.iceberg.type == "sql" else ("bronze",):
        for _, name in catalog.list_tables(namespace):
            yield namespace, name
