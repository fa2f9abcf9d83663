"""Every example in a docstring runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import lakehouse

ROOT = Path(lakehouse.__file__).parents[1]
NEED_AN_ENGINE = ROOT / "lakehouse" / "client"  # test_client.py runs these
WITH_EXAMPLES = sorted(
    path
    for path in (ROOT / "lakehouse").rglob("*.py")
    if ">>>" in path.read_text() and NEED_AN_ENGINE not in path.parents
)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_are_true(path: Path) -> None:
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
