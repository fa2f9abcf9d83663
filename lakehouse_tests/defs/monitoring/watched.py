"""A small graph, an instance of its own, and looks at it at any time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import yaml

from lakehouse.defs.ingestion.last_sync import LAST_SYNC
from lakehouse.defs.monitoring.declaration import alerting_of
from lakehouse.defs.monitoring.evaluate import SOURCES, Evaluated, Source, evaluate
from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert
from lakehouse.observability.alerts.store import alert_store
from lakehouse.settings import Settings, load_settings
from lakehouse_tests.observability.alerts.receiver import Receiver

ORDERS = dg.AssetKey(["gold", "orders"])
DAYS = dg.AssetKey(["gold", "days"])
LANDED = dg.AssetKey(["landing", "shop", "orders"])
WRONG: dict[str, bool] = {}
"""What fails: `orders`, `days`, `landed`, and the checks `total` and `rows`."""

OF_ASSETS = tuple(source for source in SOURCES if source.name in ("freshness", "runs", "checks"))

FLAG = "WATCHED_FLAG"
"""Environment variable with the path of a file; while it is there, sensor and schedule fail."""


@dg.asset(
    key=ORDERS,
    group_name="gold",
    owners=["team:commerce", "ana@example.com"],
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=2), warn_window=timedelta(hours=1)
    ),
    check_specs=[
        dg.AssetCheckSpec("total", asset=ORDERS),
        dg.AssetCheckSpec("rows", asset=ORDERS),
    ],
)
def orders() -> Iterable[dg.MaterializeResult]:
    if WRONG.get("orders"):
        raise dg.Failure("the disk is on fire", allow_retries=False)
    yield dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(check_name="total", passed=not WRONG.get("total"), description="1 is not 2"),
            dg.AssetCheckResult(
                check_name="rows", passed=not WRONG.get("rows"), severity=dg.AssetCheckSeverity.WARN
            ),
        ]
    )


@dg.asset(key=DAYS, group_name="gold", partitions_def=dg.DailyPartitionsDefinition("2025-01-01"))
def days() -> None:
    if WRONG.get("days"):
        raise ValueError("no such day")


@dg.asset(
    key=LANDED,
    group_name="landing",
    tags={"lakehouse/connection": "shop"},
    check_specs=[dg.AssetCheckSpec(LAST_SYNC, asset=LANDED)],
)
def landed() -> dg.MaterializeResult:
    if WRONG.get("landed"):
        raise ValueError("the source is away")
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name=LAST_SYNC, passed=True)])


def _fail_with_the_flag() -> None:
    if Path(os.environ.get(FLAG, "")).is_file():
        raise ValueError("the flag is up")


@dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=30)
def flaky() -> dg.SkipReason:
    _fail_with_the_flag()
    return dg.SkipReason("nothing to do")


@dg.schedule(cron_schedule="0 * * * *", target=[LANDED], default_status=dg.DefaultScheduleStatus.RUNNING)
def hourly() -> dg.SkipReason:
    _fail_with_the_flag()
    return dg.SkipReason("nothing to do")


defs = dg.Definitions(
    assets=[orders, days, landed],
    jobs=[dg.define_asset_job("sync_shop", selection=[LANDED])],
    sensors=[flaky],
    schedules=[hourly],
    executor=dg.in_process_executor,
)


class Watched:
    def __init__(self, home: Path, receiver: Receiver) -> None:
        WRONG.clear()
        self.home, self.receiver = home, receiver
        self._environment: dict[str, str] = {}
        (home / "dagster").mkdir()
        self.instance = dg.DagsterInstance.local_temp(
            str(home / "dagster"), overrides={"telemetry": {"enabled": False}}
        )
        self.now = datetime.now(UTC)
        self.declare(sinks={"hook": {"type": "webhook", "url": receiver.url}})

    def declare(self, **document: object) -> None:
        """Write alerts.yaml; without routes everything goes to every sink."""
        sinks = list(document["sinks"])  # type: ignore[call-overload]
        document = {"routes": [{"name": "all", "sinks": sinks}], **document}
        (self.home / "alerts.yaml").write_text(yaml.safe_dump(document))
        self.environment(ALERTS__FILE=self.home / "alerts.yaml")

    def environment(self, **values: object) -> None:
        """More in lakehouse.env, over what is there."""
        self._environment |= {f"LAKEHOUSE_{name}": str(value) for name, value in values.items()}
        lines = [f"{name}={value}\n" for name, value in self._environment.items()]
        (self.home / "lakehouse.env").write_text("".join(lines))

    @property
    def settings(self) -> Settings:
        return load_settings(self.home)

    def look(self) -> Look:
        settings = self.settings
        return Look(self.instance, settings, alerting_of(settings), defs.get_repository_def(), now=self.now)

    def alerts(self, source: Callable[[Look], Iterable[Alert]], look: Look | None = None) -> dict[str, Alert]:
        """What one source sees now."""
        return {alert.key: alert for alert in source(look or self.look())}

    def tick(self, sources: Iterable[Source] = OF_ASSETS, **later: float) -> Evaluated:
        """A whole look, some time later."""
        self.now += timedelta(**later)
        return evaluate(self.look(), alert_store(self.settings), sources)

    def make(self, *keys: dg.AssetKey, job: str = "__ASSET_JOB", **tags: str) -> dg.ExecuteInProcessResult:
        """A run, as Dagster's own."""
        job_def = defs.resolve_job_def(job)
        subset = job_def.get_subset(asset_selection=set(keys)) if keys else job_def
        return subset.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)
