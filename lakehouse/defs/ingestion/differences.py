"""Where a live Airbyte object is not what is declared, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One field; `masked` when Airbyte shows only stars, so that nobody can tell whether it differs."""

    field: str
    live: Any
    declared: Any
    masked: bool = False


def differences(declared: Any, live: Any, field: str = "") -> Iterator[Difference]:
    """The declared fields that the live object lacks or has otherwise; what is not declared is not compared.

    Entries of a list that have names are compared by name.

    >>> list(differences({"a": 1, "b": [{"name": "x", "mode": 1}]}, {"a": 2, "b": [{"name": "x", "mode": 1}]}))
    [Difference(field='a', live=2, declared=1, masked=False)]
    """
    if isinstance(live, str) and live and not live.strip("*"):
        yield Difference(field, None, None, masked=True)
    elif isinstance(declared, Mapping) and isinstance(live, Mapping):
        for key, value in declared.items():
            yield from differences(value, live.get(key), f"{field}.{key}" if field else str(key))
    elif _named(declared) and _named(live):
        wanted, have = ({item["name"]: item for item in items} for items in (declared, live))
        for name in [*wanted, *(name for name in have if name not in wanted)]:
            at = f"{field}[{name}]"
            if name in wanted and name in have:
                yield from differences(wanted[name], have[name], at)
            else:
                yield Difference(at, name if name in have else None, name if name in wanted else None)
    elif declared != live:
        yield Difference(field, live, declared)


def _named(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, Mapping) and "name" in item for item in items)
