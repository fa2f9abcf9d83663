"""A lake of its own in a temporary directory, and landing files exactly as destination-s3 writes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.layout import bronze_location
from lakehouse.lake.merge_spec import MergeSpec
from lakehouse.settings import Settings

EPOCH = 1_764_000_000_000  # 2025-11-24T16:00:00Z
DAY_MS = 86_400_000

_CHANGES = pa.list_(pa.struct([("field", pa.string()), ("change", pa.string()), ("reason", pa.string())]))
_META = pa.struct([("sync_id", pa.int64()), ("changes", _CHANGES)])
_AIRBYTE = [
    pa.field("_airbyte_raw_id", pa.string(), nullable=False),
    pa.field("_airbyte_extracted_at", pa.timestamp("ms", "UTC"), nullable=False),
    pa.field("_airbyte_meta", _META, nullable=False),
    pa.field("_airbyte_generation_id", pa.int64(), nullable=False),
]


@dataclass
class Lake:
    """One lake, and the stream `orders` of the source `shop` in it."""

    home: Path

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home)

    def spec(self, **values: Any) -> MergeSpec:
        defaults: dict[str, Any] = {
            "identifier": ("bronze", "shop__orders"),
            "location": bronze_location(self.settings, "shop", "orders"),
            "source": "shop",
            "stream": "orders",
            "primary_key": ("order_id",),
            "mode": "append",
        }
        return MergeSpec(**(defaults | values))

    def land(
        self,
        rows: Sequence[Mapping[str, Any]],
        fields: Mapping[str, pa.DataType],
        *,
        epoch: int = EPOCH,
        part: int = 0,
        generation: int = 0,
        extracted_ms: int | None = None,
        name: str | None = None,
    ) -> Path:
        """Publish one object: written aside, then renamed, as a destination does."""
        day = datetime.fromtimestamp(epoch / 1000, UTC).date()
        directory = self.home / f"lake/landing/shop/orders/date={day}"
        directory.mkdir(parents=True, exist_ok=True)
        count = len(rows)
        columns: list[Any] = [
            [str(uuid.uuid4()) for _ in rows],
            pa.array([extracted_ms or epoch] * count, pa.timestamp("ms", "UTC")),
            pa.array([{"sync_id": 1, "changes": []}] * count, _META),
            pa.array([generation] * count, pa.int64()),
        ]
        columns += [pa.array([row.get(field) for row in rows], kind) for field, kind in fields.items()]
        schema = pa.schema([*_AIRBYTE, *(pa.field(field, kind) for field, kind in fields.items())])
        path = directory / (name or f"{epoch}_{part}.parquet")
        hidden = directory / f".{path.name}"
        pq.write_table(pa.table(columns, schema=schema), hidden, compression="snappy")
        hidden.rename(path)
        return path

    def rows(self, columns: Sequence[str], table: str = "shop__orders") -> dict[Any, dict[str, Any]]:
        """The table's rows by the first of `columns`; fails on a key that is there twice."""
        scan = open_catalog(self.settings).load_table(("bronze", table)).scan()
        found = scan.to_arrow().select(list(columns)).to_pylist()
        by_key = {row[columns[0]]: row for row in found}
        assert len(by_key) == len(found), "duplicate keys"
        return by_key


@pytest.fixture
def new_lake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lake]:
    """Makes empty lakes, one for each example of a property."""
    return lambda: Lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def lake(new_lake: Callable[[], Lake]) -> Lake:
    return new_lake()
