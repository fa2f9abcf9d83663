"""What the stack knows about a service: how to start it, where it listens, how to tell that it is well."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lakehouse.embedded.ports import Port


@dataclass(frozen=True)
class Service:
    """One service of the stack, in plain values, so that it can be handed to the supervisor process."""

    name: str
    command: tuple[str, ...]
    address: str
    """For people: where it is reached; empty when it listens nowhere."""
    health: str
    """`http://…` (answers 200), `postgresql://host:port` (accepts logins), `tcp://host:port` (accepts
    connections) or `alive:` (the process has not ended for some seconds)."""
    ports: tuple[Port, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment. May hold secrets."""
    requires: tuple[str, ...] = ()
    """Services that must be well before this one starts, and that stop after it."""
    start_seconds: float = 120
    stop_seconds: float = 20
    max_restarts: int = 6
    """In five minutes; one more death and it is given up."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Service:
        plain = {**values, "ports": tuple(Port(**port) for port in values["ports"])}
        plain |= {name: tuple(values[name]) for name in ("command", "requires")}
        return cls(**plain)


ALIVE_SECONDS = 3.0
_PROBE_SECONDS = 2.0


def is_well(health: str, age_seconds: float) -> bool:
    """Ask a service whether it works; `age_seconds` is how long its process has been running."""
    if health == "alive:":
        return age_seconds >= ALIVE_SECONDS
    target = urlsplit(health)
    if target.scheme == "http":
        return _answers_ok(health)
    if target.hostname is None or target.port is None:
        raise ValueError(f"health address without host and port: {health}")
    if target.scheme == "postgresql":
        return _accepts_logins(target.hostname, target.port)
    if target.scheme == "tcp":
        with socket.socket() as probe:
            probe.settimeout(_PROBE_SECONDS)
            return probe.connect_ex((target.hostname, target.port)) == 0
    raise ValueError(f"unknown kind of health address: {health}")


def _answers_ok(url: str) -> bool:
    # Proxies of the environment are for other hosts than this machine's services.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PROBE_SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _accepts_logins(host: str, port: int) -> bool:
    from psycopg import pq

    conninfo = f"host={host} port={port} connect_timeout=2".encode()
    return pq.PGconn.ping(conninfo) == pq.Ping.OK
