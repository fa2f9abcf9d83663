"""What people do in Dagster's UI, through the API behind it: a real code server, run process and Airbyte job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster_graphql.cli import execute_query

from lakehouse_tests.defs.ingestion import location
from lakehouse_tests.defs.ingestion.site import THINGS, Live, Site, until
from lakehouse_tests.embedded.airbyte.fixtures import processes_with, unique

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]

INSTANCE = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
"""
LAUNCH = """
mutation ($job: String!) {
  launchRun(executionParams: {mode: "default", runConfigData: {}, selector: {
    repositoryLocationName: "site", repositoryName: "__repository__", jobName: $job}}) {
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    __typename
  }
}
"""
TICK = """
mutation ($sensor: String!) {
  sensorDryRun(cursor: null, selectorData: {
    repositoryLocationName: "site", repositoryName: "__repository__", sensorName: $sensor}) {
    ... on DryRunInstigationTick { evaluationResult { cursor skipReason error { message } } }
    ... on PythonError { message }
  }
}
"""
TERMINATE = """
mutation ($run: String!) { terminateRun(runId: $run) { __typename ... on TerminateRunFailure { message } } }
"""


@dataclass(frozen=True)
class Dagster:
    """Dagster with a code server in a process of its own, which starts a process for each run."""

    instance: dg.DagsterInstance
    process: WorkspaceProcessContext
    live: list[Live]
    markers: list[str]

    def launch(self, live: Live) -> str:
        """The id of a run that syncs the connection."""
        answer = self._ask(LAUNCH, job=f"sync_{live.declared.name}")["launchRun"]
        assert "run" in answer, answer
        return str(answer["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        assert self._ask(TERMINATE, run=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def tick(self, live: Live) -> Any:
        """A tick of the connection's sensor in the code server, of which nothing is kept."""
        answer = self._ask(TICK, sensor=f"airbyte_{live.declared.name}_landed")["sensorDryRun"]
        assert "evaluationResult" in answer, answer
        return answer["evaluationResult"]

    def is_canceled(self, run_id: str) -> bool:
        run = self.instance.get_run_by_id(run_id)
        return run is not None and run.status == dg.DagsterRunStatus.CANCELED

    def says(self, run_id: str, text: str) -> bool:
        """Whether the run's log has such a line."""
        return any(text in entry.user_message for entry in self.instance.all_logs(run_id))

    def _ask(self, query: str, **variables: Any) -> Any:
        answer = execute_query(self.process, query, variables)
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture(scope="module")
def dagster(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    markers = [unique("termination-marker") for _ in range(2)]
    live = [site.connect("fake", {"mode": "stubborn", "marker": marker}, THINGS) for marker in markers]
    live.append(site.connect("fake", {"mode": "good"}, THINGS))
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text(INSTANCE)
    target = ModuleTarget(location.__name__, "defs", str(Path(__file__).parents[3]), "site")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(home))
        environment.setenv(location.HOME, str(site.home))
        environment.setenv(location.NAMES, " ".join(one.declared.name for one in live))
        with (
            dg.DagsterInstance.from_config(str(home)) as instance,
            WorkspaceProcessContext(instance, target) as process,
        ):
            yield Dagster(instance, process, live, markers)


def status(live: Live) -> str:
    """Of the connection's only job."""
    jobs = live.site.server.call("GET", f"{live.site.server.public}/jobs?connectionId={live.made.id}")["data"]
    assert len(jobs) <= 1
    return str(jobs[0]["status"]) if jobs else "none"


def test_a_terminated_run_cancels_its_job_and_the_connector_is_killed(dagster: Dagster) -> None:
    live, marker = dagster.live[0], dagster.markers[0]
    run = dagster.launch(live)
    until(lambda: len(processes_with(marker)) == 1, 60)
    assert status(live) == "running"
    dagster.terminate(run)
    until(lambda: dagster.is_canceled(run), 60)
    assert status(live) == "cancelled"
    until(lambda: processes_with(marker) == [])


def test_a_job_of_somebody_else_outlives_the_run_that_joined_it(dagster: Dagster) -> None:
    live, marker = dagster.live[1], dagster.markers[1]
    job = live.made.start()
    until(lambda: len(processes_with(marker)) == 1)
    run = dagster.launch(live)
    until(lambda: dagster.says(run, f"Airbyte job {job['jobId']} of this connection is running already"), 60)
    dagster.terminate(run)
    until(lambda: dagster.is_canceled(run), 60)
    assert status(live) == "running"
    assert len(processes_with(marker)) == 1
    live.site.server.call("DELETE", f"{live.site.server.public}/jobs/{job['jobId']}")
    until(lambda: processes_with(marker) == [])


def test_the_sensor_answers_the_daemon(dagster: Dagster) -> None:
    live = dagster.live[2]
    assert dagster.tick(live)["skipReason"].startswith(f"nothing new from connection {live.declared.name}")
    job = live.made.sync()
    told = dagster.tick(live)
    # Two events: what was landed, and that the sync succeeded.
    assert told["error"] is None
    assert told["skipReason"].startswith(f"2 events of connection {live.declared.name} of Airbyte at http")
    assert json.loads(told["cursor"])["job"] == job["jobId"]
