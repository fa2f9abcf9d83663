"""Alerts of failed runs: what mends them, and what does not."""

from __future__ import annotations

import dagster as dg
import pytest

from lakehouse.defs.monitoring.sources.runs import KEPT, failed_runs
from lakehouse_tests.defs.monitoring.watched import DAYS, LANDED, ORDERS, WRONG, Watched

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
_START, _END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def now(watched: Watched, kept: dict[str, object]) -> set[str]:
    """The keys of what fires; `kept` is what one look leaves for the next."""
    look = watched.look()
    look.kept = kept
    return set(watched.alerts(failed_runs, look))


def test_a_failed_run_fires_until_its_asset_is_made(watched: Watched) -> None:
    kept: dict[str, object] = {}
    assert now(watched, kept) == set()
    WRONG["orders"] = True
    run = watched.make(ORDERS)
    look = watched.look()
    look.kept = kept
    (alert,) = watched.alerts(failed_runs, look).values()
    assert alert.key == "RunFailed/gold/orders"
    assert (alert.asset, alert.owner) == ("gold/orders", "ana@example.com,team:commerce")
    told = f"gold/orders was not made; run {run.run_id[:8]}: gold__orders: the disk is on fire"
    assert alert.summary == told
    watched.make(ORDERS)
    watched.make(LANDED)
    assert now(watched, kept) == {"RunFailed/gold/orders"}
    WRONG.clear()
    watched.make(ORDERS)
    assert now(watched, kept) == set()
    assert now(watched, kept) == set()


def test_only_a_run_over_the_failed_days_mends_them(watched: Watched) -> None:
    kept: dict[str, object] = {}
    WRONG["days"] = True
    watched.make(DAYS, **{_START: "2025-01-02", _END: "2025-01-03"})
    failed = {"RunFailed/gold/days/2025-01-02..2025-01-03"}
    assert now(watched, kept) == failed
    WRONG.clear()
    watched.make(DAYS, **{"dagster/partition": "2025-01-02"})
    assert now(watched, kept) == failed
    watched.make(DAYS, **{_START: "2025-01-01", _END: "2025-01-31"})
    assert now(watched, kept) == set()


def test_several_assets_are_mended_one_by_one_and_what_was_made_does_not_count(watched: Watched) -> None:
    kept: dict[str, object] = {}
    WRONG["orders"] = True
    watched.make(ORDERS, LANDED)
    (key,) = now(watched, kept)
    assert key.startswith("RunFailed/gold/orders/+1-")
    WRONG.clear()
    watched.make(ORDERS)  # landed was made by the run that failed
    assert now(watched, kept) == set()


def test_a_failed_sync_is_one_alert_of_its_connection(watched: Watched) -> None:
    kept: dict[str, object] = {}
    WRONG["landed"] = True
    watched.make(job="sync_shop")
    watched.make(LANDED)
    look = watched.look()
    look.kept = kept
    alert = watched.alerts(failed_runs, look)["SyncFailed/shop"]
    assert "the source is away" in alert.summary
    WRONG.clear()
    watched.make(LANDED)
    assert now(watched, kept) == set()


def test_what_is_retried_and_what_the_graph_has_no_more_is_none(watched: Watched) -> None:
    WRONG["orders"] = True
    watched.make(ORDERS, **{"dagster/will_retry": "true"})
    assert now(watched, {}) == set()
    kept: dict[str, object] = {}
    watched.make(ORDERS)
    now(watched, kept)
    look = watched.look()
    look.kept = kept
    look.repository = dg.Definitions(assets=[dg.AssetSpec("other")]).get_repository_def()
    assert watched.alerts(failed_runs, look) == {}
    assert look.kept[KEPT]["failures"] == {}
