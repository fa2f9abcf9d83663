"""Paths of the lake, and the listing of landing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import PermanentError
from lakehouse.lake.layout import (
    bronze_location,
    landing_prefix,
    list_landing,
    logs_prefix,
    model_location,
    parse_landing_object,
)
from lakehouse.settings import Settings

NOON = 1_763_985_600_000  # 2025-11-24T12:00:00Z
DAY_MS = 86_400_000
MIDNIGHT = NOON + DAY_MS // 2  # 2025-11-25T00:00:00Z


def touch(lake: Any, relative: str) -> Path:
    path: Path = lake.home / "lake/landing/shop/orders" / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def names(lake: Any, since: int | None = None) -> list[str]:
    return [found.name for found in list_landing(lake.settings, "shop", "orders", since)]


@pytest.mark.parametrize("root", ["file:///srv/lake", "s3://datalake", "s3://datalake/company"])
def test_paths_are_those_of_the_design(tmp_path: Path, root: str) -> None:
    settings = Settings(home=tmp_path, lake_url=root)
    assert landing_prefix(settings, "shop", "orders") == f"{root}/landing/shop/orders"
    assert bronze_location(settings, "shop", "orders") == f"{root}/bronze/shop/orders"
    assert model_location(settings, "gold", "fct_orders") == f"{root}/gold/fct_orders"
    assert logs_prefix(settings, "airbyte") == f"{root}/logs/airbyte"


def test_an_object_is_read_from_its_url() -> None:
    url = f"s3://datalake/landing/shop/orders/date=2025-11-24/{NOON}_12-1.parquet"
    found = parse_landing_object("shop", "orders", url, 42)
    assert (found.date, found.order, found.size) == (date(2025, 11, 24), (NOON, 12, 1), 42)
    assert found.name == f"{NOON}_12-1.parquet"


def test_objects_are_listed_in_the_order_of_delivery(lake: Any) -> None:
    for name in (f"{NOON}_10", f"{NOON}_2", f"{NOON}_2-1", f"{NOON - 1}_3"):
        touch(lake, f"date=2025-11-24/{name}.parquet")
    touch(lake, f"date=2025-11-25/{MIDNIGHT}_0.parquet")
    assert names(lake) == [
        f"{NOON - 1}_3.parquet",
        f"{NOON}_2.parquet",
        f"{NOON}_2-1.parquet",
        f"{NOON}_10.parquet",
        f"{MIDNIGHT}_0.parquet",
    ]
    assert names(lake, NOON)[0] == f"{NOON}_2.parquet"


def test_a_sync_that_starts_at_utc_midnight_is_not_passed_over(lake: Any) -> None:
    touch(lake, f"date=2025-11-24/{MIDNIGHT - 1}_0.parquet")
    touch(lake, f"date=2025-11-25/{MIDNIGHT}_0.parquet")
    assert names(lake, MIDNIGHT - 1) == [f"{MIDNIGHT - 1}_0.parquet", f"{MIDNIGHT}_0.parquet"]
    assert names(lake, MIDNIGHT) == [f"{MIDNIGHT}_0.parquet"]


def test_days_before_the_watermark_are_not_even_opened(lake: Any) -> None:
    touch(lake, "date=2025-11-23/what is this.txt")
    touch(lake, f"date=2025-11-24/{NOON}_0.parquet")
    assert names(lake, NOON) == [f"{NOON}_0.parquet"]
    with pytest.raises(PermanentError, match=r"what is this\.txt"):
        names(lake)


def test_nothing_landed_is_an_empty_list(lake: Any) -> None:
    assert names(lake) == []
    assert names(lake, NOON) == []


def test_hidden_and_temporary_files_are_passed_over(lake: Any) -> None:
    touch(lake, f"date=2025-11-24/.{NOON}_0.parquet")
    touch(lake, f"date=2025-11-24/{NOON}_0.parquet.tmp")
    touch(lake, "_SUCCESS")
    touch(lake, ".airbyte/state")
    assert names(lake) == []


@pytest.mark.parametrize(
    "stray",
    [
        "date=2025-11-24/data.parquet",
        f"date=2025-11-24/{NOON}.parquet",
        f"date=2025-11-24/{NOON}_0.csv",
        f"date=24-11-2025/{NOON}_0.parquet",
        "readme.txt",
    ],
)
def test_an_unknown_name_is_refused_by_name(lake: Any, stray: str) -> None:
    touch(lake, stray)
    with pytest.raises(PermanentError) as refusal:
        names(lake)
    assert stray.split("/", maxsplit=1)[0] in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_epoch_of_another_day_is_refused(lake: Any) -> None:
    touch(lake, f"date=2025-11-24/{MIDNIGHT}_0.parquet")
    with pytest.raises(PermanentError, match="2025-11-25 in UTC, not the date of its directory"):
        names(lake)
