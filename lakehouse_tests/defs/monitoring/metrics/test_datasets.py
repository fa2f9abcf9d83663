"""What metrics tell of the assets of the graph."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.defs.checks.lag import NAME as LAG
from lakehouse.defs.monitoring.metrics.datasets import datasets
from lakehouse.defs.monitoring.metrics.declared import DeclaredAsset, declared_assets
from lakehouse.defs.monitoring.metrics.lag import lag
from lakehouse.defs.monitoring.metrics.partitions import partitions
from lakehouse.defs.project import declared_datasets
from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.outcome import Outcome, PartitionOutcome
from lakehouse.observability.metadata.outcomes import plan, write_outcomes
from lakehouse_tests.observability.metrics.read import Samples, scrape

POLICY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))
KEYS = ("bronze/shop/orders", "gold/fct_orders", "reflections/fct_orders/daily", "serving/customer_analytics")
ASSETS = {
    dg.AssetKey(key.split("/")): DeclaredAsset(key.split("/")[0], "team:commerce", POLICY) for key in KEYS
}
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def make(instance: dg.DagsterInstance, key: str, **metadata: object) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(dg.AssetKey(key.split("/")), metadata=metadata)
    )


def look(instance: dg.DagsterInstance) -> Samples:
    return scrape([datasets(instance, lambda: ASSETS)])


def test_freshness_and_age_of_every_declared_asset(instance: dg.DagsterInstance) -> None:
    make(instance, "gold/fct_orders")
    make(instance, "gold/not_declared_any_more")
    found = look(instance)
    states = {key: [state for state in ("PASS", "WARN", "FAIL", "UNKNOWN")
                    if found["lakehouse_asset_freshness_state", key, key.split("/")[0], "team:commerce", state]]
              for key in KEYS}  # fmt: skip
    assert states == {key: ["PASS" if key == "gold/fct_orders" else "UNKNOWN"] for key in KEYS}
    ages = {name[1]: age for name, age in found.items() if name[0] == "lakehouse_asset_age_seconds"}
    assert ages.keys() == {"gold/fct_orders"}
    assert 0 <= ages["gold/fct_orders"] < 600


def test_what_the_newest_materialization_took(instance: dg.DagsterInstance) -> None:
    make(instance, "gold/fct_orders", **{"Execution Duration": 9.0})
    make(instance, "gold/fct_orders", **{"Execution Duration": 1.5})
    make(instance, "reflections/fct_orders/daily", seconds=0.25)
    make(instance, "serving/customer_analytics", load_seconds=0.8, cache_hit_rate=1)
    found = look(instance)
    assert found["dbt_model_execution_time", "fct_orders"] == 1.5
    assert found["dremio_reflection_refresh_seconds", "fct_orders", "daily"] == 0.25
    assert found["superset_dashboard_load_time", "customer_analytics"] == 0.8
    assert found["superset_query_cache_hit_rate", "customer_analytics"] == 1


def test_lag_as_the_check_found_it(instance: dg.DagsterInstance) -> None:
    key = dg.AssetKey(["bronze", "shop", "orders"])
    for seconds in (90, 12):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key, check_name=LAG, passed=True,
                metadata={"lag_seconds": seconds, "unread_bytes": 4096, "moments": dg.MetadataValue.json([])},
            )
        )  # fmt: skip
    found = scrape([lag(instance, lambda: ASSETS)])
    assert found["lakehouse_cdc_lag_seconds", "bronze/shop/orders"] == 12
    assert found["lakehouse_cdc_unread_bytes", "bronze/shop/orders"] == 4096


def test_partitions_whose_newest_attempt_failed(tmp_path: Path) -> None:
    metadata = MetadataDatabase(f"sqlite:///{tmp_path}/metadata.db")

    def outcome(day: str, outcome: Outcome, minute: int) -> PartitionOutcome:
        at = NOW + timedelta(minutes=minute)
        run = f"00000000-0000-0000-0000-0000000000{minute:02}"
        return PartitionOutcome(run, "gold/fct_orders", day, outcome, at, at, None, "schedule")

    with metadata.transaction() as told:
        write_outcomes(
            told,
            [
                outcome("2026-11-20", Outcome.FAILED, 1),
                outcome("2026-11-20", Outcome.MADE, 2),
                outcome("2026-11-21", Outcome.FAILED, 3),
                outcome("2026-11-22", Outcome.CHECK_FAILED, 4),
            ],
        )
        plan(told, "a process that lives", {"bronze/shop/orders": ["2026-11-22"]}, "backfill")
    found = scrape([partitions(metadata, lambda: ASSETS)])
    assert {key: found["lakehouse_partitions_not_made", key] for key in KEYS} == {
        **dict.fromkeys(KEYS, 0),
        "gold/fct_orders": 2,
    }


def test_what_is_declared_is_the_graph(graph: dg.Definitions) -> None:
    of_graph = {
        node.key: DeclaredAsset(str(node.group_name), ",".join(node.owners), node.freshness_policy)
        for node in graph.get_repository_def().asset_graph.asset_nodes
        if node.is_materializable and node.freshness_policy
    }
    assert declared_assets(declared_datasets()) == of_graph
