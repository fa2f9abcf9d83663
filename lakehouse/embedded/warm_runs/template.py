"""The process that runs are forked from: it has imported the code and loaded the graph, and does nothing else.

Run as `python -m lakehouse.embedded.warm_runs.template <module>`. The module is imported, and its function
`preload()`, if it has one, called; that gives the folders that hold the code, which are written to standard output as
JSON. For each line on standard
input, a JSON list of arguments of the command `dagster`, a process is forked that runs the command; its id is written
to standard output. It ends with its standard input; the forked processes go on.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import sys
from typing import TextIO


def main() -> None:
    lines, answers = _own_streams()
    module = importlib.import_module(sys.argv[1])
    preload = getattr(module, "preload", lambda: [os.path.dirname(str(module.__file__))])
    folders = preload()
    gc.freeze()  # or the first collection in a fork copies every page
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the runs
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps([str(folder) for folder in folders]), file=answers, flush=True)
    while line := lines.readline():
        pid = os.fork()
        if pid == 0:
            lines.close()
            answers.close()
            _run(json.loads(line))
        print(pid, file=answers, flush=True)


def _own_streams() -> tuple[TextIO, TextIO]:
    """The protocol's streams, kept from code that prints or reads: that goes to standard error."""
    lines, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return lines, answers


def _run(arguments: list[str]) -> None:
    """The command, in this process; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 1
    try:
        sys.argv = ["dagster", *arguments]
        runpy.run_module("dagster", run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except KeyboardInterrupt:
        code = 130
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
