"""Sensors and schedules whose ticks fail."""

from __future__ import annotations

from collections.abc import Iterator

from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType, TickStatus

from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity


def failed_ticks(look: Look) -> Iterator[Alert]:
    """One alert a sensor whose last ticks all failed, or a schedule whose last one did; stopped ones never."""
    known = {sensor.name for sensor in look.repository.sensor_defs}
    known |= {schedule.name for schedule in look.repository.schedule_defs}
    states = [
        state
        for state in look.instance.all_instigator_state()
        if state.status is not InstigatorStatus.STOPPED and state.instigator_name in known
    ]
    # One more than are needed: the newest may be at work. (Asked for statuses, Dagster 1.13 fails here.)
    ticks = look.instance.get_batch_ticks(
        [state.selector_id for state in states], limit=look.alerting.failed_ticks + 1
    )
    for state in states:
        kind = "schedule" if state.instigator_type is InstigatorType.SCHEDULE else "sensor"
        needed = 1 if kind == "schedule" else look.alerting.failed_ticks
        ended = [tick for tick in ticks.get(state.selector_id, []) if tick.status is not TickStatus.STARTED]
        newest = ended[:needed]
        if len(newest) == needed and all(tick.status is TickStatus.FAILURE for tick in newest):
            error = newest[0].error
            cause = (error.cause or error) if error else None
            why = " ".join(cause.message.split()) if cause else "it does not say why"
            yield Alert(
                name=AlertName.TICK_FAILED,
                subject=f"{kind}/{state.instigator_name}",
                severity=Severity.CRITICAL,
                summary=f"{kind} {state.instigator_name} fails: {why}",
            )
