"""The sensor that looks for alerts."""

from __future__ import annotations

import dagster as dg

from lakehouse.defs.resources import LakehouseResource

SECONDS = 15


@dg.sensor(
    name="alerts",
    description="Looks for what is wrong, and tells each change once: see docs/alerts.md.",
    minimum_interval_seconds=SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alerts_sensor(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> dg.SkipReason:
    """One look. It keeps no cursor: what it found and what is to be told is in the store of the home directory."""
    from lakehouse.defs.failures import as_failures
    from lakehouse.defs.monitoring.declaration import alerting_of
    from lakehouse.defs.monitoring.evaluate import evaluate, tell_outside
    from lakehouse.defs.monitoring.look import Look
    from lakehouse.observability.alerts.store import alert_store

    repository = context.repository_def
    if repository is None:
        raise dg.DagsterInvariantViolationError("a sensor without its repository knows no assets")
    settings = lakehouse.settings
    with as_failures():
        look = Look(context.instance, settings, alerting_of(settings), repository)
        evaluated = evaluate(look, alert_store(settings))
        tell_outside(look)
    return dg.SkipReason(evaluated.line)
