"""What commands that do work print while they do it."""

from __future__ import annotations

import dagster as dg
import pytest

from lakehouse.cli.demo_report import Progress
from lakehouse.defs.automation.execute import RunResult
from lakehouse.defs.automation.refresh import Step


def test_a_failed_check_is_told_below_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    told = "bronze/shop/orders: contract: rows in quarantine: 7, [order_id]: NULL in the primary key (7)"
    progress.step(
        Step((dg.AssetKey(["bronze", "shop", "orders"]),), None, RunResult("id", True, 1, (), (told,)))
    )
    progress.stop()
    run, check = capsys.readouterr().out.strip().splitlines()
    assert run.startswith("✓ bronze")
    assert check == f"! {told}"
