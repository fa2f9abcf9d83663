"""What the landed rows of a table have to be; see `catalog.meta.Contract` for the declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestamptzType,
    TimeType,
)

Policy = Literal["ignore", "warn", "fail"]
DriftKind = Literal["new", "dropped", "retyped"]

_TYPES: Mapping[str, IcebergType] = {
    "boolean": BooleanType(),
    "int": IntegerType(),
    "bigint": LongType(),
    "float": FloatType(),
    "double": DoubleType(),
    "varchar": StringType(),
    "date": DateType(),
    "time": TimeType(),
    "timestamp": TimestamptzType(),  # destination-s3 lands every timestamp as UTC
}


@dataclass(frozen=True)
class ColumnContract:
    type: IcebergType | None = None
    """What landed values are cast to; None when any type will do."""
    nullable: bool = True


@dataclass(frozen=True)
class Contract:
    columns: Mapping[str, ColumnContract] = field(default_factory=dict)
    drift: Mapping[DriftKind, Policy] = field(default_factory=dict)
    """Kinds that are not named are warned about."""

    def type_of(self, column: str) -> IcebergType | None:
        """The declared type, if any."""
        declared = self.columns.get(column)
        return declared.type if declared else None

    def policy(self, kind: DriftKind) -> Policy:
        return self.drift.get(kind, "warn")


def declared_type(name: str) -> IcebergType:
    """The Iceberg type of a Dremio type name.

    >>> str(declared_type("decimal(10,2)")), str(declared_type("timestamp"))
    ('decimal(10, 2)', 'timestamptz')

    Raises:
        KeyError: a name that the declaration does not allow.
    """
    if match := re.match(r"^decimal\((\d+), ?(\d+)\)$", name):
        return DecimalType(int(match[1]), int(match[2]))
    return _TYPES[name]
