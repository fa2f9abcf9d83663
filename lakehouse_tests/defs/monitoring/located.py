"""The small graph with the sensor `alerts`, as a code location of its own."""

from __future__ import annotations

import os

import dagster as dg

from lakehouse.defs.monitoring.sensor import alerts_sensor
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.defs.monitoring import watched

HOME = "WATCHED_HOME"

defs = dg.Definitions(
    assets=[watched.orders, watched.days, watched.landed],
    sensors=[alerts_sensor],
    resources={"lakehouse": LakehouseResource(home=os.environ.get(HOME))},
)
