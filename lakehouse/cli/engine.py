"""A Dremio to talk to, whether or not the stack is up."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.cli.services import dremio_alone, embedded_settings, is_local
from lakehouse.embedded.alone import alone
from lakehouse.embedded.services import DREMIO
from lakehouse.embedded.state import FAILED, RUNNING, read_state
from lakehouse.errors import ServiceDownError
from lakehouse.settings import Settings

_STARTING_SECONDS = 90


@contextmanager
def reachable_engine(settings: Settings) -> Iterator[Settings]:
    """Settings whose `dremio` section leads to an engine that answers.

    The configured one when it listens; else, when the settings place it on this machine and its data is in
    the home directory, the embedded engine alone on free ports for as long as the block lasts.

    Raises:
        ServiceDownError: nothing listens and there is nothing to start.
    """
    if _listens(settings) or _will_listen(settings):
        yield settings
        return
    data = settings.home / DREMIO
    if not is_local(settings, DREMIO) or not data.is_dir():
        where = f"dremio at {settings.dremio.host}:{settings.dremio.flight_port}"
        hint = "check LAKEHOUSE_DREMIO__HOST and LAKEHOUSE_DREMIO__FLIGHT_PORT"
        remedy = "start it with `lakehouse up`" if is_local(settings, DREMIO) else hint
        raise ServiceDownError("does not answer", where=where, remedy=remedy)
    moved, service = dremio_alone(embedded_settings(settings))
    with alone(service, moved.home):
        yield moved


def _listens(settings: Settings) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        try:
            return probe.connect_ex((settings.dremio.host, settings.dremio.flight_port)) == 0
        except socket.gaierror:
            return False


def _will_listen(settings: Settings) -> bool:
    """Wait for the engine of a running stack that is on its way up: its data allows no second one."""
    deadline = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < deadline:
        state = read_state(settings.home)
        engine = state.service(DREMIO) if state else None
        if engine is None:
            return False
        if engine.state == RUNNING and _listens(settings):
            return True
        if engine.state in (RUNNING, FAILED):
            problem = (
                f"is {engine.state} in the stack, but does not listen on port {settings.dremio.flight_port}"
            )
            raise ServiceDownError(problem, where="dremio", remedy="see `lakehouse status`")
        time.sleep(0.2)
    raise ServiceDownError(
        f"not ready after {_STARTING_SECONDS} s", where="dremio", remedy="see `lakehouse status`"
    )
