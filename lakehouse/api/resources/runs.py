"""Runs of Dagster, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import dagster as dg
import msgspec

from lakehouse.api.platform import Platform
from lakehouse.api.problems import ApiError
from lakehouse.defs.automation.why import why

if TYPE_CHECKING:
    from dagster._core.storage.dagster_run import RunRecord

RunId = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="a run's id")
]
Status = Literal[
    "queued", "not_started", "starting", "started", "success", "failure", "canceling", "canceled"
]
_PAGE = Annotated[int, msgspec.Meta(ge=1, le=200, description="the most runs to answer")]


class Run(msgspec.Struct):
    run_id: str
    job: str
    status: str
    why: str
    """schedule, changes, automation, backfill, refresh or person."""
    created: datetime
    started: datetime | None
    ended: datetime | None
    seconds: float | None
    datasets: list[str]
    """Those that it was to make; empty for a job of no assets."""
    partitions: list[str]
    """None, one, or the first and the last."""


class RunList(msgspec.Struct):
    items: list[Run]
    next: str | None
    """The `cursor` of the following page; null on the last one."""


class RunsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: Status | None = None
    cursor: RunId | None = None
    limit: _PAGE = 50


class RunWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run_id: RunId


class Runs:
    """Both operations."""

    def __init__(self, platform: Platform) -> None:
        self._instance = platform.instance

    def list_runs(self, wanted: RunsWanted) -> RunList:
        statuses = [dg.DagsterRunStatus(wanted.status.upper())] if wanted.status else []
        if wanted.cursor is not None and not self._instance.has_run(wanted.cursor):
            raise ApiError(400, f"cursor: no run has the id {wanted.cursor}")
        records = self._instance.get_run_records(
            dg.RunsFilter(statuses=statuses), limit=wanted.limit + 1, cursor=wanted.cursor
        )
        page = [run_of(record) for record in records[: wanted.limit]]
        return RunList(page, page[-1].run_id if len(records) > wanted.limit else None)

    def get_run(self, wanted: RunWanted) -> Run:
        record = self._instance.get_run_record_by_id(wanted.run_id)
        if record is None:
            raise ApiError(404, f"no run has the id {wanted.run_id}")
        return run_of(record)


def run_of(record: RunRecord) -> Run:
    """A run as the API tells it."""
    run = record.dagster_run
    begun, ended = record.start_time, record.end_time
    return Run(
        run.run_id,
        run.job_name,
        run.status.value.lower(),
        why(run),
        record.create_timestamp.replace(tzinfo=UTC),
        _moment(begun),
        _moment(ended),
        round(ended - begun, 3) if begun and ended else None,
        sorted(key.to_user_string() for key in run.asset_selection or ()),
        _partitions(run),
    )


def _partitions(run: dg.DagsterRun) -> list[str]:
    if one := run.tags.get("dagster/partition"):
        return [one]
    ends = [run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    return [end for end in ends if end]


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
