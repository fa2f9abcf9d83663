"""The sensors that evaluate the conditions, by kind."""

from typing import Any

import dagster as dg

from lakehouse.catalog.datasets import PLATFORM
from lakehouse.defs.automation.environments import here
from lakehouse.defs.automation.why import WHY, Why

GROUPS = {
    "automation_bronze": ("bronze",),
    "automation_models": ("silver", "gold"),
    "automation_serving": ("reflections", "serving", PLATFORM),
}
"""The groups whose conditions a sensor evaluates, by its name."""
SECONDS = 30


@dg.definitions
def defs() -> dg.Definitions:
    """Those that this environment names; what it names runs there without being turned on."""
    environment = here()
    return dg.Definitions(sensors=[_sensor(name) for name in GROUPS if environment.runs(name)])


def _sensor(name: str) -> Any:
    groups = GROUPS[name]
    return dg.AutomationConditionSensorDefinition(
        name,
        target=dg.AssetSelection.groups(*groups),
        description=f"Asks for {' and '.join(groups)} by the conditions of the assets.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        run_tags={WHY: Why.AUTOMATION},
    )
