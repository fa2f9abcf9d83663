"""Data that grows old while nothing runs is told of once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import dagster as dg
import pytest

from lakehouse.defs.checks import look
from lakehouse.defs.checks.grown_old import grown_old_sensor
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.defs.checks.conftest import ORDERS, Orders, gold, order, outcome

pytestmark = pytest.mark.slow
TODAY = datetime.now(UTC).date()


class Later(datetime):
    """The clock of four days from now."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=4)


@pytest.fixture
def tick(orders: Orders) -> Callable[[], dict[str, str]]:
    """One evaluation of the sensor, with what Dagster's daemon does after it."""
    never_built = gold("never_built", partition_by=ORDERS.partition_by)
    sensor = grown_old_sensor([ORDERS, never_built])
    resources = {"lakehouse": LakehouseResource(home=str(orders.lake.home))}

    def run() -> dict[str, str]:
        with dg.build_sensor_context(instance=orders.instance, resources=resources) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        for event in result.asset_events:
            orders.instance.report_runless_asset_event(event)
        found = [event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
        assert {event.asset_key.path[-1] for event in found} <= {"orders"}
        return {event.check_name: outcome(event) for event in found if event.check_name == "data_is_current"}

    return run


def test_it_is_told_when_it_fails_and_when_it_is_right_again(
    orders: Orders, tick: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tick() == {}
    orders.land(order(1, TODAY))
    assert outcome(orders.merge(TODAY)["data_is_current"]) == "PASS"
    assert tick() == {}
    with monkeypatch.context() as later:
        later.setattr(look, "datetime", Later)
        assert tick() == {"data_is_current": "ERROR"}
        assert tick() == {}
    assert tick() == {"data_is_current": "PASS"}
