"""What assets are given: the settings, read when a run starts and never at load."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg

from lakehouse.defs.failures import as_failures
from lakehouse.settings import Settings, load_settings


class LakehouseResource(dg.ConfigurableResource):
    """The settings of one home directory."""

    home: str | None = None
    """By default LAKEHOUSE_HOME, then ~/.lakehouse."""

    @property
    def settings(self) -> Settings:
        """The validated settings; a bad one fails the run in one line."""
        with as_failures():
            return _settings(self.home)


@cache
def _settings(home: str | None) -> Settings:
    return load_settings(Path(home) if home else None)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(resources={"lakehouse": LakehouseResource()})
