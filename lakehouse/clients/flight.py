"""SQL over Arrow Flight as Dremio serves it: basic authentication, then a bearer token that is kept."""

from __future__ import annotations

import re
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse.clients.http import one_line
from lakehouse.errors import ServiceDownError, ServiceRefusedError, TransientError
from lakehouse.settings_sections import DremioSettings

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.flight as fl

_GRPC_NOISE = re.compile(r"\.?\s*(?:gRPC client debug context|Detail: Python exception):.*$", re.DOTALL)

_WINDOW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 4 << 20)]
"""What gRPC reads ahead of the reader: a batch or so. By itself it takes ever more from a server that is quick."""

_ENDED_BY_SERVER = re.compile(r"^Flight returned (\w+) error, with message: ")
"""Reading a stream raises as OSError what the server ends it with, some of it in these words."""


class LoginExpiredError(TransientError):
    """A token that was kept is refused; the next question logs in anew."""


class FlightSql:
    """Queries of one user; logs in when first needed. A query and the reading of it may take `timeout` seconds."""

    def __init__(self, settings: DremioSettings, *, timeout: float | None = None) -> None:
        self.settings = settings
        self._timeout = timeout
        self._session: tuple[fl.FlightClient, fl.FlightCallOptions] | None = None

    def close(self) -> None:
        if self._session:
            self._session[0].close()
            self._session = None

    def query(self, sql: str) -> pa.Table:
        """The whole result of a query. Raises as `reader` does."""
        with self.reader(sql) as reader:
            return reader.read_all()

    @contextmanager
    def reader(self, sql: str) -> Generator[pa.RecordBatchReader]:
        """The result as a stream of Arrow batches.

        Raises:
            ServiceDownError: nothing answers on the Flight port.
            ServiceRefusedError: wrong credentials, or a statement Dremio cannot run; carries its message.
            TransientError: a time-out.
        """
        import pyarrow.flight as fl

        with self._errors():
            client, options = self._login()
            info = client.get_flight_info(fl.FlightDescriptor.for_command(sql), options)
            stream = client.do_get(info.endpoints[0].ticket, options)
            try:
                yield stream.to_reader()
            finally:
                stream.cancel()  # of no effect on one that has ended; else the server would go on

    def login(self) -> None:
        """Log in now. Raises as `reader` does."""
        with self._errors():
            self._login()

    def _login(self) -> tuple[fl.FlightClient, fl.FlightCallOptions]:
        import pyarrow.flight as fl

        if self._session is None:
            self._require_a_listener()
            client = fl.FlightClient(self.settings.flight_url, generic_options=_WINDOW)
            token = client.authenticate_basic_token(self.settings.user, password_of(self.settings))
            self._session = client, fl.FlightCallOptions(timeout=self._timeout, headers=[token])
        return self._session

    def _require_a_listener(self) -> None:
        """Basic authentication against nobody fails in gRPC with words that do not tell so."""
        try:
            socket.create_connection((self.settings.host, self.settings.flight_port), timeout=5).close()
        except OSError as error:
            raise self._down() from error

    def _down(self) -> ServiceDownError:
        where = f"Dremio at {self.settings.flight_url}"
        return ServiceDownError("does not answer", where=where, remedy="start it with `lakehouse up`")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import pyarrow as pa
        import pyarrow.flight as fl

        where = f"Dremio at {self.settings.flight_url}"
        try:
            yield
        except fl.FlightUnauthenticatedError as error:
            expired = self._session is not None
            self.close()
            if expired:
                raise LoginExpiredError("the login is no longer accepted", where=where) from error
            remedy = f"check user {self.settings.user!r} and LAKEHOUSE_DREMIO__PASSWORD"
            raise ServiceRefusedError("credentials refused", where=where, remedy=remedy) from error
        except fl.FlightUnavailableError as error:
            self.close()
            raise self._down() from error
        except fl.FlightTimedOutError as error:
            raise TransientError(f"timed out: {_message(error)}", where=where) from error
        except pa.ArrowException as error:
            raise ServiceRefusedError(_message(error), where=where) from error
        except OSError as error:
            if not _GRPC_NOISE.search(str(error)):
                raise
            ended = _ENDED_BY_SERVER.match(str(error))
            if ended and ended[1] == "unavailable":
                self.close()
                raise self._down() from error
            text = _ENDED_BY_SERVER.sub("", _message(error))
            if ended and ended[1] == "timeout":
                raise TransientError(f"timed out: {text}", where=where) from error
            raise ServiceRefusedError(text, where=where) from error


def password_of(settings: DremioSettings) -> str:
    """The password. Raises ServiceRefusedError when none is set."""
    if settings.password is None:
        raise ServiceRefusedError(
            "no password is set",
            where=f"Dremio at {settings.url}",
            remedy=f"set LAKEHOUSE_DREMIO__PASSWORD for user {settings.user!r}, or run `lakehouse up` first",
        )
    return settings.password.get_secret_value()


def _message(error: BaseException) -> str:
    return one_line(_GRPC_NOISE.sub("", str(error)).removeprefix("Flight error: "))
