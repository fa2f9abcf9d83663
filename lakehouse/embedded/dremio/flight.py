"""Arrow Flight as Dremio serves it: basic or bearer authentication, SQL as the command, and Flight SQL statements."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl

from lakehouse.embedded.dremio.arrow import in_nanoseconds
from lakehouse.embedded.dremio.auth import Authenticator
from lakehouse.embedded.dremio.errors import RestError, UnauthorizedError
from lakehouse.embedded.dremio.flight_sql import statement_of, ticket_of
from lakehouse.embedded.dremio.jobs import Jobs
from lakehouse.embedded.dremio.sql.model import SqlError

_LOOK_SECONDS = 0.1
NANOSECONDS = "timestamps-ns"
"""The routing tag of clients that know timestamps in nanoseconds only, as sqlalchemy-dremio; a tag is nothing else here."""


class _Authenticated(fl.ServerMiddleware):
    """Carries the user, and hands the token back to a client that came with a password."""

    def __init__(self, user: str, token: str, *, nanoseconds: bool) -> None:
        self.user = user
        self.nanoseconds = nanoseconds
        self._token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}


class _Authentication(fl.ServerMiddlewareFactory):
    """Reads the Authorization header of every call."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def start_call(self, _info: Any, headers: dict[str, list[str]]) -> _Authenticated:
        given = {name.lower(): found[0] for name, found in headers.items() if found}
        scheme, _, credentials = given.get("authorization", "").partition(" ")
        nanoseconds = given.get("routing_tag") == NANOSECONDS
        try:
            if scheme.lower() == "bearer":
                token = credentials.strip()
                return _Authenticated(self._authenticator.user_of(token), token, nanoseconds=nanoseconds)
            if scheme.lower() == "basic":
                user, _, password = base64.b64decode(credentials).decode().partition(":")
                token = self._authenticator.login(user, password)[0]
                return _Authenticated(user, token, nanoseconds=nanoseconds)
        except UnauthorizedError as error:
            raise fl.FlightUnauthenticatedError(str(error)) from None
        except ValueError:
            raise fl.FlightUnauthenticatedError("the Authorization header cannot be read") from None
        raise fl.FlightUnauthenticatedError("no credentials: send Authorization: Basic or Bearer")


class _NoHandshake(fl.ServerAuthHandler):
    """The handshake itself is empty: credentials come in headers."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None:
        """Nothing to exchange."""

    def is_valid(self, _token: bytes) -> bytes:
        """Every call is judged by the middleware."""
        return b""


class FlightServer(fl.FlightServerBase):
    """One endpoint; a ticket is a job's id."""

    def __init__(self, host: str, port: int, authenticator: Authenticator, jobs: Jobs) -> None:
        super().__init__(
            f"grpc+tcp://{host}:{port}",
            auth_handler=_NoHandshake(),
            middleware={"user": _Authentication(authenticator)},
        )
        self._jobs = jobs

    def get_flight_info(
        self, context: fl.ServerCallContext, descriptor: fl.FlightDescriptor
    ) -> fl.FlightInfo:
        """Plan a statement; the ticket runs it."""
        command = bytes(descriptor.command or b"")
        statement = statement_of(command)
        sql = statement if statement is not None else command.decode("utf-8", errors="replace")
        client = context.get_middleware("user")
        job = self._guarded(lambda: self._jobs.prepare(sql, client.user))
        ticket = job.id.encode() if statement is None else ticket_of(job.id)
        schema = in_nanoseconds(job.prepared.schema) if client.nanoseconds else job.prepared.schema
        return fl.FlightInfo(schema, descriptor, [fl.FlightEndpoint(ticket, [])], -1, -1)

    def get_schema(self, context: fl.ServerCallContext, descriptor: fl.FlightDescriptor) -> fl.SchemaResult:
        """The schema of a statement's result."""
        return fl.SchemaResult(self.get_flight_info(context, descriptor).schema)

    def do_get(self, context: fl.ServerCallContext, ticket: fl.Ticket) -> fl.FlightDataStream:
        """Run a planned statement and stream its rows; one whose client goes away before the first is stopped."""
        job_id = statement_of(ticket.ticket) or ticket.ticket.decode("utf-8", errors="replace")
        schema, batches = self._guarded(lambda: self._jobs.stream(job_id))
        if context.get_middleware("user").nanoseconds:
            schema = in_nanoseconds(schema)
            batches = (batch.cast(schema) for batch in batches)
        with self._stopped_with(context, job_id), _told():
            first = next(batches)
        return fl.GeneratorStream(schema, self._stream(first, batches))

    def _stream(self, first: pa.RecordBatch, rest: Any) -> Any:
        with closing(rest), _told():
            yield first
            yield from rest

    @contextmanager
    def _stopped_with(self, context: fl.ServerCallContext, job_id: str) -> Iterator[None]:
        """The job is cancelled when the call is.

        Nothing may ask a call whether it is cancelled once it has been answered: the process would crash.
        """
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_SECONDS):
                if context.is_cancelled():
                    self._jobs.cancel(job_id)
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _guarded(self, work: Any) -> Any:
        try:
            return work()
        except (SqlError, RestError) as error:
            raise pa.ArrowInvalid(str(error)) from None


@contextmanager
def _told() -> Iterator[None]:
    """The engine's error, in one line of Flight's."""
    try:
        yield
    except (SqlError, pa.ArrowException) as error:
        raise fl.FlightServerError(str(error)) from None
