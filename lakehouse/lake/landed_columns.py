"""The columns that the landed objects are read as, and where they differ from what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakehouse.errors import PermanentError
from lakehouse.lake.column_types import common_type, promotes, type_name
from lakehouse.lake.contract import DriftKind
from lakehouse.lake.landed_schema import AIRBYTE_COLUMNS, CDC_PREFIX, LandedFile

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType

    from lakehouse.lake.layout import LandingObject
    from lakehouse.lake.merge_spec import MergeSpec


@dataclass(frozen=True)
class LandedColumns:
    """The columns in bronze order: the source's, then Airbyte's, then those of CDC."""

    types: dict[str, IcebergType]
    retyped: Mapping[str, Mapping[str, IcebergType]] = field(default_factory=dict)
    """Object URL -> its columns of a type that does not widen to that of `types`, with that type."""


@dataclass(frozen=True)
class Drift:
    """One column that differs from the contract, or from the table where nothing is declared."""

    kind: DriftKind
    column: str
    where: str
    """URL of the newest object in which it does."""
    detail: str


def landed_columns(spec: MergeSpec, table: Table | None, files: Sequence[LandedFile]) -> LandedColumns:
    """The columns of all files. A contract says the type; else it is the table's, widened as far as it goes.

    Raises:
        PermanentError: the table's column does not widen to the contract's type; two columns differ in case
            alone; names table, column, and types or object.
    """
    current = table_types(table) if table is not None and not spec.rebuild else {}
    types: dict[str, IcebergType] = {}
    retyped: dict[str, dict[str, IcebergType]] = {}
    places: dict[str, LandingObject] = {}
    for file in files:
        for name, landed in file.columns.items():
            places[name] = file.landing
            before = types.get(name, current.get(name))
            kind = _read_as(spec, name, current.get(name), before, landed)
            if kind is None:
                retyped.setdefault(file.landing.url, {})[name] = landed
            types[name] = kind or spec.contract.type_of(name) or before or landed
    for name in types:
        _refuse_contract_of_another_type(spec, name, current.get(name))
    _refuse_names_equal_but_for_case(spec.name, places)
    source = [name for name in types if name not in AIRBYTE_COLUMNS and not name.startswith(CDC_PREFIX)]
    cdc = [name for name in types if name.startswith(CDC_PREFIX)]
    return LandedColumns({name: types[name] for name in (*source, *AIRBYTE_COLUMNS, *cdc)}, retyped)


def find_drift(
    spec: MergeSpec, table: Table | None, files: Sequence[LandedFile], columns: LandedColumns
) -> tuple[Drift, ...]:
    """How the files differ from the contract, and from the table's columns where it declares none.

    Raises:
        PermanentError: the contract says that such a difference fails the merge.
    """
    known = set(spec.contract.columns) | (set(table_types(table)) if table is not None else set())
    if spec.partition and spec.partition.expression:
        known.discard(spec.partition.column)
    known = {name for name in known if name not in AIRBYTE_COLUMNS and not name.startswith(CDC_PREFIX)}
    newest = files[-1]
    found = [
        Drift("dropped", name, newest.landing.url, "is no longer landed")
        for name in sorted(known - newest.columns.keys())
    ]
    if table is not None:
        places = {name: file.landing.url for file in files for name in file.columns}
        found += [
            Drift("new", name, where, "is new")
            for name, where in places.items()
            if name not in known and name not in AIRBYTE_COLUMNS and not name.startswith(CDC_PREFIX)
        ]
    latest = {name: (url, kind) for url, odd in columns.retyped.items() for name, kind in odd.items()}
    for name, (url, kind) in latest.items():
        detail = f"is landed as {type_name(kind)}, not {type_name(columns.types[name])}"
        found.append(Drift("retyped", name, url, detail))
    for drift in found:
        if spec.contract.policy(drift.kind) == "fail":
            raise PermanentError(
                f"column {drift.column} of {spec.name} {drift.detail}, which its contract does not allow",
                where=drift.where,
                remedy=f"correct the source, or meta.lakehouse.contract (drift.{drift.kind} is fail)",
            )
    return tuple(drift for drift in found if spec.contract.policy(drift.kind) == "warn")


def table_types(table: Table) -> dict[str, IcebergType]:
    """The table's columns."""
    return {field.name: field.field_type for field in table.schema().fields}


def _read_as(
    spec: MergeSpec,
    name: str,
    current: IcebergType | None,
    before: IcebergType | None,
    landed: IcebergType,
) -> IcebergType | None:
    """The type that holds the landed values and those from before; None when there is none."""
    if declared := spec.contract.type_of(name):
        joined = common_type(declared, landed)
        return declared if joined and type_name(joined) == type_name(declared) else None
    joined = common_type(before, landed) if before else landed
    fixed = name in spec.primary_key or (spec.partition is not None and name == spec.partition.column)
    if joined and fixed and current and not promotes(current, joined):
        return None  # a key's and a partition's column can only become what Iceberg promotes in place
    return joined


def _refuse_contract_of_another_type(spec: MergeSpec, name: str, current: IcebergType | None) -> None:
    declared = spec.contract.type_of(name)
    joined = common_type(current, declared) if current and declared else declared
    if declared and (joined is None or type_name(joined) != type_name(declared)):
        raise PermanentError(
            f"column {name} of {spec.name} is {type_name(current) if current else 'unknown'} in the table"
            f" and {type_name(declared)} in its contract",
            where=f"meta.lakehouse.contract, column {name}",
            remedy="correct the type, or drop the table and let the next merge build it from landing",
        )


def _refuse_names_equal_but_for_case(table: str, names: dict[str, LandingObject]) -> None:
    seen: dict[str, str] = {}
    for name, landing in names.items():
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise PermanentError(
                f"columns {other} and {name} of {table} differ in case alone, which Dremio cannot tell apart",
                where=landing.url,
                remedy="exclude one of them in the Airbyte connection",
            )
