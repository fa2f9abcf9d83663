"""How the command line says that something failed."""

from __future__ import annotations

import sys


def report(error: BaseException) -> None:
    """Print one line to standard error: what is wrong, where, and what to do."""
    from rich.console import Console

    from lakehouse.embedded.errors import EmbeddedError
    from lakehouse.errors import LakehouseError

    # A graph that does not load has its reason below a page of where it was found.
    while error.__cause__ is not None and not isinstance(error, LakehouseError | EmbeddedError):
        error = error.__cause__
    line = " ".join(str(error).split())
    if not isinstance(error, LakehouseError | EmbeddedError):
        line = f"unexpected {type(error).__name__}: {line}; run it again with --debug to see where"
    console = Console(file=sys.stderr, soft_wrap=True, highlight=False, markup=False)
    console.print(f"error: {line}", style="bold red")
