"""Jobs on the public API."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.api.filters import JOB_FILTERS, job_order, jobs
from lakehouse.embedded.airbyte.api.job_views import public_job
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.requests import CreateJob
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Row


def operations(service: Service) -> list[Operation]:
    """The calls for jobs."""
    api = _Jobs(service)
    return [
        Operation("GET", "/jobs", api.list, "List jobs", query=JOB_FILTERS, paged=True),
        Operation("POST", "/jobs", api.create, "Start a job; 409 while one runs", body=CreateJob),
        Operation("GET", "/jobs/{jobId:int}", api.get, "Get a job"),
        Operation("DELETE", "/jobs/{jobId:int}", api.cancel, "Cancel a job"),
    ]


class _Jobs:
    def __init__(self, service: Service) -> None:
        self._service = service

    def _job(self, call: Call) -> Row:
        return self._service.jobs.get(call.path["jobId"])

    def _shown(self, row: Row) -> dict[str, Any]:
        return public_job(row, self._service.jobs.attempts(row))

    async def list(self, call: Call) -> Any:
        query = call.query
        rows = self._service.store.page("jobs", jobs(query), job_order(query), query.limit, query.offset)
        return query.page([self._shown(row) for row in rows])

    async def create(self, call: Call) -> Any:
        given: CreateJob = call.body
        connection = self._service.connections.get(given.connection_id)
        return self._shown(await self._service.jobs.start(connection, given.job_type))

    async def get(self, call: Call) -> Any:
        return self._shown(self._job(call))

    async def cancel(self, call: Call) -> Any:
        return self._shown(await self._service.jobs.cancel(self._job(call)))
