"""The API as a server: `serve` runs it in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import uvicorn

from lakehouse.api.application import application
from lakehouse.api.platform import Platform
from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from lakehouse.settings import Settings

_KEEP_ALIVE_SECONDS = 75
_SWITCH_SECONDS = 0.0005
_log = logging.getLogger(__name__)


def serve(settings: Settings, host: str, port: int) -> None:
    """Run until told to stop, over the Dagster instance of DAGSTER_HOME.

    Raises:
        ConfigurationError: no token is set.
    """
    import dagster as dg

    tokens = settings.api.accepted_tokens
    if not tokens:
        places = f"looked up in environment, then {settings.env_file}"
        remedy = f"{places}; `lakehouse up` generates one"
        raise ConfigurationError("is not set", where="LAKEHOUSE_API__TOKENS", remedy=remedy)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for library in ("alembic", "httpx", "uvicorn"):
        logging.getLogger(library).setLevel(logging.WARNING)
    app = application(Platform(settings, dg.DagsterInstance.get()), tokens, settings.api.requests_per_second)
    # What threads find out must not keep the event loop waiting: it gets Python's lock within half a millisecond.
    sys.setswitchinterval(_SWITCH_SECONDS)
    _log.info("listening on http://%s:%s", host, port)
    uvicorn.Server(configuration(app, host, port)).run()


def configuration(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """How uvicorn serves it: silently, and without its name in the headers."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
