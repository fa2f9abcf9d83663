"""Both databases that the metadata may be in: SQLite, and a real Postgres."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse_tests.embedded.airbyte.fixtures import Database, database, postgres_port

__all__ = ["database", "postgres_port"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of its own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/metadata/metadata.db"
    empty: Database = request.getfixturevalue("database")
    return f"postgresql://shop:secret@127.0.0.1:{empty.port}/{empty.name}"


@pytest.fixture
def metadata(url: str) -> MetadataDatabase:
    return MetadataDatabase(url)
