"""The cases of a benchmark, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from lakehouse.cli.bench.result import Result
from lakehouse.errors import ConfigurationError


def chosen(cases: Sequence[str], known: Iterable[str]) -> Sequence[str]:
    """The named cases, all of them by default. Raises ConfigurationError for an unknown one."""
    known = tuple(known)
    if unknown := [case for case in cases if case not in known]:
        raise ConfigurationError(f"unknown case {unknown[0]}", remedy=f"known are {', '.join(known)}")
    return cases or known


def results_of(
    cases: Sequence[str], known: Mapping[str, str], options: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Result]:
    """What the chosen cases give.

    Args:
        cases: names; without any, all.
        known: the function of each case as `module:function`, imported when it is run.
        options: keyword arguments of those that take any.
    """
    results: list[Result] = []
    for case in chosen(cases, known):
        module, _, function = known[case].partition(":")
        results += getattr(import_module(module), function)(**(options or {}).get(case, {}))
    return results
