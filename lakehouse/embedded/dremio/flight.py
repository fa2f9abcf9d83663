"""Arrow Flight as Dremio serves it: basic or bearer authentication, SQL as the command, and Flight SQL statements."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl

from lakehouse.embedded.dremio.auth import Authenticator
from lakehouse.embedded.dremio.errors import RestError, UnauthorizedError
from lakehouse.embedded.dremio.flight_sql import statement_of, ticket_of
from lakehouse.embedded.dremio.jobs import Jobs
from lakehouse.embedded.dremio.sql.model import SqlError


class _Authenticated(fl.ServerMiddleware):
    """Carries the user, and hands the token back to a client that came with a password."""

    def __init__(self, user: str, token: str) -> None:
        self.user = user
        self._token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}


class _Authentication(fl.ServerMiddlewareFactory):
    """Reads the Authorization header of every call."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def start_call(self, _info: Any, headers: dict[str, list[str]]) -> _Authenticated:
        values = [
            value for name, found in headers.items() if name.lower() == "authorization" for value in found
        ]
        scheme, _, credentials = (values[0] if values else "").partition(" ")
        try:
            if scheme.lower() == "bearer":
                return _Authenticated(self._authenticator.user_of(credentials.strip()), credentials.strip())
            if scheme.lower() == "basic":
                user, _, password = base64.b64decode(credentials).decode().partition(":")
                return _Authenticated(user, self._authenticator.login(user, password)[0])
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
        job = self._guarded(lambda: self._jobs.prepare(sql, context.get_middleware("user").user))
        ticket = job.id.encode() if statement is None else ticket_of(job.id)
        return fl.FlightInfo(job.prepared.schema, descriptor, [fl.FlightEndpoint(ticket, [])], -1, -1)

    def get_schema(self, context: fl.ServerCallContext, descriptor: fl.FlightDescriptor) -> fl.SchemaResult:
        """The schema of a statement's result."""
        return fl.SchemaResult(self.get_flight_info(context, descriptor).schema)

    def do_get(self, _context: fl.ServerCallContext, ticket: fl.Ticket) -> fl.FlightDataStream:
        """Run a planned statement and stream its rows."""
        job_id = statement_of(ticket.ticket) or ticket.ticket.decode("utf-8", errors="replace")
        schema, batches = self._guarded(lambda: self._jobs.stream(job_id))
        return fl.GeneratorStream(schema, self._stream(batches))

    def _stream(self, batches: Any) -> Any:
        try:
            yield from batches
        except (SqlError, pa.ArrowException) as error:
            raise fl.FlightServerError(str(error)) from None

    def _guarded(self, work: Any) -> Any:
        try:
            return work()
        except (SqlError, RestError) as error:
            raise pa.ArrowInvalid(str(error)) from None
