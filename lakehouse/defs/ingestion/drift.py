"""Whether a live connection is what is declared, as an asset check of every stream it lands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from lakehouse.defs.ingestion.apply import Change

AS_DECLARED = "connection_as_declared"
_COLUMNS = dg.TableSchema([dg.TableColumn(name) for name in ("of", "field", "live", "declared")])


def drift_check(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every landed stream has one."""
    return dg.AssetCheckSpec(
        AS_DECLARED,
        asset=key,
        description="Connection, source and destination are in Airbyte as `lakehouse connections apply` makes them.",
    )


def drift_facts(changes: Sequence[Change]) -> dict[str, Any]:
    """What an apply would change, field by field, as the fields of a check's result; secrets are not in it."""
    differing = [change for change in changes if change.action != "unchanged"]
    if not differing:
        return {"passed": True}
    told = "; ".join(told for change in differing for told in _told(change))
    return {
        "passed": False,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": f"{told}; `lakehouse connections apply` mends it",
        "metadata": {"differences": dg.MetadataValue.table(_records(differing), schema=_COLUMNS)},
    }


def _told(change: Change) -> list[str]:
    if change.action == "created":
        return [f"{_name(change)} is not in Airbyte"]
    return [
        f"{_name(change)}: {d.field} is {_text(d.live)}, declared is {_text(d.declared)}"
        for d in change.differences
    ]


def _records(changes: Sequence[Change]) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {"of": _name(change), "field": d.field, "live": _text(d.live), "declared": _text(d.declared)}
        )
        for change in changes
        for d in change.differences
    ]


def _name(change: Change) -> str:
    return f"{change.kind.removesuffix('s')} {change.name}"


def _text(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, default=str)
