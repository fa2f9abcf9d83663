"""History that cannot be written stops nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lakehouse.errors import LakehouseError


@contextmanager
def not_stopping(warn: Callable[[str], None], otherwise: str) -> Iterator[None]:
    """History that cannot be written is a warning that says what becomes of it; the data matters more."""
    try:
        yield
    except LakehouseError as error:
        warn(f"{error}; {otherwise}")
