"""The graph, loaded once."""

import os

import dagster as dg
import pytest


@pytest.fixture(scope="session")
def graph() -> dg.Definitions:
    """The whole graph as Dagster loads it, with no service running and no settings."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LAKEHOUSE_")}
    try:
        from lakehouse.definitions import defs

        return defs()
    finally:
        os.environ.update(kept)
