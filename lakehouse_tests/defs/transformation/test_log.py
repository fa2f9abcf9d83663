"""dbt's log says of which run a line is, in a process that has more than one, and of which asset."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from lakehouse.observability.logs.lines import Line, dbt_line
from lakehouse_tests.warehouse import Warehouse

STAGED = "silver/stg_customers"


def test_lines_of_dbts_log_name_their_run_and_asset(
    shop: Warehouse, models: list[dg.AssetsDefinition]
) -> None:
    runs = [shop.build(models, STAGED).run_id for _ in range(2)]
    lines = [line for log in (shop.home / "dbt").glob("*/dbt.log") for line in log.read_bytes().splitlines()]
    read = (dbt_line(Line(text, "log", n, "dbt", datetime.now(UTC))) for n, text in enumerate(lines))
    records = [record for record in read if record is not None and record.run_id in runs]
    assert {record.run_id for record in records} == set(runs)
    for run in runs:
        assert STAGED in {record.asset for record in records if record.run_id == run}
