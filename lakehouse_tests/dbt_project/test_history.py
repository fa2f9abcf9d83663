"""Every dbt invocation has a row in `dbt_run_history`, however it ended."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from lakehouse.defs.automation.why import WHY
from lakehouse.defs.transformation.history import recorded
from lakehouse.defs.transformation.runner import Invocation
from lakehouse.defs.transformation.window import Window
from lakehouse.observability.metadata.database import metadata_database
from lakehouse.observability.metadata.tables import dbt_run_history
from lakehouse.settings import Settings, load_settings
from lakehouse_tests.dbt_project.conftest import Project
from lakehouse_tests.engine import PASSWORD, USER

pytestmark = pytest.mark.slow

ARGUMENTS = ["build", "--exclude-resource-type", "unit_test", "--select", "stg_orders"]


def build(
    project: Project,
    settings: Settings,
    arguments: Sequence[str] = ARGUMENTS,
    instance: dg.DagsterInstance | None = None,
) -> dg.ExecuteInProcessResult:
    """One invocation in a run, as the dbt ops make it."""
    where = {"HOST": "127.0.0.1", "PORT": str(project.engine.port), "USER": USER, "PASSWORD": PASSWORD}
    environ = {f"LAKEHOUSE_DREMIO__{name}": value for name, value in where.items()}

    @dg.asset
    def models(context: dg.AssetExecutionContext) -> None:
        target = settings.home / "dbt" / "models"
        invocation = Invocation(arguments, target, environ, project.project_dir)
        for _ in recorded(
            invocation,
            context,
            settings,
            Window(datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC)),
            "lakehouse",
        ):
            pass

    return dg.materialize([models], instance=instance, tags={WHY: "refresh"}, raise_on_error=False)


def rows(settings: Settings) -> list[Mapping[str, Any]]:
    query = sa.select(dbt_run_history).order_by(dbt_run_history.c.started_at)
    with metadata_database(settings).transaction() as connection:
        return [row._mapping for row in connection.execute(query)]


def test_what_ran_and_what_failed(project: Project, tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    good = build(project, settings)
    project.edit("models/staging/shop/stg_orders.sql", {"select": "select no_such_column,"})
    build(project, settings)
    build(project, settings, [*ARGUMENTS, "--no-such-flag"])
    first, second, third = rows(settings)
    assert (first["status"], first["models_run"], first["project_name"]) == ("success", 1, "lakehouse")
    assert first["tests_run"] > 2
    assert first["started_at"] < first["completed_at"]
    told = first["metadata"]
    assert told["run_id"] == good.run_id
    assert told["why"] == "refresh"
    assert told["window"] == {"first_day": "2025-06-01", "day_after_last": "2025-06-02"}
    assert told["failures"] == []
    assert (second["status"], second["models_run"], second["tests_run"]) == ("failed", 1, 0)
    assert "stg_orders error" in second["metadata"]["failures"][0]
    assert third["status"] == "error"


def test_a_database_that_is_down_is_a_warning(project: Project, tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    (tmp_path / "metadata").touch()
    instance = dg.DagsterInstance.ephemeral()
    done = build(project, settings, instance=instance)
    assert done.success
    warnings = [entry.message for entry in instance.all_logs(done.run_id) if entry.level == logging.WARNING]
    assert "dbt_run_history lacks invocation" in "".join(warnings)
