"""Jobs and their attempts on the configuration API."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from lakehouse.embedded.airbyte.api.job_views import config_attempt, config_job, config_job_info
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.configuration_requests import AttemptOfJob, JobId, ListJobs
from lakehouse.embedded.airbyte.operations.lookup import found
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Condition, Row

_NEWEST_FIRST = "created_at DESC, id DESC"


def operations(service: Service) -> list[Operation]:
    """The calls for jobs."""
    api = _Jobs(service)
    return [
        Operation("POST", "/jobs/list", api.list, "List jobs, newest first", body=ListJobs),
        Operation("POST", "/jobs/get", api.get, "Get a job with its attempts and log", body=JobId),
        Operation("POST", "/jobs/cancel", api.cancel, "Cancel a job", body=JobId),
        Operation("POST", "/jobs/get_debug_info", api.debug, "Get a job with all about it", body=JobId),
        Operation("POST", "/attempt/get_for_job", api.attempt, "Get one attempt", body=AttemptOfJob),
    ]


class _Jobs:
    def __init__(self, service: Service) -> None:
        self._service = service

    def _shown(self, job: Row) -> dict[str, Any]:
        jobs = self._service.jobs
        return config_job_info(job, jobs.attempts(job), jobs.log_lines(job))

    async def list(self, call: Call) -> Any:
        given: ListJobs = call.body
        types = [{"reset_connection": "reset"}.get(name, name) for name in given.config_types]
        conditions: list[Condition] = [("type IN (SELECT value FROM json_each(?))", json.dumps(types))]
        if given.config_id is not None:
            conditions.append(("connection_id = ?", given.config_id))
        if given.status is not None:
            conditions.append(("status = ?", given.status))
        size, store, jobs = given.pagination.page_size, self._service.store, self._service.jobs
        rows = store.page("jobs", conditions, _NEWEST_FIRST, size, given.pagination.row_offset)[:size]
        shown = [(config_job(row, attempts), attempts) for row in rows for attempts in (jobs.attempts(row),)]
        return {
            "jobs": [{"job": job, "attempts": [config_attempt(one) for one in past]} for job, past in shown],
            "totalJobCount": store.count("jobs", conditions),
        }

    async def get(self, call: Call) -> Any:
        return self._shown(self._service.jobs.get(call.body.id))

    async def cancel(self, call: Call) -> Any:
        return self._shown(await self._service.jobs.cancel(self._service.jobs.get(call.body.id)))

    async def debug(self, call: Call) -> Any:
        shown = self._shown(self._service.jobs.get(call.body.id))
        return {**shown, "job": {**shown["job"], "airbyteVersion": version("lakehouse")}}

    async def attempt(self, call: Call) -> Any:
        given: AttemptOfJob = call.body
        attempts = self._shown(self._service.jobs.get(given.job_id))["attempts"]
        wanted = attempts[given.attempt_number] if given.attempt_number < len(attempts) else None
        return found(wanted, f"attempt of job {given.job_id} with number", given.attempt_number)
