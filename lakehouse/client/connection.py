"""A connection to Dremio for people: log in once, ask in SQL."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from lakehouse.client.parameters import Parameters, bound, reads_only
from lakehouse.client.progress import Progress
from lakehouse.client.result import Result
from lakehouse.clients.flight import FlightSql, LoginExpiredError
from lakehouse.errors import TransientError
from lakehouse.settings import load_settings
from lakehouse.settings_sections import DremioSettings

if TYPE_CHECKING:
    import pyarrow as pa

_ATTEMPTS = 4
T = TypeVar("T")


def connect(
    dremio: DremioSettings | None = None, *, home: Path | None = None, progress: Progress | None = None
) -> Connection:
    """Log in to Dremio, by default the one of the settings (`LAKEHOUSE_DREMIO__…`, then `<home>/lakehouse.env`).

    `progress` is told after each batch of each result; see `TerminalProgress`. Use the connection as a context
    manager, or close it.

    Raises:
        ConfigurationError: a setting that cannot be used.
        ServiceDownError: nothing answers, after four attempts within about three seconds.
        ServiceRefusedError: wrong credentials.

    >>> import lakehouse
    >>> from lakehouse.settings import load_settings
    >>> here = load_settings().dremio  # or DremioSettings(host="dremio.example.org", tls=True, user=…, password=…)
    >>> with lakehouse.connect(here) as lake:
    ...     lake.sql("select 1 as one").arrow().to_pylist()
    [{'one': 1}]
    """
    connection = Connection(FlightSql(dremio or load_settings(home).dremio), progress)
    try:
        _repeated(connection.flight.login)
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """One user's way to Dremio; `connect()` makes one. Threads use one each."""

    def __init__(self, flight: FlightSql, progress: Progress | None) -> None:
        self.flight = flight
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; a later question logs in anew."""
        self.flight.close()

    def sql(self, sql: str, parameters: Parameters | None = None) -> Result:
        """One statement; nothing is sent before the result is asked for, and each time it is asked for.

        Parameters are a sequence for `?` or a mapping for `:name`, never pieces of text that you format in:
        text, numbers, Decimal, dates, times and None. They go as typed literals, since the Flight command that
        every Dremio answers has no parameters of its own; without parameters the statement goes as it is.

        Raises:
            ConfigurationError: parameters that do not fit; see `bound`.

        >>> import lakehouse
        >>> from datetime import date
        >>> with lakehouse.connect() as lake:
        ...     days = "select * from (values (date '2025-01-01', 5), (date '2025-02-01', 7)) as t(day, amount)"
        ...     lake.sql(f"{days} where day >= :since", {"since": date(2025, 1, 15)}).arrow()["amount"].to_pylist()
        [7]
        """
        statement = sql if parameters is None else bound(sql, parameters)
        return Result(statement, lambda: self._reading(statement), self._progress)

    @contextmanager
    def _reading(self, sql: str) -> Generator[tuple[pa.RecordBatchReader, pa.RecordBatch | None]]:
        """The stream of a statement with its first batch, which is the last thing that is tried again.

        A statement that changes something is sent anew only where the login was refused, before it could run.
        """

        def begin() -> tuple[ExitStack, pa.RecordBatchReader, pa.RecordBatch | None]:
            with ExitStack() as opened:
                reader = opened.enter_context(self.flight.reader(sql))
                first = next(iter(reader), None)
                return opened.pop_all(), reader, first

        opened, reader, first = _repeated(begin, TransientError if reads_only(sql) else LoginExpiredError)
        with opened:
            yield reader, first


def _repeated(work: Callable[[], T], on: type[TransientError] = TransientError) -> T:
    attempts = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, on)),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        reraise=True,
    )
    return attempts(work)
