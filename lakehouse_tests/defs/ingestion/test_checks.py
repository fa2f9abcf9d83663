"""The checks of a connection against a real server: what was changed by hand is named, and no secret shown."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import dagster as dg
import pytest

from lakehouse.clients.airbyte import AirbyteClient
from lakehouse.defs.ingestion import apply as applying
from lakehouse.defs.ingestion.apply import apply_connections
from lakehouse.defs.ingestion.checks import connection_checks
from lakehouse.defs.ingestion.component import LakehouseAirbyteComponent, stream_keys
from lakehouse.defs.ingestion.declaration import Connection, Source, Stream
from lakehouse.defs.ingestion.differences import differences
from lakehouse.defs.ingestion.drift import AS_DECLARED
from lakehouse.defs.ingestion.last_sync import LAST_SYNC
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.defs.ingestion.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]

PEOPLE = Stream(name="people", sync_mode="full_refresh_append")
KEY = dg.AssetKey(["landing", "people", "people"])


@pytest.fixture
def declared(tmp_path: Path) -> LakehouseAirbyteComponent:
    (tmp_path / "people.csv").write_text("id,name\n1,a\n")
    streams = [{"name": "people", "globs": ["*.csv"], "format": {"filetype": "csv"}}]
    configuration = {"sourceType": "files", "root": str(tmp_path), "streams": streams}
    source = Source(name=tmp_path.name, configuration=configuration)
    connection = Connection(name=tmp_path.name, namespace="people", streams=[PEOPLE], schedule="0 0 3 * * ?")
    return LakehouseAirbyteComponent(source=source, connection=connection)


def checked(
    declared: LakehouseAirbyteComponent, resource: LakehouseResource
) -> dict[str, dg.AssetCheckEvaluation]:
    """The results of the checks alone, without a sync."""
    checks = connection_checks(
        declared.source, declared.connection, stream_keys(declared.connection).values()
    )
    graph = dg.Definitions(
        assets=[dg.AssetSpec(KEY)], asset_checks=[checks], resources={"lakehouse": resource}
    )
    job = graph.resolve_implicit_global_asset_job_def()
    result = job.get_subset(asset_check_selection=set(checks.check_keys)).execute_in_process()
    assert result.success
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_a_change_by_hand_is_named_until_the_declared_is_applied(
    site: Site, declared: LakehouseAirbyteComponent, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, public = declared.connection.name, site.server.public
    nothing = checked(declared, site.resource)
    assert not nothing[AS_DECLARED].passed
    assert f"connection {name} is not in Airbyte" in (nothing[AS_DECLARED].description or "")
    assert f"has no connection '{name}'" in (nothing[LAST_SYNC].description or "")

    monkeypatch.setattr(applying, "declarations", lambda _: {Path(name): declared})
    apply_connections(site.settings)
    applied = checked(declared, site.resource)
    assert applied[AS_DECLARED].passed
    assert applied[LAST_SYNC].description == "Airbyte has ended no sync of this connection yet"

    with AirbyteClient(site.settings.airbyte) as airbyte:
        live = airbyte.connection(name)
    body = {
        "status": "inactive",
        "prefix": "x_",
        "schedule": {"scheduleType": "manual"},
        "configurations": {
            "streams": [
                {
                    "name": "people",
                    "syncMode": "full_refresh_overwrite",
                    "selectedFields": [{"fieldPath": ["_ab_source_file_last_modified"]}],
                }
            ]
        },
    }
    site.server.call("PATCH", f"{public}/connections/{live['connectionId']}", json=body)
    drifted = checked(declared, site.resource)[AS_DECLARED]
    assert (drifted.passed, drifted.severity) == (False, dg.AssetCheckSeverity.WARN)
    table = drifted.metadata["differences"]
    assert isinstance(table, dg.TableMetadataValue)
    rows = {str(record.data["field"]): record.data for record in table.records}
    mode, selected = (f"configurations.streams[people].{name}" for name in ("syncMode", "selectedFields"))
    assert set(rows) == {
        "status",
        "prefix",
        selected,
        "schedule.scheduleType",
        "schedule.cronExpression",
        mode,
    }
    assert (rows[mode]["live"], rows[mode]["declared"]) == (
        '"full_refresh_overwrite"',
        '"full_refresh_append"',
    )
    assert f"connection {name}: schedule.scheduleType is" in (drifted.description or "")

    apply_connections(site.settings)
    assert checked(declared, site.resource)[AS_DECLARED].passed


def test_they_run_with_the_sync(site: Site, declared: LakehouseAirbyteComponent) -> None:
    graph = declared.build_defs(cast("dg.ComponentLoadContext", None))
    graph = dg.Definitions.merge(graph, dg.Definitions(resources={"lakehouse": site.resource}))
    live = site.connect("files", declared.source.configuration, PEOPLE)
    live.patch(name=declared.connection.name, namespaceFormat="people")
    result = graph.resolve_job_def(f"sync_{declared.connection.name}").execute_in_process()
    assert result.success
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {AS_DECLARED: False, LAST_SYNC: True}


def test_airbyte_down_passes_nothing(tmp_path: Path, declared: LakehouseAirbyteComponent) -> None:
    (tmp_path / "lakehouse.env").write_text("LAKEHOUSE_AIRBYTE__URL=http://127.0.0.1:1\n")
    for check in checked(declared, LakehouseResource(home=str(tmp_path))).values():
        assert not check.passed
        assert (check.description or "").startswith(
            "Airbyte at http://127.0.0.1:1: does not answer; start it"
        )


def test_no_reference_is_shown_resolved() -> None:
    declared = {"user": "u", "password": "the-secret", "tunnel": {"key": "the-secret"}, "port": 1}
    written = {"user": "u", "password": "${env:P}", "tunnel": {"key": "${env:P}"}, "port": 1}
    live = {"user": "u", "port": 2}
    found = list(differences(declared, live, written=written))
    assert [(d.field, d.declared) for d in found] == [
        ("password", "${env:P}"),
        ("tunnel", {"key": "${env:P}"}),
        ("port", 1),
    ]
    named = list(
        differences(
            {"s": [{"name": "a", "key": "the-secret"}]}, {"s": []}, written={"s": [{"name": "a", "key": "$"}]}
        )
    )
    assert "the-secret" not in str(found + named)
