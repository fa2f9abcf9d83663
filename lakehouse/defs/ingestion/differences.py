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


def differences(declared: Any, live: Any, *, written: Any = None) -> Iterator[Difference]:
    """The declared fields that the live object lacks or has otherwise; what is not declared is not compared.

    Entries of a list that have names are compared by name.

    Args:
        declared: what is compared, with its references resolved.
        live: as Airbyte gives it.
        written: what a difference shows as declared: the same with its references, so that no secret is shown.

    >>> list(differences({"a": 1, "b": [{"name": "x", "mode": 1}]}, {"a": 2, "b": [{"name": "x", "mode": 1}]}))
    [Difference(field='a', live=2, declared=1, masked=False)]
    """
    return _differences(declared, live, declared if written is None else written, "")


def _differences(declared: Any, live: Any, written: Any, field: str) -> Iterator[Difference]:
    if isinstance(live, str) and live and not live.strip("*"):
        yield Difference(field, None, None, masked=True)
    elif isinstance(declared, Mapping) and isinstance(live, Mapping):
        for key, value in declared.items():
            yield from _differences(
                value, live.get(key), written[key], f"{field}.{key}" if field else str(key)
            )
    elif _named(declared) and _named(live):
        wanted = {pair[0]["name"]: pair for pair in zip(declared, written, strict=True)}
        have = {item["name"]: item for item in live}
        for name in [*wanted, *(name for name in have if name not in wanted)]:
            at = f"{field}[{name}]"
            if name in wanted and name in have:
                item, as_written = wanted[name]
                yield from _differences(item, have[name], as_written, at)
            else:
                yield Difference(at, have.get(name), wanted[name][1] if name in wanted else None)
    elif declared != live:
        yield Difference(field, live, written)


def _named(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, Mapping) and "name" in item for item in items)
