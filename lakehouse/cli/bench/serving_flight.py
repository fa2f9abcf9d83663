"""Ten million rows of six columns by the client for people, beside a bare do_get of pyarrow."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lakehouse.cli.bench.result import Result, at_most
from lakehouse.settings_sections import DremioSettings

DIGITS = 7
"""Of the rows' numbers: 10**7 rows."""
_TIMES = 5
_QUESTION = "select order_id, customer_id, order_date, status, amount, note from lake.gold.many"
_STREAM = """
import json, re, sys
from pathlib import Path
import lakehouse
from lakehouse.settings_sections import DremioSettings
# What getrusage tells begins with the memory of the process that started this one.
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
with lakehouse.connect(DremioSettings(**json.load(sys.stdin))) as lake:
    lake.sql(sys.argv[1] + " limit 10").arrow()
    before = peak()
    size = sum(batch.nbytes for batch in lake.sql(sys.argv[1]).batches())
print(json.dumps([peak() - before, size]))
"""


def flight() -> list[Result]:
    """The medians of five readings each, in turns; and the memory of a process that streams five times as much."""
    with _engine() as dremio:
        bare, client = _in_turns(lambda: _bare(dremio), lambda: _client(dremio))
        grown, size = _streaming(dremio)
    return [
        at_most("serving.flight.arrow", client, bare, goal=1.3, of="a bare do_get"),
        at_most(
            "serving.flight.stream_memory", grown / 1e6, size / 1e6, goal=0.05, of="the result", unit="MB"
        ),
    ]


@contextmanager
def _engine() -> Iterator[DremioSettings]:
    """An engine of its own with the table."""
    from lakehouse.cli.bench.home import bench_home
    from lakehouse.cli.services import dremio_alone, embedded_settings
    from lakehouse.client import connect
    from lakehouse.clients.lake_source import prepare_dremio
    from lakehouse.embedded.alone import alone
    from lakehouse.settings import load_settings

    with bench_home() as home:
        settings, service = dremio_alone(embedded_settings(load_settings(home.path)))
        with alone(service, home.path):
            prepare_dremio(settings)
            with connect(settings.dremio) as lake:
                for statement in _TABLES:
                    lake.sql(statement).arrow()
            yield settings.dremio


def _tables() -> tuple[str, str]:
    digits = ", ".join(f"({digit})" for digit in range(10))
    number = " + ".join(f"d{place}.n * {10**place}" for place in range(DIGITS))
    tens = ", ".join(f"lake.gold.digits d{place}" for place in range(DIGITS))
    return (
        f"create table lake.gold.digits as select n from (values {digits}) as t(n)",  # noqa: S608
        "create table lake.gold.many as select cast(k as bigint) as order_id, k / 37 as customer_id, "  # noqa: S608
        "date_add(date '2020-01-01', mod(k, 2000)) as order_date, "
        "case mod(k, 3) when 0 then 'completed' when 1 then 'shipped' else 'returned' end as status, "
        "cast(mod(k, 100000) as double) / 100 as amount, concat('order ', cast(k as varchar)) as note "
        f"from (select {number} as k from {tens}) as numbers",
    )


_TABLES = _tables()


def _in_turns(first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
    """Median seconds of each, after one reading that nobody times."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TIMES + 1):
        for work, found in zip((first, second), seconds, strict=True):
            started = time.perf_counter()
            work()
            found.append(time.perf_counter() - started)
    return statistics.median(seconds[0][1:]), statistics.median(seconds[1][1:])


def _bare(dremio: DremioSettings) -> None:
    import pyarrow.flight as fl

    from lakehouse.clients.flight import password_of

    with fl.FlightClient(dremio.flight_url) as client:
        token = client.authenticate_basic_token(dremio.user, password_of(dremio))
        options = fl.FlightCallOptions(headers=[token])
        info = client.get_flight_info(fl.FlightDescriptor.for_command(_QUESTION), options)
        client.do_get(info.endpoints[0].ticket, options).read_all()


def _client(dremio: DremioSettings) -> None:
    from lakehouse.client import connect

    with connect(dremio) as lake:
        lake.sql(_QUESTION).arrow()


def _streaming(dremio: DremioSettings) -> tuple[int, int]:
    """Bytes: by which the greatest memory of a process grew that streams the rows, and of all batches."""
    from lakehouse.clients.flight import password_of

    settings = json.dumps({**dremio.model_dump(), "password": password_of(dremio)})
    command = [sys.executable, "-c", _STREAM, f"{_QUESTION}, lake.gold.digits where n < 5"]
    done = subprocess.run(command, input=settings, capture_output=True, text=True, check=True)
    grown, size = json.loads(done.stdout)
    return grown, size
