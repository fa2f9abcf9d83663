"""Every operation that reads what the platform knows."""

from __future__ import annotations

from lakehouse.api.operation import Operation
from lakehouse.api.platform import Platform
from lakehouse.api.resources.alerts import AlertList, Alerts
from lakehouse.api.resources.datasets import (
    DatasetDetail,
    DatasetList,
    Datasets,
    DatasetsWanted,
    DatasetWanted,
)
from lakehouse.api.resources.partitions import PartitionList, Partitions, PartitionsWanted
from lakehouse.api.resources.ready import Readiness, Ready, status_of
from lakehouse.api.resources.runs import Run, RunList, Runs, RunsWanted, RunWanted
from lakehouse.api.resources.syncs import ConnectionList, ConnectionsWanted, SyncList, Syncs, SyncsWanted

PREFIX = "/api/v1"


def operations_of(platform: Platform) -> list[Operation]:
    """The operations, all of which are GET."""
    datasets, runs, syncs = Datasets(platform), Runs(platform), Syncs(platform)
    return [
        Operation(
            "/ready",
            "Whether what the API needs answers",
            Readiness,
            Ready(platform).get_ready,
            status_of=status_of,
        ),
        Operation(
            f"{PREFIX}/datasets",
            "List datasets with layer, owner, freshness and rows",
            DatasetList,
            datasets.list_datasets,
            DatasetsWanted,
        ),
        Operation(
            f"{PREFIX}/datasets/{{key}}",
            "One dataset with columns, lineage and partitions; its key may be written with slashes",
            DatasetDetail,
            datasets.get_dataset,
            DatasetWanted,
        ),
        Operation(
            f"{PREFIX}/partitions",
            "List the partitions of a dataset and what became of each, newest first",
            PartitionList,
            Partitions(platform).list_partitions,
            PartitionsWanted,
        ),
        Operation(f"{PREFIX}/runs", "List runs, newest first", RunList, runs.list_runs, RunsWanted),
        Operation(f"{PREFIX}/runs/{{run_id}}", "One run", Run, runs.get_run, RunWanted),
        Operation(
            f"{PREFIX}/syncs",
            "List connections and how their syncs went",
            ConnectionList,
            syncs.list_connections,
            ConnectionsWanted,
        ),
        Operation(
            f"{PREFIX}/syncs/{{connection}}",
            "List the syncs of a connection that ended, newest first",
            SyncList,
            syncs.list_syncs,
            SyncsWanted,
        ),
        Operation(
            f"{PREFIX}/alerts",
            "List what fires, what no sink has taken yet, what is silenced",
            AlertList,
            Alerts(platform).list_alerts,
        ),
    ]
