"""An Airbyte-compatible server, a home that points at it, and connections that are both declared and live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from lakehouse.defs.ingestion.component import landing_assets, stream_keys
from lakehouse.defs.ingestion.declaration import CONTINUOUS, Connection, Source, Stream
from lakehouse.defs.ingestion.sensor import landed_sensor
from lakehouse.defs.resources import LakehouseResource
from lakehouse.settings import Settings, load_settings
from lakehouse_tests.embedded.airbyte import fixtures
from lakehouse_tests.embedded.airbyte.fixtures import PASSWORD, USER, AirbyteServer

THINGS = Stream(name="things", sync_mode="full_refresh_append")
EVERY_SECOND_SECOND = "0/2 * * * * ?"


@dataclass(frozen=True)
class Site:
    server: AirbyteServer
    home: Path

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        values = {
            "LAKE_URL": self.server.lake.as_uri(),
            "AIRBYTE__URL": self.server.url,
            "AIRBYTE__USER": USER,
            "AIRBYTE__PASSWORD": PASSWORD,
            "AIRBYTE__POLL_SECONDS": "0.1",
        }
        lines = [f"LAKEHOUSE_{name}={value}\n" for name, value in values.items()]
        (self.home / "lakehouse.env").write_text("".join(lines))

    @property
    def resource(self) -> LakehouseResource:
        return LakehouseResource(home=str(self.home))

    @property
    def settings(self) -> Settings:
        return load_settings(self.home)

    def connect(self, type_: str, configuration: dict[str, Any], *streams: Stream) -> Live:
        """A live connection that nothing but a request syncs, with its declaration."""
        configured = [
            {"name": stream.name, "syncMode": stream.sync_mode, "cursorField": stream.cursor_field}
            for stream in streams
        ]
        made = self.server.connect(configuration, type_, configured)
        source = Source(name=made.namespace, configuration={"sourceType": type_, **configuration})
        declared = Connection(name=made.namespace, namespace=made.namespace, streams=list(streams))
        return Live(self, source, declared, made)


@dataclass(frozen=True)
class Live:
    site: Site
    source: Source
    declared: Connection
    made: fixtures.Connection

    def scheduled(self, schedule: str) -> Live:
        """The same with a schedule, declared and live."""
        cron = CONTINUOUS if schedule == "continuous" else schedule
        given = {"scheduleType": "cron", "cronExpression": cron}
        self.patch(schedule={"scheduleType": "manual"} if schedule == "manual" else given)
        declared = self.declared.model_copy(update={"schedule": schedule})
        return Live(self.site, self.source, declared, self.made)

    def named(self, name: str) -> Live:
        """The same under another name and namespace."""
        self.patch(name=name, namespaceFormat=name)
        declared = self.declared.model_copy(update={"name": name, "namespace": name})
        return Live(self.site, self.source, declared, self.made)

    def patch(self, **changes: Any) -> None:
        """A change of the live connection alone."""
        server = self.site.server
        server.call("PATCH", f"{server.public}/connections/{self.made.id}", json=changes)

    @property
    def keys(self) -> dict[str, dg.AssetKey]:
        return stream_keys(self.declared)

    def tick(self, instance: dg.DagsterInstance, cursor: str | None) -> Tick:
        """One tick of the sensor, with what Dagster's daemon does after it."""
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"lakehouse": self.site.resource}
        )
        answer = landed_sensor(self.declared, self.keys)(context)
        if isinstance(answer, dg.SkipReason):
            return Tick([], cursor, answer.skip_message or "")
        assert isinstance(answer, dg.SensorResult)
        for event in answer.asset_events:
            instance.report_runless_asset_event(event)
        skipped = answer.skip_reason.skip_message if answer.skip_reason else None
        return Tick(list(answer.asset_events), answer.cursor, skipped or "")

    def land(self, instance: dg.DagsterInstance, **more: Any) -> dg.ExecuteInProcessResult:
        """A run of the landing assets."""
        return dg.materialize(
            [landing_assets(self.source, self.declared)],
            instance=instance,
            resources={"lakehouse": self.site.resource},
            **more,
        )


@dataclass(frozen=True)
class Tick:
    events: list[Any]
    cursor: str | None
    skipped: str

    @property
    def landed(self) -> list[dg.AssetMaterialization]:
        return [event for event in self.events if isinstance(event, dg.AssetMaterialization)]

    @property
    def checks(self) -> list[dg.AssetCheckEvaluation]:
        return [event for event in self.events if isinstance(event, dg.AssetCheckEvaluation)]


def told(event: dg.AssetMaterialization, name: str) -> Any:
    """A value of an event's metadata."""
    return event.metadata[name].value


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    fixtures.eventually(holds, seconds)
