"""The nightly batch on a small lakehouse: real runs in an instance of its own, at hours that the test chooses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster import AssetKey, DagsterRunStatus

from lakehouse.defs.automation.environments import Environment, environments
from lakehouse.defs.automation.nightly.advance import advance
from lakehouse.defs.automation.nightly.declaration import Batch, declared_batch
from lakehouse.defs.automation.nightly.judge import BATCH
from lakehouse.defs.automation.nightly.night import NIGHT, STAGE, Night
from lakehouse.defs.automation.nightly.sensor import nightly
from lakehouse.defs.automation.nightly.work import assets_of
from lakehouse.defs.monitoring.declaration import alerting_of
from lakehouse.defs.monitoring.look import Look
from lakehouse.defs.monitoring.sources.checks import failed_checks
from lakehouse.errors import ConfigurationError
from lakehouse.observability.alerts.alert import Severity
from lakehouse.settings import load_settings
from lakehouse_tests.defs.conftest import graph_of

DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_offset=1, timezone="UTC")
TONIGHT = date(2026, 3, 10)
TODAY = DAYS.get_last_partition_key()
"""The open day is the real one, whatever night a test plays."""
STAGES = [stage.name for stage in declared_batch().stages]


@dataclass
class House:
    """A graph with something in every stage, and what fails in it."""

    failing: set[str] = field(default_factory=set)
    during: Callable[[], None] = lambda: None
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    batch: Batch = field(default_factory=declared_batch)
    ran: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.defs = dg.Definitions.merge(
            dg.Definitions(
                assets=[
                    self.made("landing/shop/orders", [], kinds={"postgres"}),
                    self.made("landing/weather/hours", [], kinds={"source-weather"}),
                    self.made("bronze/shop/orders", ["landing/shop/orders"], DAYS),
                    self.made("bronze/weather/hours", ["landing/weather/hours"]),
                    self.made("silver/stg_orders", ["bronze/shop/orders"], DAYS),
                    self.made("silver/stg_weather", ["bronze/weather/hours"]),
                    self.made("silver/int_orders", ["silver/stg_orders", "silver/stg_weather"], DAYS),
                    self.made("gold/fct_orders", ["silver/int_orders"], DAYS),
                    self.made("gold/metrics", ["gold/fct_orders"]),
                    self.made("reflections/fct_orders/raw", ["gold/fct_orders"]),
                    self.made("serving/board", ["gold/metrics", "reflections/fct_orders/raw"]),
                ],
                executor=dg.in_process_executor,
            ),
            nightly(self.batch, Environment(schedules=("nightly",))),
        )
        self.graph = self.defs.resolve_asset_graph()

    def made(self, name: str, upstream: list[str], partitions: Any = None, kinds: Any = None) -> Any:
        key = AssetKey(name.split("/"))

        @dg.multi_asset(
            name=name.replace("/", "__"),
            specs=[
                dg.AssetSpec(
                    key,
                    deps=[AssetKey(above.split("/")) for above in upstream],
                    group_name=key.path[0],
                    partitions_def=partitions,
                    kinds=kinds or {"test"},
                )
            ],
            check_specs=[dg.AssetCheckSpec("right", asset=key, blocking=True)],
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
            can_subset=True,
        )
        def build(context: dg.AssetExecutionContext) -> Any:
            self.during()
            if name in self.failing:
                raise dg.Failure("made to fail", allow_retries=False)
            for wanted in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=wanted)
            for check in context.selected_asset_check_keys:
                yield dg.AssetCheckResult(
                    asset_key=key, check_name=check.name, passed=f"{name}:right" not in self.failing
                )

        return build

    def tick(self, clock: str, day: date = TONIGHT) -> dg.SensorResult:
        """One look of the sensor at that hour in UTC; its events are written as the daemon writes them."""
        now = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
        night = Night.of(now, self.batch.stages[0].begin, ZoneInfo("UTC"))
        told = advance(self.batch, night, self.graph, self.instance, now)
        for event in told.asset_events:
            self.instance.report_runless_asset_event(event)
        return told

    def run(self, request: dg.RunRequest) -> bool:
        """What the daemon does with a request: at most one run a key."""
        if any(run.tags.get("dagster/run_key") == request.run_key for run in self.instance.get_runs()):
            return True
        job = self.defs.resolve_implicit_global_asset_job_def()
        if request.asset_check_keys:
            job = job.get_subset(asset_selection=set(), asset_check_selection=set(request.asset_check_keys))
        names = [key.to_user_string() for key in request.asset_selection or request.asset_check_keys or ()]
        first = request.tags.get("dagster/asset_partition_range_start", "")
        last = request.tags.get("dagster/asset_partition_range_end", "")
        self.ran.append((request.tags[STAGE], f"{' '.join(names)} {first}..{last}"))
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=request.asset_selection or None,
            tags={**request.tags, "dagster/run_key": request.run_key or ""},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        ).success

    def work(self, clock: str, day: date = TONIGHT) -> dg.SensorResult:
        """Tick and run until nothing more is asked for at that hour."""
        for _ in range(40):
            told = self.tick(clock, day)
            if not told.run_requests:
                return told
            for request in told.run_requests:
                self.run(request)
        raise AssertionError(f"no end: {self.ran}")

    def stages(self) -> list[str]:
        """The stages that ran, in order."""
        return list(dict.fromkeys(stage for stage, _ in self.ran))

    def verdict(self, check: str) -> tuple[bool, str] | None:
        """The newest outcome of a check of the batch."""
        record = self.instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(BATCH, check))
        event = record.event.dagster_event if record and record.event else None
        result = event.event_specific_data if event else None
        return (
            (result.passed, result.description or "") if isinstance(result, dg.AssetCheckEvaluation) else None
        )


@pytest.fixture
def house() -> House:
    return House()


def test_a_stage_begins_at_its_hour(house: House) -> None:
    clocks = ["01:00", "01:30", "02:15", "02:30", "02:50", "03:20", "04:00", "04:15", "04:35"]
    for reached, clock in enumerate(clocks):
        if reached:
            house.work(
                f"{clock[:3]}{int(clock[3:]) - 1:02}" if clock[3:] != "00" else f"0{int(clock[1]) - 1}:59"
            )
            assert house.stages() == STAGES[:reached]
        house.work(clock)
        assert house.stages() == STAGES[: reached + 1]


def test_nothing_begins_before_the_first_hour(house: House) -> None:
    assert not house.tick("00:59").run_requests
    assert not house.tick("05:00").run_requests, "turned on by day: the first batch is the next night's"
    assert house.instance.get_runs() == []


def test_a_whole_night(house: House) -> None:
    told = house.work("04:40")
    assert told.skip_reason
    assert told.skip_reason.skip_message == "the batch of 2026-03-10 is done"
    assert house.verdict("batch_done_in_time") == (True, "done, night of 2026-03-10")
    assert all(house.verdict(f"{stage}_in_time") == (True, "ended, night of 2026-03-10") for stage in STAGES)
    assert ("extract_databases", "landing/shop/orders ..") in house.ran
    assert ("extract_apis", "landing/weather/hours ..") in house.ran
    assert {
        ("bronze", f"bronze/shop/orders {TODAY}..{TODAY}"),
        ("bronze", "bronze/weather/hours .."),
    } <= set(house.ran)
    tested = [what for stage, what in house.ran if stage == "tests"]
    assert len(tested) == 2, "one run a kind of partitions"
    runs = house.instance.get_runs()
    assert {run.tags["lakehouse/why"] for run in runs} == {"schedule"}
    assert {run.tags[NIGHT] for run in runs} == {"2026-03-10"}


def test_the_next_night_is_another_one(house: House) -> None:
    house.work("04:40")
    before = len(house.ran)
    assert not house.tick("23:00").run_requests
    assert house.work("04:40", date(2026, 3, 11))
    assert len(house.ran) == 2 * before


def test_days_that_are_behind_are_built_with_the_open_one(house: House) -> None:
    house.work("04:40")
    house.ran.clear()
    for day in ("2026-03-02", "2026-03-03"):
        house.instance.report_runless_asset_event(
            dg.AssetMaterialization(["bronze", "shop", "orders"], partition=day)
        )
    house.work("04:40", date(2026, 3, 11))
    windows = {
        what.rpartition(" ")[2] for stage, what in house.ran if stage == "staging" and "stg_orders" in what
    }
    assert windows == {"2026-03-02..2026-03-03", f"{TODAY}..{TODAY}"}


def test_a_repeated_tick_is_harmless(house: House) -> None:
    first, again = house.tick("01:00"), house.tick("01:00")
    assert [request.run_key for request in first.run_requests or ()] == [
        request.run_key for request in again.run_requests or ()
    ]


def test_it_goes_on_from_wherever_a_daemon_died(house: House) -> None:
    """Every look is a daemon's first: nothing is remembered but the runs."""
    died = 0
    while (told := house.tick("04:40")).run_requests and died < 40:
        house.run(told.run_requests[0])  # and killed before it launched the others
        died += 1
    assert died > len(STAGES)
    assert house.stages() == STAGES
    assert len(set(house.ran)) == len(house.ran)
    assert house.verdict("batch_done_in_time") == (True, "done, night of 2026-03-10")


