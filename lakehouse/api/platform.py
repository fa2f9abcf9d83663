"""What the API reads from: the settings, Dagster's instance, the metadata database, and the declared datasets."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.api.kept import FRESH_SECONDS, Remembered
from lakehouse.catalog.manifest import load_catalog
from lakehouse.defs.declared_graph import Graph, graph_of
from lakehouse.defs.project import PROJECT_DIR, prepared_manifest
from lakehouse.lake.usage import usage_by_layer
from lakehouse.observability.warehouse import Warehouse

if TYPE_CHECKING:
    import dagster as dg

    from lakehouse.api.facts import Facts
    from lakehouse.observability.alerts.store import AlertStore
    from lakehouse.observability.logs.store import LogStore
    from lakehouse.observability.metadata.database import MetadataDatabase
    from lakehouse.settings import Settings

_WORK_SECONDS = 15.0
_USAGE_SECONDS = 300.0


class Platform:
    """For any number of threads. Nothing is opened before it is used."""

    def __init__(
        self, settings: Settings, instance: dg.DagsterInstance, project_dir: Path = PROJECT_DIR
    ) -> None:
        self.settings = settings
        self.instance = instance
        self.facts = Remembered(FRESH_SECONDS, self._look)
        """What is known of every dataset by key, at most two seconds old."""
        self.work = Remembered(_WORK_SECONDS, Warehouse(settings.dremio).look)
        """What Dremio did in the last day."""
        self.usage = Remembered(_USAGE_SECONDS, lambda: usage_by_layer(settings))
        """What the lake takes, by layer."""
        self._project_dir = project_dir
        self._parsed: tuple[float, Graph] | None = None

    @property
    def graph(self) -> Graph:
        """The declared datasets; read again when dbt's manifest is another, which Dagster's reload of the code makes.

        Raises:
            ConfigurationError: the project does not parse, or declares something wrongly.
        """
        known = self._parsed
        manifest = self._project_dir / "target" / "manifest.json"
        if known is None or not manifest.is_file() or manifest.stat().st_mtime != known[0]:
            manifest = prepared_manifest(self._project_dir)
            known = manifest.stat().st_mtime, graph_of(load_catalog(manifest))
            self._parsed = known
        return known[1]

    @cached_property
    def database(self) -> MetadataDatabase:
        from lakehouse.observability.metadata.database import metadata_database

        return metadata_database(self.settings)

    @cached_property
    def alerts(self) -> AlertStore:
        from lakehouse.observability.alerts.store import alert_store

        return alert_store(self.settings)

    @cached_property
    def logs(self) -> LogStore:
        from lakehouse.observability.logs.store import open_log_store

        return open_log_store(self.settings)

    def _look(self) -> Facts:
        from lakehouse.api.facts import look

        return look(self.instance, self.graph)
