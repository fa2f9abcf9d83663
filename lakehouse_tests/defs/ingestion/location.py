"""A code location for a Dagster server of a test: connections of source `fake`, named in the environment."""

from __future__ import annotations

import os
from typing import cast

import dagster as dg

from lakehouse.defs.ingestion.component import LakehouseAirbyteComponent
from lakehouse.defs.ingestion.declaration import Connection, Source
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.defs.ingestion.site import THINGS

HOME, NAMES = "SITE_HOME", "SITE_CONNECTIONS"


@dg.definitions
def defs() -> dg.Definitions:
    components = [
        LakehouseAirbyteComponent(
            source=Source(name=name, configuration={"sourceType": "fake"}),
            connection=Connection(name=name, namespace=name, streams=[THINGS]),
        )
        for name in os.environ[NAMES].split()
    ]
    return dg.Definitions.merge(
        *(component.build_defs(cast("dg.ComponentLoadContext", None)) for component in components),
        dg.Definitions(
            resources={"lakehouse": LakehouseResource(home=os.environ[HOME])},
            executor=dg.in_process_executor,
        ),
    )
