"""`<home>/dagster`: the instance directory of the stack's Dagster (DAGSTER_HOME)."""

from __future__ import annotations

from pathlib import Path

_MARK = "# Written by the lakehouse stack at every start; remove this line to keep your own changes."

_INSTANCE = f"""{_MARK}
telemetry:
  enabled: false
nux:
  enabled: false

freshness:
  enabled: true

# A laptop runs few things at once; runs over the limit queue. The pool limit is per pool name: dbt, and the
# engine behind it, take one writer at a time.
concurrency:
  pools:
    default_limit: 1
    granularity: run
  runs:
    max_concurrent_runs: 2

# A run whose process was killed is found and marked failed.
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  poll_interval_seconds: 15
run_retries:
  enabled: true
  max_retries: 0
  retry_on_asset_or_op_failure: false

# Runs are forked from a process that has everything imported: one begins in about a second.
run_launcher:
  module: lakehouse.embedded.warm_runs.launcher
  class: WarmRunLauncher
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1

schedules:
  use_threads: true
  num_workers: 2
sensors:
  use_threads: true
  num_workers: 2

retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days:
      skipped: 2
      failure: 30
      success: 30
  auto_materialize:
    purge_after_days:
      skipped: 2
"""

_EVENT_LOG = """
# Writes the events of a range of partitions in one transaction instead of one by one.
event_log_storage:
  module: lakehouse.observability.event_log
  class: BatchingSqliteEventLogStorage
  config:
    base_dir: {base_dir}
"""

_WORKSPACE = """{mark}
load_from:
  - grpc_server:
      host: {host}
      port: {port}
      location_name: lakehouse
"""


def dagster_home(home: Path) -> Path:
    """DAGSTER_HOME for this home directory; exists afterwards, with its `dagster.yaml`."""
    directory = home / "dagster"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(directory / "dagster.yaml", _INSTANCE + _EVENT_LOG.format(base_dir=directory / "history" / "runs"))
    return directory


def write_dagster_home(home: Path, *, code_host: str, code_port: int) -> Path:
    """Make the instance directory ready for a stack whose code server listens at this address."""
    directory = dagster_home(home)
    _write(directory / "workspace.yaml", _WORKSPACE.format(mark=_MARK, host=code_host, port=code_port))
    return directory


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text().startswith(_MARK):
        path.write_text(text)
