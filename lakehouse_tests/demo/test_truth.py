"""The flights' figures from their files, by hand where hands suffice, and the keys the project declares."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.project import declared_datasets
from lakehouse.demo.truth import flights_folder, punctuality, read_flights

FLIGHTS = [table for table in declared_datasets().bronze if table.source == "flights"]


def test_departures_of_2013() -> None:
    found = punctuality()
    assert sum(flights for flights, _, _ in found.values()) == 336_776
    assert sum(cancelled for _, cancelled, _ in found.values()) == 8_255
    assert len({day for day, _, _ in found}) == 365
    assert {origin for _, _, origin in found} == {"EWR", "JFK", "LGA"}


def test_one_day_counted_by_hand() -> None:
    rows = [
        row
        for row in read_flights(flights_folder()).slice(0, 842).to_pylist()  # the file begins with this day
        if (row["month"], row["day"], row["carrier"], row["origin"]) == (1, 1, "UA", "EWR")
    ]
    delays = [row["dep_delay"] for row in rows if row["dep_delay"] is not None]
    cancelled = sum(row["dep_time"] is None for row in rows)
    assert punctuality()[(date(2013, 1, 1), "UA", "EWR")] == (len(rows), cancelled, sum(delays))


@pytest.mark.parametrize("table", FLIGHTS, ids=lambda table: table.table)
def test_declared_keys_are_unique_in_the_files(table: BronzeTable) -> None:
    rows = (
        read_flights(flights_folder()) if table.table == "flights" else _read(flights_folder(), table.table)
    )
    keys = rows.select(list(table.primary_key))
    assert sum(column.null_count for column in keys.columns) == 0
    assert keys.group_by(list(table.primary_key)).aggregate([]).num_rows == rows.num_rows
    declared = {column.name for column in table.columns}
    assert declared - set(rows.column_names) <= {"flight_date"}
    assert set(rows.column_names) <= declared


def _read(folder: Path, name: str) -> pa.Table:
    options = csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    return csv.read_csv(folder / f"{name}.csv", convert_options=options)
