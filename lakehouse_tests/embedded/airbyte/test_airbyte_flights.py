"""The flights' files dropped one day at a time into a folder: each sync lands exactly the new day."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pytest

from lakehouse.demo.truth import flights_folder, read_flights
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.layout import bronze_location
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeSpec
from lakehouse.settings import Settings
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer

KEY = ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")


@pytest.mark.slow
def test_each_sync_lands_the_new_day_and_bronze_has_them_all(airbyte: AirbyteServer, tmp_path: Path) -> None:
    january = read_flights(flights_folder())
    january = january.filter(pc.equal(january["month"], 1))
    folder = tmp_path / "drop"
    folder.mkdir()

    def drop(day: int) -> int:
        rows = january.filter(pc.equal(january["day"], day))
        hidden = folder / f".2013-01-{day:02}.csv"  # written aside, then renamed: no sync sees half a file
        pacsv.write_csv(rows, hidden)
        hidden.rename(folder / f"2013-01-{day:02}.csv")
        return rows.num_rows

    expected = {1: drop(1)}
    layout = {"filetype": "csv", "null_values": ["", "NA"]}
    streams = [{"name": "flights", "globs": ["*.csv"], "format": layout, "primary_key": list(KEY)}]
    connection = airbyte.connect(
        {"root": str(folder), "streams": streams},
        "files",
        [{"name": "flights", "syncMode": "incremental_append"}],
    )
    settings = Settings(home=tmp_path / "platform", lake_url=airbyte.lake.as_uri())
    spec = MergeSpec(
        identifier=("bronze", "flights__flights"),
        location=bronze_location(settings, connection.namespace, "flights"),
        source=connection.namespace,
        stream="flights",
        primary_key=KEY,
        mode="append",
    )
    for day in (1, 3, 2):  # the second of January comes late
        if day not in expected:
            expected[day] = drop(day)
        assert connection.records(connection.sync()) == {"flights": expected[day]}
        assert merge_table(spec, settings).landed_rows == expected[day]
    assert connection.records(connection.sync()) == {"flights": 0}
    bronze = open_catalog(settings).load_table(spec.identifier).scan().to_arrow()
    counted = {
        row["day"]: row["count"]
        for row in bronze.group_by("day")
        .aggregate([([], "count_all")])
        .rename_columns(["day", "count"])
        .to_pylist()
    }
    assert counted == expected
