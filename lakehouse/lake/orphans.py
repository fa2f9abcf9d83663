"""Removes the files that a merge left when it was killed before its commit, and those of snapshots that expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError

from lakehouse.lake.filesystem import open_filesystem, path_of
from lakehouse.lake.iceberg import open_catalog

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table

    from lakehouse.settings import Settings

SAFE_AGE = timedelta(days=1)
"""Younger files may be of a merge that is still running."""


def remove_orphans(
    identifier: tuple[str, str],
    settings: Settings,
    catalog: Catalog | None = None,
    older_than: timedelta = SAFE_AGE,
    *,
    dry_run: bool = False,
) -> list[FileInfo]:
    """Delete the files under the table's location that no snapshot refers to; gives the files.

    A table that the catalogue does not know is left alone: its files may be those of another catalogue. So is one that is
    dropped meanwhile, as dbt's temporary tables are.

    Raises:
        TransientError: the catalogue does not answer.
    """
    from pyarrow.fs import FileSelector, FileType

    catalog = catalog or open_catalog(settings)
    filesystem = open_filesystem(settings)
    try:
        location = path_of(catalog.load_table(identifier).location())
        # Listed before the references are read: what is committed meanwhile is then referred to, or not listed.
        found = filesystem.get_file_info(FileSelector(location, recursive=True, allow_not_found=True))
        referred = _referred_paths(catalog.load_table(identifier))
    except (NoSuchTableError, FileNotFoundError):
        return []
    limit = datetime.now(UTC) - older_than
    orphans = [
        file
        for file in found
        if file.type == FileType.File and file.path not in referred and file.mtime < limit
    ]
    for file in orphans if not dry_run else ():
        filesystem.delete_file(file.path)
    return orphans


def _referred_paths(table: Table) -> set[str]:
    """Every file that a snapshot still in the table's history needs, and the metadata's own history."""
    metadata = table.metadata
    urls = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    urls |= {statistics.statistics_path for statistics in metadata.statistics}
    urls |= {statistics.statistics_path for statistics in metadata.partition_statistics}
    manifests: dict[str, ManifestFile] = {}
    for snapshot in metadata.snapshots:
        urls.add(snapshot.manifest_list)
        manifests |= {manifest.manifest_path: manifest for manifest in snapshot.manifests(table.io)}
    urls |= set(manifests)
    for manifest in manifests.values():
        urls |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io)}
    return {path_of(url) for url in urls}
