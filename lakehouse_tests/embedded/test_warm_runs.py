"""Runs forked from a warm process: by a real instance, a real code server and the launcher that the stack uses."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster import DagsterRunStatus

from lakehouse.embedded.dagster_home import dagster_home
from lakehouse.embedded.warm_runs.launcher import PROCESS, WarmRunLauncher
from lakehouse.embedded.warm_runs.warm_process import WarmProcess, WarmProcessError

pytestmark = pytest.mark.slow
LOCATION = """
    import os, time
    import dagster as dg

    LOADED_BY = os.getpid()

    @dg.asset
    def quick(context: dg.AssetExecutionContext):
        context.log.info(f"loaded by {LOADED_BY}, run by {os.getpid()}")
        return dg.MaterializeResult(metadata={"loaded_by": LOADED_BY, "run_by": os.getpid()})

    @dg.asset
    def slow():
        time.sleep(120)

    jobs = [dg.define_asset_job(f"only_{name}", [name]) for name in ("quick", "slow")]
    defs = dg.Definitions([quick, slow], jobs=jobs, executor=dg.in_process_executor)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A code location of its own, on the path of this process and of those that it starts."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "warm_location.py").write_text(textwrap.dedent(LOCATION))
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(str(folder))
    name = "warm_location"
    sys.modules.pop(name, None)
    return name


@pytest.fixture
def launch(tmp_path: Path, module: str) -> Iterator[Callable[[str], tuple[dg.DagsterInstance, str]]]:
    """Launches an asset's run as the daemon does, and gives the instance and the run's id."""
    from dagster._core.test_utils import (
        create_run_for_test,  # a run with the origin that a code server gives it
    )
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import ModuleTarget

    instance = dg.DagsterInstance.from_config(str(dagster_home(tmp_path)))
    target = ModuleTarget(module, None, str(tmp_path), "warm_location")
    with WorkspaceProcessContext(instance, target) as context:

        def launch(asset: str) -> tuple[dg.DagsterInstance, str]:
            workspace = context.create_request_context()
            repository = workspace.get_code_location("warm_location").get_repository("__repository__")
            job = repository.get_full_job(f"only_{asset}")
            plan = workspace.get_execution_plan(job, {}, None, None)
            run = create_run_for_test(
                instance,
                job_name=f"only_{asset}",
                remote_job_origin=job.get_remote_origin(),
                job_code_origin=job.get_python_origin(),
                job_snapshot=job.job_snapshot,
                execution_plan_snapshot=plan.execution_plan_snapshot,
                status=DagsterRunStatus.NOT_STARTED,
            )
            instance.launch_run(run.run_id, workspace)
            return instance, run.run_id

        yield launch
    instance.dispose()


def wait_for(instance: dg.DagsterInstance, run_id: str, *statuses: DagsterRunStatus) -> dg.DagsterRun:
    for _ in range(600):
        run = instance.get_run_by_id(run_id)
        assert run is not None
        if run.status in statuses:
            return run
        time.sleep(0.1)
    raise AssertionError(f"run is {run.status}")


def test_a_run_is_a_process_of_its_own_that_imported_nothing(
    launch: Callable[..., tuple[dg.DagsterInstance, str]],
) -> None:
    assert isinstance(launch("quick")[0].run_launcher, WarmRunLauncher)
    processes = set()
    for _ in range(2):
        instance, run_id = launch("quick")
        run = wait_for(instance, run_id, DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE)
        assert run.is_success
        made = instance.get_latest_materialization_event(dg.AssetKey("quick"))
        told = made.asset_materialization.metadata if made and made.asset_materialization else {}
        assert told["loaded_by"].value != told["run_by"].value
        processes.add((told["loaded_by"].value, told["run_by"].value))
    assert len({loaded for loaded, _ in processes}) == 1
    assert len(processes) == 2


def test_a_run_is_terminated(launch: Callable[..., tuple[dg.DagsterInstance, str]]) -> None:
    instance, run_id = launch("slow")
    wait_for(instance, run_id, DagsterRunStatus.STARTED)
    assert instance.run_launcher.terminate(run_id)
    wait_for(instance, run_id, DagsterRunStatus.CANCELED)


def test_a_killed_run_is_found_by_run_monitoring(
    launch: Callable[..., tuple[dg.DagsterInstance, str]],
) -> None:
    instance, run_id = launch("slow")
    run = wait_for(instance, run_id, DagsterRunStatus.STARTED)
    launcher = instance.run_launcher
    assert launcher.check_run_worker_health(run).status.name == "RUNNING"
    pid = int(run.tags[PROCESS].split(":")[1])
    os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if not psutil.pid_exists(pid):
            break
        time.sleep(0.05)
    assert launcher.check_run_worker_health(run).status.name == "FAILED"
    assert not launcher.terminate(run_id)


def test_newer_code_makes_it_stale_and_its_death_is_seen(module: str, tmp_path: Path) -> None:
    warm = WarmProcess(module)
    assert warm.fork(["--version"]) > 0
    assert warm.is_current()
    later = time.time() + 5
    os.utime(tmp_path / "code" / "warm_location.py", (later, later))
    assert not warm.is_current()
    warm.close()


def test_code_that_does_not_load_is_told(module: str, tmp_path: Path) -> None:
    (tmp_path / "code" / "warm_location.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(WarmProcessError, match=r"warm_location: the process .* has ended, exit code 1"):
        WarmProcess(module).fork(["--version"])
