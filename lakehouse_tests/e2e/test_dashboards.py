"""The dashboard of the project in a real Superset over the real engine, through the asset and in a browser.

One start of Superset serves all of it, and who gets in is asked here too: a start takes half a minute.
"""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from lakehouse.clients.superset.bundle import bundle_of
from lakehouse.clients.superset.client import SupersetClient
from lakehouse.defs.project import declared_boards, declared_datasets
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.serving.assets import dashboard_asset
from lakehouse.defs.serving.checks import charts_answer
from lakehouse.errors import ServiceRefusedError
from lakehouse.settings import Settings, load_settings
from lakehouse_tests.e2e.browser import browser
from lakehouse_tests.e2e.gold_tables import make_gold
from lakehouse_tests.superset import PASSWORD as SUPERSET_PASSWORD
from lakehouse_tests.superset import Superset, new_superset, running
from lakehouse_tests.warehouse import Warehouse, running_warehouse

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SLUG = "customer_analytics"
KEY = dg.AssetKey(["serving", SLUG])


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as made:
        make_gold(made.engine, declared_boards()[SLUG].datasets, datetime.now(UTC).date())
        yield made


@pytest.fixture(scope="module")
def superset(warehouse: Warehouse) -> Iterator[Superset]:
    with running(new_superset(warehouse.home)) as server:
        keys = {"URL": server.url, "PASSWORD": SUPERSET_PASSWORD}
        with (warehouse.home / "lakehouse.env").open("a") as file:
            file.writelines(f"LAKEHOUSE_SUPERSET__{key}={value}\n" for key, value in keys.items())
        yield server


@pytest.fixture(scope="module")
def settings(warehouse: Warehouse, superset: Superset) -> Settings:
    return load_settings(warehouse.home)


@pytest.fixture(scope="module")
def first(warehouse: Warehouse, settings: Settings) -> dg.ExecuteInProcessResult:
    return materialized(settings.home)


def materialized(home: Path) -> dg.ExecuteInProcessResult:
    declared = declared_boards()[SLUG]
    return dg.materialize(
        [dashboard_asset(declared.dashboard, declared_datasets(), declared), charts_answer(declared)],
        resources={"lakehouse": LakehouseResource(home=str(home))},
        selection=dg.AssetSelection.assets(KEY),
        raise_on_error=False,
    )


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_the_asset_brings_the_dashboard_and_warms_every_chart(first: dg.ExecuteInProcessResult) -> None:
    assert first.success
    metadata = told(first)
    assert metadata["superset/imported"] is True
    assert metadata["cache_hit_rate"] == 1
    assert metadata["rows/fct_orders"] == 180
    assert metadata["chart rows/Revenue by day"] == 30
    assert metadata["chart rows/Orders by status"] == 3
    assert metadata["superset"].endswith(f"/superset/dashboard/{SLUG}/")
    assert metadata["load_seconds"] > 0
    (check,) = first.get_asset_check_evaluations()
    assert check.passed, check.description
    assert check.metadata["cache_hit_rate"].value == 1


