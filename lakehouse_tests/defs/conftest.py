"""The graph, loaded once."""

import os
from functools import cache

import dagster as dg
import pytest


@pytest.fixture(scope="session")
def graph() -> dg.Definitions:
    """The whole graph as Dagster loads it, with no service running and no settings."""
    return graph_of("local")


@cache
def graph_of(environment: str) -> dg.Definitions:
    """The graph in that environment."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LAKEHOUSE_")}
    os.environ["LAKEHOUSE_ENVIRONMENT"] = environment
    try:
        from lakehouse.definitions import defs

        return defs()
    finally:
        del os.environ["LAKEHOUSE_ENVIRONMENT"]
        os.environ.update(kept)