def test_a_failed_stage_stops_the_batch_until_a_person_mends_it(house: House) -> None:
    house.failing.add("silver/stg_orders")
    told = house.work("04:40")
    assert told.skip_reason
    assert told.skip_reason.skip_message
    assert "stopped: stage staging" in told.skip_reason.skip_message
    assert house.stages() == STAGES[:4]
    verdict = house.verdict("staging_in_time")
    assert verdict
    assert not verdict[0]
    assert "failed: the batch stops here" in verdict[1]
    assert not house.tick("04:41").asset_events, "told once"
    house.failing.clear()
    [broken] = [run for run in house.instance.get_runs() if run.status is DagsterRunStatus.FAILURE]
    job = house.defs.resolve_implicit_global_asset_job_def()
    again = job.execute_in_process(
        instance=house.instance, asset_selection=list(broken.asset_selection or ()), tags=broken.tags
    )
    assert again.success
    house.work("09:00")
    assert house.stages() == STAGES
    assert house.verdict("staging_in_time") == (True, "ended, night of 2026-03-10")


def test_an_alert_follows_from_a_stage_that_failed(house: House, tmp_path: Path) -> None:
    house.failing.add("landing/shop/orders")
    house.work("01:00")
    settings = load_settings(tmp_path)
    look = Look(house.instance, settings, alerting_of(settings), house.defs.get_repository_def())
    [alert] = [alert for alert in failed_checks(look) if alert.subject.startswith("nightly/")]
    assert alert.key == "CheckFailed/nightly/batch/extract_databases_in_time"
    assert (alert.severity, alert.owner, alert.group) == (Severity.CRITICAL, "team:data", "nightly")


