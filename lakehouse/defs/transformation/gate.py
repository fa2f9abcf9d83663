"""When a model counts as made: after its tests, and never when one of them failed with severity error.

dbt builds nothing that reads a model whose test failed. Dagster must not either, in this run or in a later one: so
such a model has no materialization, is behind, and is built and tested again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dagster as dg


class Gate:
    """Keeps models back until the checks of the run have been told for them."""

    def __init__(self, checks: Iterable[dg.AssetCheckKey]) -> None:
        self._awaited: dict[dg.AssetKey, set[str]] = {}
        for check in checks:
            self._awaited.setdefault(check.asset_key, set()).add(check.name)
        self._built: dict[dg.AssetKey, dg.Output[None]] = {}
        self._refused: set[dg.AssetKey] = set()

    def built(self, key: dg.AssetKey, output: dg.Output[None]) -> Iterator[dg.Output[None]]:
        """The model's table is written; gives the output when no check is awaited."""
        self._built[key] = output
        yield from self._passed(key)

    def checked(self, result: dg.AssetCheckResult) -> Iterator[dg.Output[None]]:
        """A check was told; gives the output of its model when it was the last."""
        key = result.asset_key
        if key is None:
            return
        self._awaited.get(key, set()).discard(str(result.check_name))
        if not result.passed and result.severity == dg.AssetCheckSeverity.ERROR:
            self._refused.add(key)
        yield from self._passed(key)

    def rest(self) -> Iterator[dg.Output[None]]:
        """The models of which no check failed, though some were never run."""
        self._awaited.clear()
        for key in list(self._built):
            yield from self._passed(key)

    def _passed(self, key: dg.AssetKey) -> Iterator[dg.Output[None]]:
        if key in self._built and not self._awaited.get(key) and key not in self._refused:
            yield self._built.pop(key)
