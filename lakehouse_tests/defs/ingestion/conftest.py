from collections.abc import Iterator

import dagster as dg
import pytest

from lakehouse_tests.defs.ingestion.site import Site
from lakehouse_tests.embedded.airbyte.fixtures import (
    AirbyteServer,
    database,
    postgres_of_its_own,
    postgres_port,
)

__all__ = ["database", "instance", "postgres_of_its_own", "postgres_port", "site"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of the module's own."""
    folder = tmp_path_factory.mktemp("site")
    server = AirbyteServer(folder / "airbyte", folder / "lake")
    yield Site(server, folder / "home")
    server.stop()


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()