def test_a_failed_test_keeps_the_reflections_as_they_are(house: House) -> None:
    house.work("03:59")
    house.failing.add("gold/metrics:right")
    house.work("04:40")
    assert house.stages() == STAGES[: STAGES.index("tests") + 1]
    verdict = house.verdict("tests_in_time")
    assert verdict
    assert not verdict[0]


def test_a_stage_that_is_late_is_told_while_it_is_at_work(house: House) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.append([house.tick("01:29").asset_events, house.tick("01:31").asset_events])

    house.during = look
    house.work("01:00")
    [[in_time, late]] = seen
    assert in_time == []
    [told] = late
    assert told.check_name == "extract_databases_in_time"
    assert told.severity is dg.AssetCheckSeverity.WARN
    assert told.description
    assert told.description.startswith("not ended by 01:30: run ")
    house.during = lambda: None
    house.tick("01:32")
    assert house.verdict("extract_databases_in_time") == (True, "ended, night of 2026-03-10")


def test_a_night_that_did_not_begin_is_told(house: House) -> None:
    house.work("04:40")
    house.tick("04:46", date(2026, 3, 11))
    verdict = house.verdict("batch_done_in_time")
    assert verdict
    assert not verdict[0]
    assert "2026-03-11 is not done by 04:45" in verdict[1]
    assert not house.tick("06:00", date(2026, 3, 11)).run_requests


