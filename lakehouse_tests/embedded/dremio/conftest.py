"""One engine for the tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_tests.engine import Engine, running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine")) as running:
        yield running