def test_what_people_see_are_the_figures_of_the_lake(
    settings: Settings, first: dg.ExecuteInProcessResult
) -> None:
    with browser(settings.superset.url or "") as window:
        page, shown = window.page, []
        page.goto(f"{window.address}/login/")
        page.locator("input[name=username], #username").first.fill(settings.superset.user)
        page.locator("input[name=password], #password").first.fill(SUPERSET_PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/welcome/**")
        page.on("response", lambda r: shown.append(r) if "/api/v1/chart/data" in r.url else None)
        window.open(f"superset/dashboard/{SLUG}/", "Best customers")
        for figure in ("12", "650.00", "300", "120", "CUSTOMER 12"):
            window.text(figure).wait_for()
        page.locator("canvas").nth(2).wait_for()
        window.picture("customer-analytics")
        answers = [response.json()["result"][0] for response in shown]
        assert len(answers) == len(declared_boards()[SLUG].board.charts)
        # The browser makes its queries itself: what was warmed is what it asks for.
        assert [answer["is_cached"] for answer in answers] == [True] * len(answers)


def test_again_imports_nothing(
    superset: Superset, settings: Settings, first: dg.ExecuteInProcessResult
) -> None:
    before = everything(superset)
    assert told(materialized(settings.home))["superset/imported"] is False
    assert everything(superset) == before


def test_an_import_of_the_same_changes_nothing(
    superset: Superset, settings: Settings, first: dg.ExecuteInProcessResult
) -> None:
    bundle = bundle_of(declared_boards()[SLUG], settings, settings.environ["LAKEHOUSE_DREMIO__PASSWORD"])
    with SupersetClient(settings.superset) as client:
        charts, before = client.charts(SLUG), everything(superset)
        assert len(before) == 1 + 4 + 8 + 1
        client.upload(bundle)
        assert client.charts(SLUG) == charts
        assert everything(superset) == before


def everything(superset: Superset) -> dict[str, Any]:
    """All that Superset holds, as it exports it."""
    with superset.logged_in() as http:
        exported = http.get("/api/v1/assets/export/").content
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        files = {name.partition("/")[2]: yaml.safe_load(archive.read(name)) for name in archive.namelist()}
    del files["metadata.yaml"]  # has the time of the export
    return files


def test_a_data_set_of_somebody_else_is_named(settings: Settings, first: dg.ExecuteInProcessResult) -> None:
    bundle = bundle_of(declared_boards()[SLUG], settings, "another password, so there is something to import")
    files = {name: dict(content) for name, content in bundle.files.items()}
    files["datasets/lakehouse/fct_orders.yaml"]["uuid"] = "00000000-0000-0000-0000-000000000001"
    other = type(bundle)(bundle.slug, files, bundle.passwords, bundle.digest)
    with SupersetClient(settings.superset) as client, pytest.raises(ServiceRefusedError) as caught:
        client.publish(other)
    assert "has a data set fct_orders that somebody made" in str(caught.value)


def test_superset_writes_functions_as_they_are(superset: Superset, first: dg.ExecuteInProcessResult) -> None:
    year = "TO_CHAR(order_date, 'YYYY')"
    sql = f"SELECT {year} AS y, COUNT(*) AS n FROM lake.gold.fct_daily_revenue GROUP BY {year}"
    with superset.logged_in() as http:
        rows = http.post("/api/v1/sqllab/execute/", json={"database_id": 1, "sql": sql}).json()["data"]
    assert sum(row["n"] for row in rows) == 45
    assert {len(row["y"]) for row in rows} == {4}


def test_a_chart_without_its_table_fails_the_check_by_name(
    warehouse: Warehouse, settings: Settings, first: dg.ExecuteInProcessResult
) -> None:
    warehouse.engine.rows("DROP TABLE lake.gold.customer_metrics")
    for cached in (settings.home / "superset" / "cache").iterdir():
        cached.unlink()
    declared = declared_boards()[SLUG]
    result = dg.materialize(
        [charts_answer(declared)],
        resources={"lakehouse": LakehouseResource(home=str(settings.home))},
        selection=dg.AssetSelection.all_asset_checks(),
    )
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert "customer_metrics" in (check.description or "")
    assert "chart '" in (check.description or "")


def test_without_superset_the_asset_says_so(warehouse: Warehouse, tmp_path: Path) -> None:
    lines = (warehouse.home / "lakehouse.env").read_text().splitlines(keepends=True)
    (tmp_path / "lakehouse.env").write_text("".join(line for line in lines if "SUPERSET" not in line))
    make_again = declared_boards()[SLUG].datasets["customer_metrics"]
    warehouse.engine.rows(f"CREATE TABLE {make_again.relation} AS SELECT 1 AS customer_id")
    result = materialized(tmp_path)
    assert result.success
    assert told(result)["superset"].startswith("not configured (LAKEHOUSE_SUPERSET__URL)")
    (check,) = result.get_asset_check_evaluations()
    assert check.description == "No Superset is configured."


def test_nothing_answers_without_a_login(superset: Superset) -> None:
    assert superset.with_password("wrong").answer_to_login().status_code == 401
    with superset.http() as http:
        for path in ("/api/v1/dashboard/", "/api/v1/database/", "/api/v1/dataset/", "/api/v1/me/"):
            assert http.get(path).status_code == 401, path
        assert http.get("/superset/welcome/").headers["location"].startswith("/login")
    with sqlite3.connect(superset.home / "superset" / "superset.db") as metadata:
        of_the_public = """SELECT COUNT(*) FROM ab_permission_view_role
            JOIN ab_role ON ab_role.id = role_id WHERE ab_role.name = 'Public'"""
        assert metadata.execute(of_the_public).fetchone() == (0,)


def test_a_change_needs_the_token_against_forged_requests(superset: Superset) -> None:
    body = {"dashboard_title": "forged"}
    with superset.logged_in() as http:
        refused = http.post("/api/v1/dashboard/", json=body, headers={"X-CSRFToken": ""})
        assert refused.status_code == 400
        assert "CSRF" in refused.text
        made = http.post("/api/v1/dashboard/", json=body)
        assert made.status_code == 201
        http.delete(f"/api/v1/dashboard/{made.json()['id']}")


def test_what_it_keeps_is_private(superset: Superset) -> None:
    folder = superset.home / "superset"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "superset.db").stat().st_mode & 0o077 == 0


def test_a_second_start_takes_the_new_password_and_keeps_the_rest(superset: Superset) -> None:
    changed = new_superset(superset.home).with_password("another-password-of-the-tests")
    with running(changed):
        assert superset.answer_to_login().status_code == 401
        with changed.logged_in() as http:
            assert http.get("/api/v1/me/").json()["result"]["username"] == changed.login.user
    log = (superset.home / "logs" / "superset.jsonl").read_text()
    assert log.count("migrating the metadata database") == 1
