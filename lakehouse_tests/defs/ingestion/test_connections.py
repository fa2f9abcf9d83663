"""Declared connections brought to a live server: planned, applied, changed by hand, pruned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from lakehouse.cli.app import app
from lakehouse.clients.airbyte import AirbyteClient, id_of
from lakehouse.defs.ingestion import apply as applying
from lakehouse.defs.ingestion.apply import apply_connections
from lakehouse.defs.ingestion.declaration import declarations
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings
from lakehouse.settings_sections import AirbyteSettings
from lakehouse_tests.embedded.airbyte.fixtures import PASSWORD, USER, AirbyteServer

pytestmark = pytest.mark.slow

DECLARED = """
type: lakehouse.defs.ingestion.component.LakehouseAirbyteComponent
attributes:
  source:
    name: people
    configuration:
      sourceType: files
      root: {folder}
      streams: [{{name: people, globs: ["*.csv"], format: {{filetype: csv}}}}]
  connection:
    name: people
    namespace: people
    schedule: {schedule}
    streams: [{{name: people, sync_mode: full_refresh_append}}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirbyteServer]:
    folder = tmp_path_factory.mktemp("airbyte")
    server = AirbyteServer(folder / "home", folder / "lake")
    yield server
    server.stop()


@pytest.fixture
def settings(server: AirbyteServer, tmp_path: Path) -> Settings:
    airbyte = AirbyteSettings(url=server.url, user=USER, password=SecretStr(PASSWORD))
    return Settings(home=tmp_path, lake_url=server.lake.as_uri(), airbyte=airbyte)


def declare(folder: Path, schedule: str = "manual") -> Path:
    (folder / "people.csv").write_text("id,name\n1,a\n")
    (folder / "people").mkdir(exist_ok=True)
    (folder / "people" / "defs.yaml").write_text(
        DECLARED.format(folder=folder, schedule=json.dumps(schedule))
    )
    declarations.cache_clear()
    return folder


def actions(changes: list[applying.Change]) -> list[tuple[str, str]]:
    return [(change.name, change.action) for change in changes]


def test_planned_applied_and_then_there(settings: Settings, tmp_path: Path) -> None:
    folder = declare(tmp_path)
    planned = apply_connections(settings, folder, dry_run=True)
    assert actions(planned) == [("lake", "created"), ("people", "created"), ("people", "created")]
    assert apply_connections(settings, folder) == planned
    assert {change.action for change in apply_connections(settings, folder)} == {"unchanged"}

    folder = declare(tmp_path, "continuous")
    *_, connection = apply_connections(settings, folder, dry_run=True)
    fields = {difference.field: difference.declared for difference in connection.differences}
    assert fields == {"schedule.scheduleType": "cron", "schedule.cronExpression": "* * * * * ?"}
    apply_connections(settings, folder)
    assert {change.action for change in apply_connections(settings, folder, dry_run=True)} == {"unchanged"}

    with AirbyteClient(settings.airbyte) as airbyte:
        live = airbyte.find("connections", "people")
        assert live is not None
        body = {"name": "by hand", "sourceId": live["sourceId"], "destinationId": live["destinationId"]}
        airbyte.create("connections", body)
        assert ("by hand", "deleted") not in actions(apply_connections(settings, folder))
        assert ("by hand", "deleted") in actions(
            apply_connections(settings, folder, prune=True, dry_run=True)
        )
        assert airbyte.find("connections", "by hand") is not None
        apply_connections(settings, folder, prune=True)
        assert airbyte.find("connections", "by hand") is None
        airbyte.delete("connections", id_of("connections", live))


def test_the_command_tells_by_its_exit_code(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = declare(tmp_path)
    monkeypatch.setattr("lakehouse.settings.load_settings", lambda: settings)
    monkeypatch.setattr(applying, "apply_connections", partial(apply_connections, folder=folder))
    run = CliRunner().invoke
    planned = run(app, ["connections", "plan", "people"])
    assert planned.exit_code == 2
    assert "+ connection people: created" in planned.output
    differing = run(app, ["connections", "diff"])
    assert (differing.exit_code, "connection people: not in Airbyte" in differing.output) == (2, True)
    assert run(app, ["connections", "apply"]).exit_code == 0
    for command in ("plan", "diff"):
        assert run(app, ["connections", command]).exit_code == 0
    assert isinstance(run(app, ["connections", "plan", "nobody"]).exception, ConfigurationError)

    declare(tmp_path, "continuous")
    with AirbyteClient(settings.airbyte) as airbyte:
        live = airbyte.connection("people")
        ends = {key: live[key] for key in ("sourceId", "destinationId")}
        airbyte.create("connections", {"name": "by hand", "prefix": "other_", **ends})
    told = run(app, ["connections", "diff"])
    assert told.exit_code == 2
    assert '    schedule.scheduleType: "manual" -> "cron"' in told.output
    assert "connection by hand: in Airbyte, and nothing declares it" in told.output
    assert "by hand" not in run(app, ["connections", "diff", "people"]).output
    assert "~ connection people: updated (schedule.scheduleType" in run(app, ["connections", "plan"]).output
    (difference, *_) = json.loads(run(app, ["connections", "diff", "--json"]).output)[2]["differences"]
    assert (difference["live"], difference["declared"]) == ("manual", "cron")


def test_what_airbyte_refuses_does_not_keep_the_others_from_being_applied(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = declare(tmp_path)
    (folder / "broken").mkdir()
    text = DECLARED.format(folder=folder / "nowhere", schedule="manual").replace("people", "broken")
    (folder / "broken" / "defs.yaml").write_text(text)
    declarations.cache_clear()
    monkeypatch.setattr("lakehouse.settings.load_settings", lambda: settings)
    monkeypatch.setattr(applying, "apply_connections", partial(apply_connections, folder=folder))
    applied = CliRunner().invoke(app, ["connections", "apply"])
    assert applied.exit_code == 1
    assert "✗ connection broken: failed: " in applied.output
    with AirbyteClient(settings.airbyte) as airbyte:
        assert airbyte.find("connections", "people") is not None
