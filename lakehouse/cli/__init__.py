"""The command line `lakehouse`. Start-up is quick: a command's module is imported when it is called."""

from __future__ import annotations

import sys

_DEBUG = "--debug"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed with one line on standard error, 2 wrong usage.

    `--debug`, anywhere on the line, shows tracebacks instead of one line.
    """
    from lakehouse.cli.app import app
    from lakehouse.cli.failure import report

    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = _DEBUG in given
    if debug:
        given.remove(_DEBUG)
    try:
        app(given, prog_name="lakehouse")
    except Exception as error:
        if debug:
            raise
        report(error)
        sys.exit(1)
