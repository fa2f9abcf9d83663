"""TCP ports: which are free, and who holds the one that is not."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass

import psutil

from lakehouse.embedded.errors import EmbeddedError


@dataclass(frozen=True)
class Port:
    """A port that a service will listen on, and what a person has to know to move it."""

    number: int
    purpose: str
    """For messages, such as `dremio REST`."""
    setting: str
    """The setting or option that chooses another number."""
    host: str = "127.0.0.1"


_FREE = range(20_000, 32_768)
"""Below what systems give to connections that go out: one of those could take the port before it is listened on."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port number that nothing listens on at this moment."""
    while True:
        number = secrets.choice(_FREE)
        with suppress(OSError), socket.socket() as probe:
            probe.bind((host, number))
            return number


def require_free(port: Port) -> None:
    """Make sure that a service can listen on this port.

    Raises:
        EmbeddedError: something listens there already; names its process when that may be known.
    """
    with socket.socket() as probe:
        # Servers set this too: connections that linger in TIME_WAIT after a stop are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
        except OSError as error:
            problem = f"port {port.number} ({port.purpose}) is taken by {holder(port.number)}"
            if holder(port.number) == UNKNOWN_HOLDER and not _listens(port):
                problem = f"cannot listen on {port.host}:{port.number} ({port.purpose}): {error.strerror}"
            raise EmbeddedError(problem, remedy=f"stop it or set {port.setting}") from None


UNKNOWN_HOLDER = "a process of another user"


def holder(number: int) -> str:
    """Who listens on this port: `pid 123 (java -jar x)`."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.laddr and connection.laddr.port == number and connection.status == psutil.CONN_LISTEN:
            if connection.pid is None:
                continue
            try:
                command = " ".join(psutil.Process(connection.pid).cmdline())
            except psutil.Error:
                continue
            return f"pid {connection.pid} ({_shortened(command)})"
    return UNKNOWN_HOLDER


def _listens(port: Port) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((port.host, port.number)) == 0


def _shortened(command: str, length: int = 120) -> str:
    return command if len(command) <= length else command[: length - 1] + "…"
