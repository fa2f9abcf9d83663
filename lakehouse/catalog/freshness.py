"""How old every asset may get: as declared, inherited from what it is made of, or its layer's default."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from lakehouse.catalog.datasets import Catalog, Key
from lakehouse.catalog.meta import Freshness


def _after(hours: int) -> Freshness:
    return Freshness(warn_after=timedelta(hours=hours), fail_after=timedelta(hours=hours + 10))


# Of a nightly chain: a warning two hours after a night was missed, a failure half a day after that. Each layer an hour
# after the one that it is made of, so that what is told first is where the chain is stuck.
LAYER_DEFAULTS: dict[str, Freshness] = {
    "landing": _after(26),
    "bronze": _after(27),
    "silver": _after(28),
    "gold": _after(29),
    "reflections": _after(30),
    "serving": _after(31),
}


def layer_default(key: Key) -> Freshness:
    """What holds for an asset of which nothing is declared; what belongs to no layer may be as old as dashboards."""
    return LAYER_DEFAULTS.get(key[0], LAYER_DEFAULTS["serving"])


def declared_freshness(catalog: Catalog) -> dict[Key, Freshness]:
    """The assets of which the project says, directly or by what they are made of, how old they may get.

    A landed stream is as old as its bronze table may be: nobody can declare more of it, and the table is merged from
    nothing else. A reflection is refreshed after each materialization of its dataset, so it may be as old. A dashboard
    is verified whenever one of its datasets changed, so it is held to the most demanding of them: held to the most
    patient one, a dashboard of today's orders and of last year's airports would be fresh for a year.
    """
    found: dict[Key, Freshness] = {}
    for table in catalog.bronze:
        if table.freshness:
            found[table.key] = found[table.landing_key] = table.freshness
    found |= {table.key: table.freshness for table in catalog.platform if table.freshness}
    for model in catalog.models:
        if model.freshness:
            found |= dict.fromkeys(
                (model.key, *(model.reflection_key(reflection) for reflection in model.reflections)),
                model.freshness,
            )
    for board in catalog.dashboards:
        if promised := board.freshness or _most_demanding(
            found[key] for key in board.upstream if key in found
        ):
            found[board.key] = promised
    return found


def _most_demanding(promises: Iterable[Freshness]) -> Freshness | None:
    return min(promises, key=lambda promise: promise.fail_after, default=None)
