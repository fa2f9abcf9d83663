"""Alerts of asset checks: level by severity, over when the check passes."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster import AssetCheckEvaluation, DagsterEvent, DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.test_utils import create_run_for_test

from lakehouse.defs.ingestion.last_sync import LAST_SYNC
from lakehouse.defs.monitoring.sources.checks import failed_checks
from lakehouse.observability.alerts.alert import Severity
from lakehouse_tests.defs.monitoring.watched import LANDED, ORDERS, WRONG, Watched

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


def test_a_failed_check_fires_until_it_passes(watched: Watched) -> None:
    WRONG.update(total=True, rows=True)
    watched.make(ORDERS)
    alerts = watched.alerts(failed_checks)
    assert {key: alert.severity for key, alert in alerts.items()} == {
        "CheckFailed/gold/orders/total": Severity.CRITICAL,
        "CheckFailed/gold/orders/rows": Severity.WARNING,
    }
    assert alerts["CheckFailed/gold/orders/total"].summary == "check total of gold/orders: 1 is not 2"
    WRONG.clear()
    watched.make(ORDERS)
    assert watched.alerts(failed_checks) == {}


def test_a_run_that_is_about_to_check_changes_nothing(watched: Watched) -> None:
    WRONG["total"] = True
    watched.make(ORDERS)
    run = create_run_for_test(watched.instance)
    planned = AssetCheckEvaluationPlanned(asset_key=ORDERS, check_name="total")
    watched.instance.report_dagster_event(
        DagsterEvent(
            DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value, "job", event_specific_data=planned
        ),
        run.run_id,
    )
    newest = watched.instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(ORDERS, "total"))
    assert newest
    assert newest.status.value == "PLANNED"
    assert set(watched.alerts(failed_checks)) == {"CheckFailed/gold/orders/total"}


def test_the_newest_sync_of_a_connection_is_one_alert(watched: Watched) -> None:
    failed = AssetCheckEvaluation(
        asset_key=LANDED, check_name=LAST_SYNC, passed=False, description="Airbyte job 7 failed: no route"
    )
    watched.instance.report_runless_asset_event(failed)
    alert = watched.alerts(failed_checks)["SyncFailed/shop"]
    assert alert.summary == "the newest sync of connection shop failed: Airbyte job 7 failed: no route"
    watched.instance.report_runless_asset_event(
        AssetCheckEvaluation(asset_key=LANDED, check_name=LAST_SYNC, passed=True)
    )
    assert watched.alerts(failed_checks) == {}
