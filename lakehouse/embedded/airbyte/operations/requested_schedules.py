"""The schedule that a request asks for, in the words of either API."""

from __future__ import annotations

from typing import Literal

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.configuration_requests import ConnectionBody
from lakehouse.embedded.airbyte.quartz import CronError, is_time_zone
from lakehouse.embedded.airbyte.requests import ScheduleRequest
from lakehouse.embedded.airbyte.schedules import Schedule

Asked = Schedule | Literal["manual"] | None
"""A schedule, none at all, or None where the request says nothing about it."""


def of_public_api(body: ScheduleRequest | None) -> Asked:
    """The `schedule` of the public API. Raises ApiError.

    A time zone may follow the expression, as UTC does in Airbyte's own examples.
    """
    if body is None:
        return None
    if body.schedule_type == "manual":
        if body.cron_expression:
            raise ApiError(400, "schedule: cronExpression belongs to scheduleType cron")
        return "manual"
    fields, zone = (body.cron_expression or "").split(), "UTC"
    if fields and is_time_zone(fields[-1]):
        zone = fields.pop()
    if not fields:
        raise ApiError(400, "schedule: scheduleType cron needs cronExpression, such as 0 0 * * * ?")
    return _cron("schedule", " ".join(fields), zone)


def of_configuration_api(body: ConnectionBody) -> Asked:
    """The `scheduleType` and `scheduleData` of the configuration API. Raises ApiError."""
    data = body.schedule_data
    basic, cron = (None, None) if data is None else (data.basic_schedule, data.cron)
    if body.schedule_type in (None, "manual"):
        if basic is not None or cron is not None:
            raise ApiError(400, "scheduleData belongs to scheduleType basic or cron")
        return "manual" if body.schedule_type else None
    if body.schedule_type == "basic":
        if basic is None or cron is not None:
            raise ApiError(400, "scheduleType basic needs scheduleData.basicSchedule, and nothing else")
        return Schedule(time_unit=basic.time_unit, units=basic.units)
    if cron is None or basic is not None:
        raise ApiError(400, "scheduleType cron needs scheduleData.cron, and nothing else")
    return _cron("scheduleData.cron", cron.cron_expression, cron.cron_time_zone)


def _cron(field: str, expression: str, zone: str) -> Schedule:
    try:
        return Schedule.of_cron(expression, zone)
    except CronError as error:
        raise ApiError(400, f"{field}: {error}") from error
