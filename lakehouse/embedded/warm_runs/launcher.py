"""Dagster's run launcher of the laptop stack: a run begins in about a second instead of ten.

Dagster's own launcher starts an interpreter for each run, which imports everything and loads the graph again. Here a
run is forked from a process that has done so. It is a process of its own all the same: it can be killed, terminated
and looked after by Dagster's run monitoring. `dagster.yaml`:

    run_launcher:
      module: lakehouse.embedded.warm_runs.launcher
      class: WarmRunLauncher
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Mapping
from typing import Any

import psutil
from dagster import DagsterRun

# What run launchers are made of has no public path; Dagster's own launchers for Docker and Kubernetes use the same.
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.origin import JobPythonOrigin
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from lakehouse.embedded.warm_runs.warm_process import WarmProcess, WarmProcessError

PROCESS = "lakehouse/run_process"
"""Host, process id, and when the process began: ids are used again."""


class WarmRunLauncher(RunLauncher, ConfigurableClass):
    """Forks runs from one warm process, which is made anew when the code on disk is newer."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()
        self._inst_data = inst_data
        self._warm: WarmProcess | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """None: a run says which module it is of."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> WarmRunLauncher:
        """How Dagster makes the class that dagster.yaml names."""
        return cls(inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Begin a run. Raises WarmProcessError when the code cannot be loaded; Dagster fails the run with it."""
        run = context.dagster_run
        origin = run.job_code_origin
        if origin is None:
            raise ValueError(f"run {run.run_id} does not say which code it is of")
        arguments = ExecuteRunArgs(
            job_origin=origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        ).get_command_args()
        pid = self._process(_module_of(origin)).fork(list(arguments[arguments.index("api") :]))
        self._instance.add_run_tags(run.run_id, {PROCESS: _name(pid)})
        self._instance.report_engine_event(f"Started process {pid} for the run.", run, cls=type(self))

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run's process, from whichever process of the stack; False when it is gone."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        process = _process_of(run)
        if process is None:
            return False
        process.send_signal(signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives."""
        if PROCESS in run.tags and _process_of(run) is None:
            return CheckRunHealthResult(WorkerStatus.FAILED, "the process of the run is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def dispose(self) -> None:
        """Let go of the warm process; runs go on."""
        if self._warm is not None:
            self._warm.close()
            self._warm = None

    def _process(self, module: str) -> WarmProcess:
        with self._one_at_a_time:
            if self._warm is None or self._warm.module != module or not self._warm.is_current():
                self.dispose()
                self._warm = WarmProcess(module)
            return self._warm


def _module_of(origin: JobPythonOrigin) -> str:
    pointer = origin.repository_origin.code_pointer
    if not isinstance(pointer, ModuleCodePointer):
        raise WarmProcessError(
            "is loaded from a file, not from a module",
            where=pointer.describe(),
            remedy="name a python_module",
        )
    return pointer.module


def _name(pid: int) -> str:
    try:
        began = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it was quick
        began = 0.0
    return f"{socket.gethostname()}:{pid}:{began:.2f}"


def _process_of(run: DagsterRun) -> psutil.Process | None:
    """The run's process, while it lives on this machine."""
    host, _, place = run.tags.get(PROCESS, "").partition(":")
    if host != socket.gethostname():
        return None
    pid, _, began = place.partition(":")
    try:
        process = psutil.Process(int(pid))
        is_it = f"{process.create_time():.2f}" == began and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if is_it and process.pid != os.getpid() else None
