"""dbt's manifest.json -> Catalog. No network, no dbt import: the manifest is read as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from lakehouse.catalog.datasets import (
    PLATFORM,
    BronzeTable,
    Catalog,
    Column,
    Dashboard,
    Key,
    Model,
    PlatformTable,
    Relation,
)
from lakehouse.catalog.meta import TYPES, ExposureMeta, ModelMeta, PlatformMeta, TableMeta
from lakehouse.catalog.periods import refuse_unsupported
from lakehouse.errors import ConfigurationError

MODEL_LAYERS = ("silver", "gold")

M = TypeVar("M", bound=BaseModel)


def load_catalog(manifest_path: Path) -> Catalog:
    """Read the declared datasets.

    Raises:
        ConfigurationError: no manifest, an unknown `meta.lakehouse` key, a schema that is no layer, a table
            whose name does not begin with its source's, partitions that are not supported; each names the file and
            the key.
    """
    if not manifest_path.is_file():
        raise ConfigurationError(
            "no dbt manifest", where=str(manifest_path), remedy="run `dbt parse` in dbt_project/"
        )
    manifest = json.loads(manifest_path.read_text())
    tables = [node for node in manifest["sources"].values() if "lakehouse" in _meta(node)]
    platform = {node["unique_id"]: _platform(node) for node in tables if _is_of_the_platform(node)}
    bronze = tuple(_bronze(node) for node in tables if node["unique_id"] not in platform)
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "snapshot")]
    keys: dict[str, Key] = {table.unique_id: table.key for table in bronze}
    keys |= {unique_id: table.key for unique_id, table in platform.items()}
    keys |= {node["unique_id"]: (_layer(node), _name(node)) for node in nodes}
    models = tuple(_model(node, keys) for node in nodes)
    places = {node["unique_id"]: _place(node) for node in (*nodes, *manifest["sources"].values())}
    declared: list[BronzeTable | Model] = [*bronze, *models]
    datasets = {dataset.key: dataset for dataset in declared}
    for dataset in declared:
        above = [datasets[key] for key in dataset.upstream] if isinstance(dataset, Model) else []
        refuse_unsupported(dataset, above, places[dataset.unique_id])
    catalog = Catalog(
        bronze=bronze,
        models=models,
        dashboards=tuple(
            _dashboard(node, keys) for node in manifest["exposures"].values() if node["type"] == "dashboard"
        ),
        platform=tuple(platform.values()),
    )
    _refuse_unknown_datasets(catalog, manifest)
    return catalog


def _is_of_the_platform(node: dict[str, Any]) -> bool:
    declared = _meta(node)["lakehouse"]
    return isinstance(declared, dict) and "platform" in declared


def _platform(node: dict[str, Any]) -> PlatformTable:
    meta = _validated(PlatformMeta, node)
    if (node["source_name"], _table(node)) != (PLATFORM, meta.platform):
        raise ConfigurationError(
            f"meta.lakehouse.platform is {meta.platform}",
            where=_place(node),
            remedy=f"declare it as the table platform__{meta.platform} of the source platform",
        )
    columns = _columns(node)
    for column in columns:
        if not re.match(TYPES, column.type):
            raise ConfigurationError(
                f"column {column.name} is {column.type or 'of no declared type'}",
                where=_place(node),
                remedy="declare data_type as one of boolean, int, bigint, float, double, decimal(10,2) and the like,"
                " varchar, date, time, timestamp",
            )
    return PlatformTable(
        relation=_relation(node),
        records=meta.platform,
        description=node["description"],
        columns=columns,
        owner=meta.owner,
        freshness=meta.freshness,
    )


def _table(node: dict[str, Any]) -> str:
    """The table of a source without the prefix of its name, which every bronze table has."""
    source, prefix = node["source_name"], f"{node['source_name']}__"
    if node["schema"] != "bronze" or not node["identifier"].startswith(prefix):
        raise ConfigurationError(
            f"{node['schema']}.{node['identifier']} is no bronze table name",
            where=f"{node['original_file_path']}: source {source}, table {node['name']}",
            remedy=f"declare schema bronze and a table named {prefix}<table>",
        )
    return str(node["identifier"].removeprefix(prefix))


def _bronze(node: dict[str, Any]) -> BronzeTable:
    meta = _validated(TableMeta, node)
    if node["source_name"] == PLATFORM:
        raise ConfigurationError(
            f"source {PLATFORM} is that of the platform's own records",
            where=_place(node),
            remedy="give yours another name",
        )
    return BronzeTable(
        relation=_relation(node),
        source=node["source_name"],
        table=_table(node),
        connection=meta.connection,
        stream=meta.stream,
        primary_key=meta.primary_key,
        partition_by=meta.partition_by,
        description=node["description"],
        columns=_columns(node),
        owner=meta.owner,
        freshness=meta.freshness,
        unique_id=node["unique_id"],
        contract=meta.contract,
        reconcile=meta.reconcile,
        schedule=meta.schedule,
    )


def _model(node: dict[str, Any], keys: dict[str, Key]) -> Model:
    meta = _validated(ModelMeta, node)
    if meta.partition_by and node["resource_type"] == "snapshot":
        raise ConfigurationError(
            "meta.lakehouse.partition_by: a snapshot has no partitions",
            where=_place(node),
            remedy="remove it; every run compares all rows",
        )
    if meta.unified and node["config"]["materialized"] != "view":
        raise ConfigurationError(
            f"meta.lakehouse.unified: a {node['config']['materialized']} would be of the moment it was built",
            where=_place(node),
            remedy="make it materialized='view', whose SQL is {{ unified(...) }}",
        )
    return Model(
        relation=_relation(node),
        layer=_layer(node),
        materialized=node["config"]["materialized"],
        partition_by=meta.partition_by,
        description=node["description"],
        columns=_columns(node),
        owner=meta.owner,
        freshness=meta.freshness,
        reflections=meta.reflections,
        upstream=_upstream(node, keys),
        unique_id=node["unique_id"],
        unique_key=meta.unique_key,
        reconcile=meta.reconcile,
        lookback=meta.lookback,
    )


def _dashboard(node: dict[str, Any], keys: dict[str, Key]) -> Dashboard:
    meta = _validated(ExposureMeta, node)
    return Dashboard(
        name=node["name"],
        label=node.get("label") or node["name"],
        description=node["description"],
        url=node.get("url"),
        owner=(node.get("owner") or {}).get("email"),
        freshness=meta.freshness,
        upstream=_upstream(node, keys),
    )


def _upstream(node: dict[str, Any], keys: dict[str, Key]) -> tuple[Key, ...]:
    return tuple(keys[unique_id] for unique_id in node["depends_on"]["nodes"] if unique_id in keys)


def _refuse_unknown_datasets(catalog: Catalog, manifest: dict[str, Any]) -> None:
    """A figure can be held only against that of a dataset which is declared."""
    for dataset in catalog.by_key.values():
        for declared in dataset.reconcile:
            if declared.other_key not in catalog.by_key:
                node = (manifest["sources"] | manifest["nodes"])[dataset.unique_id]
                raise ConfigurationError(
                    f"meta.lakehouse.reconcile.with: no dataset is {declared.other}",
                    where=_place(node),
                    remedy="name a bronze table or a model by its asset key, such as bronze/shop/orders",
                )


def _layer(node: dict[str, Any]) -> Any:
    layer = node["schema"]
    if layer not in MODEL_LAYERS:
        raise ConfigurationError(
            f"schema {layer!r} is no layer",
            where=_place(node),
            remedy=f"allowed are {', '.join(MODEL_LAYERS)}",
        )
    return layer


def _name(node: dict[str, Any]) -> str:
    return str(node.get("alias") or node["name"])


def _relation(node: dict[str, Any]) -> Relation:
    return Relation(node["database"], node["schema"], node.get("identifier") or _name(node))


def _columns(node: dict[str, Any]) -> tuple[Column, ...]:
    return tuple(
        Column(column["name"], (column.get("data_type") or "").lower(), column.get("description") or "")
        for column in node["columns"].values()
    )


def _meta(node: dict[str, Any]) -> dict[str, Any]:
    return dict((node.get("config") or {}).get("meta") or node.get("meta") or {})


def _validated(model: type[M], node: dict[str, Any]) -> M:
    try:
        return model.model_validate(_meta(node).get("lakehouse") or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["meta.lakehouse", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            fields = _declared_at(model, first["loc"][:-1]).model_fields
            known = sorted(field.alias or name for name, field in fields.items())
            problem, remedy = "unknown key", f"known are {', '.join(known)}"
        else:
            problem, remedy = first["msg"].removeprefix("Value error, "), None
        raise ConfigurationError(f"{key}: {problem}", where=_place(node), remedy=remedy) from None


def _declared_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """The class of the declaration at a path of keys; the keys of mappings and lists are passed over."""
    for key in path:
        field = model.model_fields.get(str(key))
        inner: list[Any] = [field.annotation] if field else []
        while inner:
            kind = inner.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                model = kind
            inner += get_args(kind)
    return model


def _place(node: dict[str, Any]) -> str:
    # Models keep their meta in a YAML file of their own; patch_path is `project://path`.
    declared_in = (node.get("patch_path") or "").partition("://")[2] or node["original_file_path"]
    return f"{declared_in}: {node['name']}"
