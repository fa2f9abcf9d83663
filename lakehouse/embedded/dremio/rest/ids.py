"""Ids of datasets: stable, made of the path, so that a table that is dropped and created again keeps its id."""

from __future__ import annotations

from lakehouse.embedded.dremio.namespace import folder_id
from lakehouse.embedded.dremio.sql.model import Path


def dataset_id(path: Path) -> str:
    """The id of a table or view."""
    return folder_id(path)
