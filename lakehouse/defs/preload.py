"""What runs import when they begin to work: imported beforehand where many runs follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from lakehouse.defs.project import PARSED_FOLDERS, PROJECT_DIR
from lakehouse.settings import load_settings

_USED_BY_RUNS = (
    "dbt.adapters.dremio",
    "lakehouse.clients.airbyte",
    "lakehouse.defs.acceleration.check",
    "lakehouse.defs.acceleration.reconcile",
    "lakehouse.defs.bronze.merge",
    "lakehouse.defs.bronze.report",
    "lakehouse.defs.ingestion.follow",
    "lakehouse.defs.ingestion.sync",
    "lakehouse.defs.transformation.invocation",
    "pyarrow.flight",
    "pyiceberg.catalog.sql",
    "sqlglot.lineage",
)


def preload_libraries() -> Sequence[Path]:
    """Import them, and parse the dbt project into dbt's own form. Starts no thread and opens no connection.

    Returns:
        The folders that hold the code and the declarations.
    """
    from lakehouse.defs.transformation.runner import preload_manifest

    for name in _USED_BY_RUNS:
        import_module(name)
    preload_manifest(PROJECT_DIR, load_settings().home)
    return [Path(__file__).parents[1], *(PROJECT_DIR / folder for folder in PARSED_FOLDERS)]
