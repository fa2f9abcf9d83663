"""Whether people who open a dashboard see data in time."""

from __future__ import annotations

import dagster as dg

from lakehouse.catalog.boards import DeclaredBoard
from lakehouse.defs.failures import as_failures
from lakehouse.defs.resources import LakehouseResource

CHECK = "charts_answer"
BUDGET_SECONDS = 5.0
"""For the data of all charts of a dashboard."""


def charts_answer(declared: DeclaredBoard) -> dg.AssetChecksDefinition:
    """A check that opens every chart's data, as Superset would show it now."""
    slug = declared.dashboard.name

    @dg.asset_check(
        asset=dg.AssetKey(declared.dashboard.key),
        name=CHECK,
        description=f"Every chart answers, all of them within {BUDGET_SECONDS:g} s.",
    )
    def check(lakehouse: LakehouseResource) -> dg.AssetCheckResult:
        if lakehouse.settings.superset.url is None:
            return dg.AssetCheckResult(passed=True, description="No Superset is configured.")
        with as_failures():
            return answers_of(lakehouse, slug, expected=len(declared.board.charts))

    return check


def answers_of(lakehouse: LakehouseResource, slug: str, *, expected: int) -> dg.AssetCheckResult:
    """Open the dashboard; a chart that fails, is missing or is late makes it fail."""
    import time

    from lakehouse.clients.superset.client import SupersetClient
    from lakehouse.clients.superset.open import opened
    from lakehouse.errors import ServiceRefusedError

    with SupersetClient(lakehouse.settings.superset) as superset:
        if superset.dashboard(slug) is None:
            return dg.AssetCheckResult(passed=False, description=f"Superset has no dashboard {slug}.")
        charts = superset.charts(slug)
        started = time.monotonic()
        try:
            answers = opened(superset, charts)
        except ServiceRefusedError as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        seconds = round(time.monotonic() - started, 3)
    problem = None
    if len(answers) != expected:
        problem = f"It has {len(answers)} charts in Superset, and {expected} are declared."
    elif seconds > BUDGET_SECONDS:
        slowest = max(answers, key=lambda title: answers[title].seconds)
        problem = f"{seconds:.1f} s for its data, of {BUDGET_SECONDS:g} s; the slowest is {slowest}."
    return dg.AssetCheckResult(
        passed=problem is None,
        description=problem,
        metadata={
            "seconds": seconds,
            "cache_hit_rate": sum(answer.cached for answer in answers.values()) / max(1, len(answers)),
            **{f"seconds/{title}": round(answer.seconds, 3) for title, answer in answers.items()},
        },
    )
