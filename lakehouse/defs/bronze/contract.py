"""The asset check of a bronze table: whether what is landed is what the table's contract says."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from lakehouse.defs.bronze.merge import Merged
    from lakehouse.lake.landed_columns import Drift

CONTRACT = "contract"


def contract_check(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every bronze table has one: a primary key is part of every contract."""
    return dg.AssetCheckSpec(
        CONTRACT,
        asset=key,
        description="Every landed row fits the contract, and so do the landed columns.",
    )


def contract_result(key: dg.AssetKey, merged: Merged) -> dg.AssetCheckResult:
    """Fails while rows are in quarantine, and warns of columns that came, went or changed their type."""
    reasons = sum((file.reasons for file in merged.quarantine), Counter[str]())
    told = [_told(drift) for drift in merged.result.drift]
    metadata: dict[str, Any] = {"rows_in_quarantine": reasons.total(), "drift": told}
    if merged.quarantine:
        command = f"lakehouse quarantine show {'.'.join(merged.result.identifier)}"
        counted = ", ".join(f"{reason} ({rows})" for reason, rows in reasons.most_common())
        told = [f"rows in quarantine: {reasons.total()}, {counted}; {command}", *told]
        metadata |= {
            "reasons": dict(reasons.most_common()),
            "oldest": min(file.at for file in merged.quarantine).isoformat(),
            "examples": dg.MetadataValue.json([json.loads(example) for example in merged.examples]),
            "command": command,
        }
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CONTRACT,
        passed=not merged.quarantine and not merged.result.drift,
        severity=dg.AssetCheckSeverity.ERROR if merged.quarantine else dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or None,
        metadata=metadata,
    )


def drift_event(key: dg.AssetKey, merged: Merged) -> dg.AssetObservation | None:
    """The event that records columns that came, went or changed their type; None when none did."""
    if not merged.result.drift:
        return None
    told = [_told(drift) for drift in merged.result.drift]
    return dg.AssetObservation(key, description="; ".join(told), metadata={"drift": told})


def _told(drift: Drift) -> str:
    return f"column {drift.column} {drift.detail} ({drift.where})"
