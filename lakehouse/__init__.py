"""An open lakehouse run as one Dagster asset graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.client import connect

__all__ = ["__version__", "connect"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Whoever imports some module of ours does not pay for the client.
    if name == "connect":
        from lakehouse.client import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
