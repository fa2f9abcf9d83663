"""When an asset is asked for by itself: the conditions, from what Dagster's own `eager` and `on_cron` leave out.

`eager` looks at the newest partition only and waits for as long as any partition upstream is missing: a late change of
an old day would never get further than bronze. These look at every partition, ask for one only once whatever happens
to it, and leave to others what others build: a run of changes, a refresh and the nightly batch go from layer to layer
by themselves.
"""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import Any

import dagster as dg

from lakehouse.defs.automation.why import WHY, Why

Condition: Any = (
    dg.AutomationCondition
)  # its types keep those of assets and of checks apart, and refuse to join them

STAGED = (Why.CHANGES, Why.REFRESH, Why.SCHEDULE)
"""Why runs happen that are one of several, from layer to layer."""
AGAIN = "0 * * * *"
"""What failed is asked for again from the next full hour on, if something upstream changes or has changed."""
STILL_STALE = "0 */6 * * *"
"""When what is still not fresh, though it was refreshed for that, is refreshed again."""

_CAME_ALONE = reduce(
    and_,
    [~Condition.all_new_updates_have_run_tags(tag_values={WHY: str(why)}) for why in STAGED],
    Condition.newly_updated(),
).with_label("updated by itself")
# Not Dagster's `executed_with_root_target`: of a run over several days it knows the one day that came last. That a run
# made an asset after what it is made of shows in the times of the events.
_IDLE = (~Condition.any_deps_in_progress() & ~Condition.in_progress()).with_label("nothing of it is at work")
_RESTED = (
    ~Condition.execution_failed()
    | Condition.cron_tick_passed(AGAIN).since(
        Condition.newly_requested() | Condition.execution_failed().newly_true()
    )
).with_label("did not fail in this hour")
_NOTHING = dg.AssetSelection.assets()


def propagate(*, without: dg.AssetSelection = _NOTHING, plain: dg.AssetSelection = _NOTHING) -> Any:
    """Asked for when something upstream changed: exactly the partitions that the changed ones map to.

    Args:
        without: what is upstream and does not count, since something else follows its changes.
        plain: what is upstream of an asset with partitions and has none. Which days its changes reach cannot be known:
            all that were made before, and none that has no data yet.
    """
    changed = Condition.any_deps_match(_CAME_ALONE | Condition.will_be_requested())
    if plain == _NOTHING:
        reached: Any = changed.ignore(without)
    else:
        by_day = changed.ignore(without | plain)
        reached = by_day | (changed.allow(plain).ignore(without) & ~Condition.missing())
    return (reached.since_last_handled() & _IDLE & _RESTED).with_label("propagate")


PROPAGATE = propagate()

REFRESH_ON_STALE = (
    (
        Condition.freshness_failed().newly_true()
        | (Condition.freshness_failed() & Condition.cron_tick_passed(STILL_STALE))
    ).since_last_handled()
    & _IDLE
).with_label("refresh when stale")
"""Once when its freshness fails, and every six hours for as long as it does."""


def each_tick(cron: str, timezone: str) -> Any:
    """Asked for once a tick of the schedule, when everything upstream was updated since; of days only the newest.

    For bronze: whichever day a merge is asked for, it merges all that landed, and tells which days that were.
    """
    return (
        Condition.in_latest_time_window()
        & Condition.cron_tick_passed(cron, timezone).since_last_handled()
        & Condition.all_deps_updated_since_cron(cron, timezone)
        & _IDLE
    ).with_label(f"each tick of {cron}, {timezone}")
