"""What a benchmark says: a figure, the yardstick of the same run, and whether the goal is met."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Result:
    """One figure; `ratio` is value / baseline, both in `unit`."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    goal: str
    met: bool


def at_most(name: str, value: float, baseline: float, *, goal: float, of: str, unit: str = "s") -> Result:
    """A cost, which must be no more than `goal` times the yardstick `of`."""
    ratio = value / baseline
    met = ratio <= goal
    return _rounded(Result(name, value, unit, baseline, ratio, f"at most {goal:g} of {of}", met))


def at_least(name: str, value: float, baseline: float, *, goal: float, of: str, unit: str) -> Result:
    """A speed, which must be no less than `goal` times the yardstick `of`."""
    ratio = value / baseline
    met = ratio >= goal
    return _rounded(Result(name, value, unit, baseline, ratio, f"at least {goal:g} of {of}", met))


def _rounded(result: Result) -> Result:
    figures = {name: round(getattr(result, name), 3) for name in ("value", "baseline", "ratio")}
    return replace(result, **figures)


def show(results: Iterable[Result], *, as_json: bool) -> None:
    """Print the figures: as JSON for programs, else a line each."""
    if as_json:
        print(json.dumps({"results": [asdict(result) for result in results]}, indent=1))
        return
    for result in results:
        mark = "✓" if result.met else "✗"
        figures = (
            f"{result.value:,.2f} {result.unit} = {result.ratio:.2f} x {result.baseline:,.2f} {result.unit}"
        )
        print(f"{mark} {result.name:<36} {figures:<48} {result.goal}")
