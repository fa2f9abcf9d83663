"""What dbt leaves behind stays bounded."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from lakehouse.defs.transformation import leavings
from lakehouse.defs.transformation.assets import project_assets
from lakehouse_tests.defs.transformation.conftest import write_project
from lakehouse_tests.warehouse import running_warehouse


def test_only_what_nobody_wrote_for_long_is_removed(tmp_path: Path) -> None:
    for name in ("gone_op/compiled/a.sql", "gone_op/dbt.log", "op/compiled/gone.sql", "op/compiled/b.sql"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("select 1")
    old = time.time() - timedelta(days=8).total_seconds()
    for path in (*tmp_path.glob("gone_op/**/*"), tmp_path / "gone_op", tmp_path / "op/compiled/gone.sql"):
        os.utime(path, (old, old))
    assert leavings.remove_old(tmp_path) == 3
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"op/compiled/b.sql"}
    assert leavings.remove_old(tmp_path / "nothing") == 0


@pytest.mark.slow
def test_the_tenth_invocation_leaves_no_more_than_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leavings, "LOG_BYTES", 5_000)
    project = write_project(tmp_path / "project", {"models/marts/one.sql": "select 1 as id"})
    models = project_assets(project)
    with running_warehouse(tmp_path) as warehouse:
        left = []
        for _ in range(10):
            assert warehouse.build(models, "gold/one").success
            files = [path for path in (warehouse.home / "dbt").rglob("*") if path.is_file()]
            left.append({path.name for path in files if not path.name.startswith("dbt.log")})
            logs = [path for path in files if path.name.startswith("dbt.log") and path.parent.name == "dbt"]
            assert len(logs) <= 6
            assert sum(path.stat().st_size for path in logs) < 6 * 3 * 5_000  # a line may be longer
        assert left[-1] == left[1]
