"""Every kind of check, and what comes of one."""

from __future__ import annotations

import dagster as dg

from lakehouse.defs.checks.columns import COLUMNS_AS_BEFORE
from lakehouse.defs.checks.current import DATA_IS_CURRENT
from lakehouse.defs.checks.keys import KEYS_ARE_UNIQUE
from lakehouse.defs.checks.lag import CHANGES_ARE_MERGED
from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look
from lakehouse.defs.checks.reconcile import RECONCILES
from lakehouse.defs.checks.rows import ROW_COUNT_IS_USUAL
from lakehouse.defs.checks.source_rows import ROWS_AS_IN_SOURCE
from lakehouse.errors import LakehouseError, TransientError

KINDS: tuple[Kind, ...] = (
    DATA_IS_CURRENT,
    ROW_COUNT_IS_USUAL,
    COLUMNS_AS_BEFORE,
    KEYS_ARE_UNIQUE,
    RECONCILES,
    CHANGES_ARE_MERGED,
    ROWS_AS_IN_SOURCE,
)


def facts_of(dataset: Dataset, kind: Kind, look: Look) -> Facts:
    """What was found; what cannot be found out is a failed check that says why, and hides no other check.

    A warning where that may pass, such as a service that is down: nobody knows of anything wrong with the data.
    """
    try:
        return kind.look_at(dataset, look)
    except TransientError as error:
        return {"passed": False, "severity": dg.AssetCheckSeverity.WARN, "description": str(error)}
    except LakehouseError as error:
        return {"passed": False, "description": str(error)}
