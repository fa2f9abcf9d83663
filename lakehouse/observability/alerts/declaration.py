"""What alerts.yaml declares: sinks, who gets what, and from when on something is an alert."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from lakehouse.catalog.meta import Duration
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity
from lakehouse.observability.alerts.sinks import AnySink

_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")


class _Declaration(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


def _clock(value: Any) -> Any:
    # YAML reads 22:00 without quotes as the number 1320, which pydantic would take for seconds.
    if isinstance(value, time) or (isinstance(value, str) and _CLOCK.match(value)):
        return value
    raise ValueError(f'{value!r} is no time of day; write it in quotes, such as "22:00"')


Clock = Annotated[time, BeforeValidator(_clock)]


class QuietHours(_Declaration):
    """When all but critical alerts wait; they are told when it is over."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    timezone: ZoneInfo = ZoneInfo("UTC")

    @field_validator("timezone", mode="before")
    @classmethod
    def _is_known(cls, value: Any) -> Any:
        try:
            return ZoneInfo(value) if isinstance(value, str) else value
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone; write one such as Europe/Paris") from None

    def hold(self, severity: Severity, now: datetime) -> bool:
        """Whether an alert of that severity waits now."""
        if severity is Severity.CRITICAL:
            return False
        clock = now.astimezone(self.timezone).time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class Match(_Declaration):
    """Which alerts a route takes: those that fit everything that is given. Patterns are globs: `gold/*`."""

    name: tuple[AlertName, ...] = ()
    severity: tuple[Severity, ...] = ()
    owner: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()

    def takes(self, alert: Alert) -> bool:
        owners = alert.owner.split(",")
        return (
            (not self.name or alert.name in self.name)
            and (not self.severity or alert.severity in self.severity)
            and (not self.owner or any(_fits(owner, self.owner) for owner in owners))
            and (not self.group or _fits(alert.group, self.group))
            and (not self.asset or _fits(alert.asset, self.asset))
        )


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


class Route(_Declaration):
    """Alerts that go to some sinks; an alert goes by the first route that takes it."""

    name: str
    match: Match | None = None
    """None: every alert."""
    sinks: tuple[str, ...]
    """None of them: nobody is told."""
    group_by: tuple[Literal["name", "asset", "owner", "group", "severity"], ...] = ()
    """A message each for what differs in these; without any, one message holds all of the route."""
    quiet_hours: QuietHours | None = None
    continues: bool = Field(default=False, alias="continue")
    """Whether the routes below are asked as well."""


class SlowQueries(_Declaration):
    """Dremio's queries that somebody waited for."""

    seconds: int = Field(default=60, ge=1)
    within: Duration = timedelta(minutes=15)
    """How long the alert stays after the last slow one."""


class Disk(_Declaration):
    """How full a disk may be, in percent."""

    warning_percent: float = Field(default=85, gt=0, le=100)
    critical_percent: float = Field(default=95, gt=0, le=100)


class Alerting(_Declaration):
    """The whole file."""

    runbooks: str = "docs/alerts.md"
    """The page with a section for each alert's name; an address makes the links work from anywhere."""
    deadman_url: SecretStr | None = None
    """Called after every complete look (`GET`); a service there tells when the calls stop."""
    sinks: dict[str, AnySink] = Field(min_length=1)
    routes: tuple[Route, ...] = Field(min_length=1)
    hold: dict[AlertName, Duration] = {
        AlertName.SERVICE_DOWN: timedelta(minutes=1),
        AlertName.DAEMON_DOWN: timedelta(minutes=5),
    }
    """How long something must be wrong before anybody is told."""
    failed_ticks: int = Field(default=2, ge=1)
    """Failures of a sensor, one after the other, that make an alert; of a schedule one does."""
    slow_queries: SlowQueries = SlowQueries()
    disk: Disk = Disk()
    undelivered_after: Duration = timedelta(minutes=10)
    """How long a sink may be down before the others are told."""

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Alerting:
        names = [route.name for route in self.routes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"route {twice[0]!r} is declared twice")
        for route in self.routes:
            if unknown := set(route.sinks) - set(self.sinks):
                known = ", ".join(self.sinks)
                raise ValueError(
                    f"route {route.name!r}: no sink is named {sorted(unknown)[0]!r}; there are {known}"
                )
        if self.routes[-1].match is not None:
            raise ValueError("the last route must take every alert: leave out its `match`")
        return self

    def routes_of(self, alert: Alert) -> dict[str, str]:
        """The sinks that get an alert, each with the route that led there."""
        found: dict[str, str] = {}
        for route in self.routes:
            if route.match is None or route.match.takes(alert):
                for sink in route.sinks:
                    found.setdefault(sink, route.name)
                if not route.continues:
                    break
        return found

    def route(self, name: str) -> Route | None:
        """The route of that name, None when the file has it no more."""
        return next((route for route in self.routes if route.name == name), None)
