"""The two Flight SQL messages that a statement needs (arrow FlightSql.proto), wrapped in google.protobuf.Any.

pyarrow ships no Python classes for FlightSql.proto. CommandStatementQuery holds `string query = 1`, and
TicketStatementQuery `bytes statement_handle = 1`: one length-delimited field each, which the well-known type
BytesValue (`bytes value = 1`) reads and writes.
"""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as ProtobufAny
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue

_PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."
_QUERY = f"{_PREFIX}CommandStatementQuery"
_TICKET = f"{_PREFIX}TicketStatementQuery"


def statement_of(message: bytes) -> str | None:
    """The query of a CommandStatementQuery or the handle of a TicketStatementQuery; None for anything else."""
    wrapped = ProtobufAny()
    try:
        wrapped.ParseFromString(message)
    except DecodeError:
        return None
    if wrapped.type_url not in (_QUERY, _TICKET):
        return None
    value = BytesValue()
    value.ParseFromString(wrapped.value)
    return value.value.decode()


def ticket_of(handle: str) -> bytes:
    """A TicketStatementQuery that carries the handle."""
    value = BytesValue(value=handle.encode()).SerializeToString()
    return ProtobufAny(type_url=_TICKET, value=value).SerializeToString()
