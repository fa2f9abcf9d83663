"""dbt nodes as assets: keys, groups, owners from the catalogue, everything else from dbt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from lakehouse.catalog.datasets import BronzeTable, Catalog, Model
from lakehouse.defs.partitions import mapping_of, partitions_of


class CatalogTranslator(DagsterDbtTranslator):
    """Two settings matter. Source metadata is kept off dependencies, since it lets Dagster remap a dependency
    of a subset job to another asset of the same table name. Tests of sources are no checks, since they would
    make every bronze run a dbt run.
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_asset_checks=True, enable_source_tests_as_checks=False, enable_source_metadata=False
            )
        )
        datasets: list[BronzeTable | Model] = [*catalog.bronze, *catalog.models]
        self._datasets = {dataset.unique_id: dataset for dataset in datasets}
        self._specs: dict[str, dg.AssetSpec] = {}

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The key that the catalogue gives the node."""
        dataset = self._datasets.get(dbt_resource_props["unique_id"])
        return dg.AssetKey(dataset.key) if dataset else super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer."""
        return self.get_asset_key(dbt_resource_props).path[0]

    def get_partition_mapping(
        self, dbt_resource_props: Mapping[str, Any], dbt_parent_resource_props: Mapping[str, Any]
    ) -> dg.PartitionMapping | None:
        """Which partitions of a parent one of the node's is made of."""
        dataset = self._datasets.get(dbt_resource_props["unique_id"])
        parent = self._datasets.get(dbt_parent_resource_props["unique_id"])
        if parent is None or not isinstance(dataset, Model):
            return None
        return mapping_of(parent.partition_by, dataset.partition_by, dataset.lookback)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """dagster-dbt's spec with what the catalogue knows better; made once, and asked for by every model downstream."""
        if unique_id not in self._specs:
            self._specs[unique_id] = self._spec(manifest, unique_id, project)
        return self._specs[unique_id]

    def _spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        dataset = self._datasets.get(unique_id)
        if dataset is None:
            return spec
        attributes: dict[str, Any] = {"owners": [dataset.owner] if dataset.owner else []}
        if isinstance(dataset, Model):
            form = "view" if dataset.materialized == "view" else "iceberg"
            attributes["kinds"] = {"dbt", "dremio", form}
            attributes["partitions_def"] = partitions_of(dataset.partition_by)
        metadata = {**spec.metadata, "dagster/table_name": str(dataset.relation)}
        return spec.replace_attributes(**attributes, metadata=metadata)
