"""Every operation of the API."""

from __future__ import annotations

from lakehouse.api.operation import Operation
from lakehouse.api.platform import Platform
from lakehouse.api.query.operations import Queries
from lakehouse.api.resources.alerts import AlertList, Alerts
from lakehouse.api.resources.datasets import (
    DatasetDetail,
    DatasetList,
    Datasets,
    DatasetsWanted,
    DatasetWanted,
)
from lakehouse.api.resources.logs import CountsWanted, LogCounts, LogPage, Logs, LogsWanted
from lakehouse.api.resources.partitions import PartitionList, Partitions, PartitionsWanted
from lakehouse.api.resources.ready import Readiness, Ready, status_of
from lakehouse.api.resources.runs import Run, RunList, Runs, RunsWanted, RunWanted
from lakehouse.api.resources.syncs import ConnectionList, ConnectionsWanted, SyncList, Syncs, SyncsWanted
from lakehouse.api.resources.warehouse import (
    QueriesWanted,
    ReflectionList,
    SlowQueryList,
    StorageList,
    WarehouseOperations,
)

PREFIX = "/api/v1"


def operations_of(platform: Platform) -> list[Operation]:
    """The operations."""
    warehouse = WarehouseOperations(platform)
    datasets, runs, syncs, logs = Datasets(platform), Runs(platform), Syncs(platform), Logs(platform)
    return [
        Operation(
            "/ready",
            "Whether what the API needs answers",
            Readiness,
            Ready(platform).get_ready,
            status_of=status_of,
            fresh_seconds=5,
        ),
        Operation(
            f"{PREFIX}/datasets",
            "List datasets with layer, owner, freshness and rows",
            DatasetList,
            datasets.list_datasets,
            parameters=DatasetsWanted,
        ),
        Operation(
            f"{PREFIX}/datasets/{{key}}",
            "One dataset with columns, lineage and partitions; its key may be written with slashes",
            DatasetDetail,
            datasets.get_dataset,
            parameters=DatasetWanted,
        ),
        Operation(
            f"{PREFIX}/partitions",
            "List the partitions of a dataset and what became of each, newest first",
            PartitionList,
            Partitions(platform).list_partitions,
            parameters=PartitionsWanted,
        ),
        Operation(
            f"{PREFIX}/runs", "List runs, newest first", RunList, runs.list_runs, parameters=RunsWanted
        ),
        Operation(f"{PREFIX}/runs/{{run_id}}", "One run", Run, runs.get_run, parameters=RunWanted),
        Operation(
            f"{PREFIX}/syncs",
            "List connections and how their syncs went",
            ConnectionList,
            syncs.list_connections,
            parameters=ConnectionsWanted,
        ),
        Operation(
            f"{PREFIX}/syncs/{{connection}}",
            "List the syncs of a connection that ended, newest first",
            SyncList,
            syncs.list_syncs,
            parameters=SyncsWanted,
        ),
        Operation(
            f"{PREFIX}/alerts",
            "List what fires, what no sink has taken yet, what is silenced",
            AlertList,
            Alerts(platform).list_alerts,
        ),
        Operation(
            f"{PREFIX}/logs",
            "Search the logs of everything",
            LogPage,
            logs.search_logs,
            parameters=LogsWanted,
        ),
        Operation(
            f"{PREFIX}/logs/counts",
            "Count what is in the logs by a field",
            LogCounts,
            logs.count_logs,
            parameters=CountsWanted,
        ),
        Operation(
            f"{PREFIX}/slow-queries",
            "List the slowest queries of the last day",
            SlowQueryList,
            warehouse.list_slow_queries,
            parameters=QueriesWanted,
        ),
        Operation(
            f"{PREFIX}/reflections",
            "List reflections, how often they answered a query in the last day, and what that saved",
            ReflectionList,
            warehouse.list_reflections,
        ),
        Operation(f"{PREFIX}/storage", "What the lake takes, by layer", StorageList, warehouse.list_storage),
        *Queries(platform.settings).operations,
    ]
