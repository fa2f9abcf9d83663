"""A row of `dbt_run_history` for every dbt invocation, written once its results are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import dagster as dg

from lakehouse.defs.automation.why import why
from lakehouse.defs.transformation.runner import Invocation
from lakehouse.defs.transformation.window import Window
from lakehouse.errors import LakehouseError
from lakehouse.observability.metadata.losses import not_stopping
from lakehouse.settings import Settings

_TESTS = frozenset({"test", "unit_test"})


def recorded(
    invocation: Invocation,
    context: dg.AssetExecutionContext,
    settings: Settings,
    window: Window | None,
    project: str,
) -> Iterator[dict[str, Any]]:
    """The invocation's events; when they end, however they do, its row is written.

    Nobody else knows what is in the row: while the database is down it is lost, and the run's log says so.
    """
    from lakehouse.observability.metadata.database import metadata_database
    from lakehouse.observability.metadata.records import put
    from lakehouse.observability.metadata.tables import dbt_run_history

    started, status = datetime.now(UTC), "interrupted"
    try:
        yield from invocation.events()
        status = "success" if invocation.succeeded else "failed"
    except LakehouseError:
        status = "error"
        raise
    finally:
        run_id = invocation.id or str(uuid4())
        row = {
            "run_id": run_id,
            "project_name": project,
            "started_at": started,
            "completed_at": datetime.now(UTC),
            "status": status,
            **_counts(invocation),
            "metadata": _metadata(invocation, context, window),
        }
        with (
            not_stopping(context.log.warning, f"dbt_run_history lacks invocation {run_id}, for good"),
            metadata_database(settings).transaction() as connection,
        ):
            put(connection, dbt_run_history, [row])


def _counts(invocation: Invocation) -> Mapping[str, int]:
    """Nodes that ran; dbt skips those below a failed one."""
    ran = [str(result.node.resource_type) for result in invocation.results if str(result.status) != "skipped"]
    tests = sum(kind in _TESTS for kind in ran)
    return {"models_run": len(ran) - tests, "tests_run": tests}


def _told(window: Window) -> dict[str, str]:
    if window.whole_days:
        return dict(zip(("first_day", "day_after_last"), window.dates, strict=True))
    return dict(zip(("first_time", "time_after_last"), window.times, strict=True))


def _metadata(
    invocation: Invocation, context: dg.AssetExecutionContext, window: Window | None
) -> dict[str, Any]:
    return {
        "run_id": context.run.run_id,
        "op": context.op_execution_context.op.name,
        "why": why(context.run),
        "window": _told(window) if window else None,
        "arguments": list(invocation.arguments),
        "failures": invocation.failures(),
    }
