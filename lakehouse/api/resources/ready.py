"""Whether what the API needs answers: without Dagster's instance and the metadata database it can tell nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import msgspec
import sqlalchemy as sa

from lakehouse.api.operation import Nothing
from lakehouse.api.platform import Platform
from lakehouse.clients.http import one_line
from lakehouse.errors import LakehouseError

_SECONDS = 2.0
_AT_ONCE = 5
NEEDED = frozenset({"dagster", "metadata"})


class Dependency(msgspec.Struct):
    name: str
    up: bool
    needed: bool
    """Without one that is not needed only its own routes fail."""
    milliseconds: float
    problem: str | None


class Readiness(msgspec.Struct):
    status: str
    """ready, degraded (something that is not needed is down), or down."""
    dependencies: list[Dependency]


def status_of(body: bytes) -> int:
    """503 while the API can tell nothing, so that nobody is sent here."""
    return 503 if msgspec.json.decode(body, type=Readiness).status == "down" else 200


class Ready:
    """The operation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ready")
        # One for all: making one reads every certificate of the machine, while nothing else runs.
        self._http = httpx.Client(timeout=_SECONDS, trust_env=False)

    def get_ready(self, _: Nothing) -> Readiness:
        probes: dict[str, Callable[[], object]] = {
            "dagster": self._dagster,
            "metadata": self._metadata,
            "lake": self._lake,
            "dremio": lambda: self._answers("Dremio", self._platform.settings.dremio.url, "/apiv2/server_status"),
            "airbyte": lambda: self._answers("Airbyte", self._platform.settings.airbyte.url, "/api/public/v1/health"),
        }  # fmt: skip
        found = list(self._threads.map(lambda name: _probe(name, probes[name]), probes))
        down = {one.name for one in found if not one.up}
        status = "down" if down & NEEDED else "degraded" if down else "ready"
        return Readiness(status, found)

    def _answers(self, name: str, url: str, path: str) -> None:
        try:
            self._http.get(f"{url}{path}").raise_for_status()
        except httpx.HTTPError as error:
            raise OSError(f"{name} at {url} does not answer: {error or type(error).__name__}") from None

    def _dagster(self) -> None:
        self._platform.instance.get_runs_count()

    def _metadata(self) -> None:
        with self._platform.database.transaction() as connection:
            connection.execute(sa.select(1))

    def _lake(self) -> None:
        from pyarrow.fs import FileSelector

        from lakehouse.lake.filesystem import open_filesystem, path_of

        settings = self._platform.settings
        open_filesystem(settings).get_file_info(FileSelector(path_of(settings.lake), allow_not_found=True))


def _probe(name: str, answers: Callable[[], object]) -> Dependency:
    started, problem = time.perf_counter(), None
    try:
        answers()
    except (LakehouseError, OSError, sa.exc.SQLAlchemyError) as error:
        problem = one_line(str(error))
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return Dependency(name, problem is None, name in NEEDED, milliseconds, problem)