def test_hours_are_those_of_the_time_zone() -> None:
    paris = ZoneInfo("Europe/Paris")
    first = declared_batch().stages[0].begin
    night = Night.of(datetime(2026, 7, 9, 23, 30, tzinfo=UTC), first, paris)
    assert night.date == date(2026, 7, 10)
    assert night.at(first).astimezone(UTC) == datetime(2026, 7, 9, 23, 0, tzinfo=UTC)
    assert Night.of(datetime(2026, 7, 9, 22, 30, tzinfo=UTC), first, paris).date == date(2026, 7, 9)


def test_the_sensor_goes_on_with_it(house: House) -> None:
    sensor = house.defs.get_repository_def().get_sensor_def("nightly")
    context = dg.build_sensor_context(instance=house.instance, repository_def=house.defs.get_repository_def())
    told = sensor.evaluate_tick(context)
    assert told.run_requests or told.skip_message


def test_its_checks_can_be_run_by_a_person(house: House) -> None:
    house.work("04:40")
    job = house.defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_check_selection=set(house.graph.get(BATCH).check_keys)
    )
    assert job.execute_in_process(instance=house.instance).success


def test_every_asset_of_the_lakehouse_is_in_one_stage() -> None:
    graph = graph_of("production").resolve_asset_graph()
    stages = assets_of(declared_batch(), graph)
    built = [key for stage in declared_batch().stages if not stage.tests for key in stages[stage.name]]
    assert len(built) == len(set(built))
    assert set(built) == set(graph.materializable_asset_keys)
    assert {key.path[1] for key in stages["extract_databases"]} == {"shop"}
    assert {key.path[1] for key in stages["extract_apis"]} == {"flights"}


def test_it_is_registered_where_the_environment_names_it() -> None:
    for name, environment in environments().items():
        repository = graph_of(name).get_repository_def()
        assert repository.has_sensor_def("nightly") == environment.runs("nightly")
        assert repository.asset_graph.has(BATCH) == environment.runs("nightly")


ONE = '{name: a, begin: "01:30", budget: 5m, selection: "*"}'


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ("", r"nightly\.yaml: stages: Tuple should have at least 1 item"),
        (ONE.replace('"01:30"', "10:30"), r"stages\.0\.begin: is no hour; write it in quotes"),
        (ONE.replace("{", "{test: true, "), r"nightly\.yaml: stages\.0\.test: unknown key$"),
        (ONE.replace("*", "group silver"), r"stages\.0\.selection: Invalid selection string: group silver"),
        (ONE.replace("01:30", "04:45"), r"nightly\.yaml: done_by is before the last stage begins"),
        (f"{ONE}, {ONE}", "stage a is declared twice"),
        (
            f"{ONE}, {ONE.replace('01:30', '01:00').replace('a,', 'b,')}",
            "stage b begins before a, which it follows",
        ),
    ],
)
def test_what_is_declared_wrongly_is_refused(tmp_path: Path, stages: str, told: str) -> None:
    file = tmp_path / "nightly.yaml"
    file.write_text(f'{{done_by: "04:45", stages: [{stages}]}}')
    with pytest.raises(ConfigurationError, match=told):
        declared_batch(file)
