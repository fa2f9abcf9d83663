"""Dagster's runs: their events, and what their steps printed, through the webserver's GraphQL.

Of every run that is not done the spool keeps how far it was read: the cursor and number of events, and the same for the
file of each step. A run that ended is looked at once more a minute later, since some events come late, and is done then.
`dagster seen` holds up to when runs were looked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lakehouse.clients.dagster import FINISHED, DagsterClient, RunState
from lakehouse.observability.logs.record import LogRecord, level_of, moment, record_id, shortened
from lakehouse.observability.logs.spool import Collected, Spool

_SEEN, _RUN = "dagster seen", "dagster run "
_OVERLAP_SECONDS = 60.0
_LATE_SECONDS = 60.0
_LOOK_SECONDS = 2.0
_EVENTS_AT_ONCE = 1000
_BYTES_AT_ONCE = 2**18
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[+-]\d\d:?\d\d|Z)?)")
_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)\b")


class DagsterRuns:
    """Events become records of the service `dagster`, printed lines records of `dagster-steps`."""

    name = "dagster"
    every_seconds = 3.0

    def __init__(self, client: DagsterClient, spool: Spool, *, oldest_days: int) -> None:
        """Runs that ended longer ago than `oldest_days` at the first look are left out."""
        self._client, self._spool = client, spool
        kept = spool.positions(_SEEN)
        self._seen: float = kept.get(_SEEN, time.time() - oldest_days * 86_400)
        self._runs: dict[str, dict[str, Any]] = spool.positions(_RUN)
        self._looked: dict[str, float] = {}

    def look(self) -> Iterator[Collected]:
        """What is new of the runs that are not done, each by itself."""
        yield from self._new_runs()
        began = time.monotonic()
        for key in sorted(
            self._runs, key=lambda key: (self._looked.get(key, 0.0), self._runs[key]["updated"])
        ):
            state = self._runs[key]
            if time.monotonic() - began > _LOOK_SECONDS:
                return  # other sources have their turn; what was not looked at comes first the next time
            if not state.get("done") and time.time() >= state.get("again", 0.0):
                self._looked[key] = time.monotonic()
                yield from self._of_run(key, key.removeprefix(_RUN))
        yield from self._forget()

    def _new_runs(self) -> Iterator[Collected]:
        found = self._client.runs(self._seen - _OVERLAP_SECONDS)
        newest = max([self._seen, *(run.updated for run in found)])
        fresh = {
            f"{_RUN}{run.run_id}": {"updated": run.updated}
            for run in found
            if f"{_RUN}{run.run_id}" not in self._runs
        }
        if fresh or newest > self._seen:
            yield Collected([], {**fresh, _SEEN: newest})
            self._runs |= fresh
            self._seen = newest

    def _of_run(self, key: str, run_id: str) -> Iterator[Collected]:
        # Asked before the events: what a finished run has is then all there.
        run = self._client.run(run_id)
        if run is None:
            yield from self._keep(key, [], None)
            return
        while True:
            state = self._runs[key]
            read = self._client.events(run_id, state.get("cursor"), _EVENTS_AT_ONCE)
            if read is None:
                yield from self._keep(key, [], None)
                return
            count = state.get("events", 0)
            files = dict.fromkeys(event["fileKey"] for event in read.events if event.get("fileKey"))
            if read.events:
                records = [_event(run_id, count + n, event) for n, event in enumerate(read.events)]
                steps = {**{name: {} for name in files}, **state.get("steps", {})}
                more = {"cursor": read.cursor, "events": count + len(read.events), "steps": steps}
                yield from self._keep(key, records, {**state, **more})
            if not read.more:
                break
        done = _is_over(run)
        for name in self._runs[key].get("steps", {}):
            yield from self._printed(key, run, name, last=done)
        if done:
            yield from self._keep(key, [], {"done": True, "updated": run.updated})
        elif run.status in FINISHED:
            yield from self._keep(key, [], {**self._runs[key], "again": _end(run) + _LATE_SECONDS})

    def _printed(self, key: str, run: RunState, name: str, *, last: bool) -> Iterator[Collected]:
        while True:
            state = self._runs[key]
            step = state["steps"][name]
            read = self._client.printed(run.run_id, name, step.get("cursor"), _BYTES_AT_ONCE)
            if not read.stdout and not read.stderr and not (last and (step.get("out") or step.get("err"))):
                return
            now = moment(run.ended, datetime.now(UTC))
            lines = step.get("lines", 0)
            out, out_rest = _lines(step.get("out", "") + read.stdout, last=last and not read.stdout)
            err, err_rest = _lines(step.get("err", "") + read.stderr, last=last and not read.stderr)
            records = [
                _line(run.run_id, name, lines + number, text, now)
                for number, text in enumerate([*out, *err])
                if text.strip()
            ]
            after = {
                "cursor": read.cursor,
                "lines": lines + len(out) + len(err),
                "out": out_rest,
                "err": err_rest,
            }
            kept = {**state, "steps": {**state["steps"], name: after}}
            yield from self._keep(key, records, kept)

    def _keep(self, key: str, records: list[LogRecord], state: dict[str, Any] | None) -> Iterator[Collected]:
        yield Collected(records, {key: state})
        if state is None:
            self._runs.pop(key, None)
        else:
            self._runs[key] = state

    def _forget(self) -> Iterator[Collected]:
        """Runs that are done, once no look can meet them again."""
        over = self._seen - 10 * _OVERLAP_SECONDS
        old = [key for key, state in self._runs.items() if state.get("done") and state["updated"] < over]
        if old:
            yield Collected([], dict.fromkeys(old))
            for key in old:
                del self._runs[key]
                self._looked.pop(key, None)


def _is_over(run: RunState) -> bool:
    return run.status in FINISHED and time.time() >= _end(run) + _LATE_SECONDS


def _end(run: RunState) -> float:
    return run.ended or run.updated


def _event(run_id: str, number: int, event: dict[str, Any]) -> LogRecord:
    error = event.get("error") or {}
    told = [event["message"], error.get("message"), (error.get("cause") or {}).get("message")]
    key = event.get("assetKey") or {}
    return LogRecord(
        id=record_id(f"dagster run {run_id}", number),
        timestamp=moment(float(event["timestamp"]) / 1000, datetime.now(UTC)),
        level=level_of(event["level"]),
        service="dagster",
        message=shortened("\n".join([text.rstrip() for text in told if text] + (error.get("stack") or []))),
        run_id=run_id,
        asset="/".join(key["path"]) if key else None,
        partition=event.get("partition"),
    )


def _line(run_id: str, name: str, number: int, text: str, now: datetime) -> LogRecord:
    stamp, level = _STAMP.match(text), _LEVEL.search(text[:120])
    return LogRecord(
        id=record_id(f"dagster step {run_id} {name}", number),
        timestamp=moment(stamp[1].replace(",", ".").replace(" +", "+") if stamp else None, now),
        level=level_of(level[1]) if level else "INFO",
        service="dagster-steps",
        message=shortened(text),
        run_id=run_id,
    )


def _lines(text: str, *, last: bool) -> tuple[list[str], str]:
    """Whole lines, and the beginning of one that is not whole yet; at the end that is a line too."""
    whole, end, rest = text.rpartition("\n")
    if last:
        whole, end, rest = text, "\n" if text else "", ""
    return (whole.split("\n") if end else []), rest
