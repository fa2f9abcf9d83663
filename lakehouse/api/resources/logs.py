"""The logs of everything, searched and counted."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lakehouse.api.operation import Limit
from lakehouse.api.platform import Platform
from lakehouse.api.problems import ApiError
from lakehouse.errors import ConfigurationError
from lakehouse.observability.logs.moment import moment
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.record import KEYWORDS, LogRecord

_Value = Annotated[str, msgspec.Meta(max_length=512)]
_Moment = Annotated[
    str, msgspec.Meta(max_length=40, description="a time stamp, or how long ago: 30m, 1h, 2d")
]
_Text = Annotated[
    str, msgspec.Meta(max_length=500, description='words and "phrases" that a message must hold; begin* of one')
]  # fmt: skip


class LogPage(msgspec.Struct):
    """Newest first."""

    items: list[LogRecord]
    next: str | None
    """The `page` of older records."""


class LogCounts(msgspec.Struct):
    by: str
    counts: dict[str, int]
    """By value, the most frequent first."""


class _Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    text: _Text = ""
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None
    service: _Value | None = None
    job_id: _Value | None = None
    connection_id: _Value | None = None
    run_id: _Value | None = None
    asset: _Value | None = None
    partition: _Value | None = None
    since: _Moment | None = None
    until: _Moment | None = None


class LogsWanted(_Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Limit = 50
    page: _Value | None = None


class CountsWanted(_Wanted, frozen=True, forbid_unknown_fields=True, kw_only=True):
    by: Literal["level", "service", "job_id", "connection_id", "run_id", "asset", "partition"]


class Logs:
    """Both operations."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def search_logs(self, wanted: LogsWanted) -> LogPage:
        query = _query(wanted)
        try:
            found = self._platform.logs.search(query, limit=wanted.limit, page=wanted.page)
        except ConfigurationError as error:
            raise ApiError(400, str(error)) from None
        return LogPage(found.records, found.next)

    def count_logs(self, wanted: CountsWanted) -> LogCounts:
        return LogCounts(wanted.by, self._platform.logs.count(_query(wanted), wanted.by))


def _query(wanted: _Wanted) -> LogQuery:
    given = {name: getattr(wanted, name) for name in KEYWORDS}
    fields: dict[str, tuple[str, ...]] = {
        name: (value,) for name, value in given.items() if value is not None
    }
    try:
        return LogQuery(wanted.text, fields, moment(wanted.since, "since"), moment(wanted.until, "until"))
    except ConfigurationError as error:
        raise ApiError(400, str(error)) from None
