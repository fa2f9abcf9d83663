"""The page in chromium: what a person sees, on a phone, by keyboard, in the dark, and what axe has to say about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Page

from lakehouse.api.application import application
from lakehouse.api.platform import Platform
from lakehouse.clients.dremio import DremioClient
from lakehouse.settings import load_settings
from lakehouse_tests.api.conftest import TOKEN, write_history
from lakehouse_tests.api.served import served
from lakehouse_tests.e2e.browser import Browser, browser
from lakehouse_tests.warehouse import Warehouse

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

AXE = Path(__file__).parents[2] / "test-results" / "node_modules" / "axe-core" / "axe.min.js"
SECTIONS = ("Layers", "Alerts", "Datasets", "Runs", "Syncs", "Slowest queries of the last day", "Reflections")
PHONE = {"width": 375, "height": 740}
DESK = {"width": 1280, "height": 860}
REVENUE = "SELECT day, SUM(n) AS n FROM lake.bronze.numbers GROUP BY day"
REFLECTION = "reflections/fct_orders/agg_daily_revenue"


@pytest.fixture(scope="module")
def seen(warehouse: Warehouse) -> Iterator[Browser]:
    """The page of a platform with a history, and with a reflection that answered three queries."""
    (warehouse.home / "dagster").mkdir()
    instance = dg.DagsterInstance.local_temp(str(warehouse.home / "dagster"))
    platform = Platform(load_settings(warehouse.home), instance)
    write_history(platform)
    use_a_reflection(platform)
    with (
        served(application(platform, [TOKEN], requests_per_second=1000)) as client,
        browser(str(client.base_url).rstrip("/")) as window,
    ):
        yield window
    instance.dispose()


def use_a_reflection(platform: Platform) -> None:
    with DremioClient(platform.settings.dremio) as dremio:
        dremio.query(REVENUE)
        dataset = dremio.by_path("lake", "bronze", "numbers")
        assert dataset is not None
        state = dremio.create_reflection(
            {
                "name": "by_day",
                "type": "AGGREGATION",
                "datasetId": dataset["id"],
                "enabled": True,
                "dimensionFields": [{"name": "day"}],
                "measureFields": [{"name": "n", "measureTypeList": ["SUM", "COUNT"]}],
            }
        )
        for _ in range(600):
            if dremio.execute(REVENUE).uses(state.id):
                break
        for _ in range(3):
            dremio.query(REVENUE)
    platform.instance.report_runless_asset_event(
        dg.AssetMaterialization(
            REFLECTION.split("/"),
            metadata={"dremio/reflection_id": state.id, "dremio/status": "CAN_ACCELERATE"},
        )
    )


def logged_in(seen: Browser, size: Any = DESK) -> Page:
    page = seen.page
    page.set_viewport_size(size)
    page.goto(seen.address)
    if page.get_by_label("Token").count():
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Reflections", exact=True).wait_for()
    return page


def findings(page: Page) -> list[str]:
    """What axe finds, one line each."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    assert len(found["passes"]) > 10
    return [
        f"{one['id']}: {one['help']}: {node['html'][:120]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.fixture
def axe() -> None:
    if not AXE.is_file():
        problem = f"no axe-core here: npm install --prefix test-results axe-core@4.10.3 ({AXE})"
        if "axe" in os.environ.get("TESTS_REQUIRE", "").split(","):
            pytest.fail(problem)
        pytest.skip(problem)


def test_a_wrong_token_is_told_and_the_right_one_lets_in(seen: Browser, axe: None) -> None:
    page = seen.page
    page.goto(seen.address)
    assert findings(page) == []
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("This token is not accepted").wait_for()
    assert findings(page) == []
    seen.picture("page-login")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Lakehouse").wait_for()


def test_every_section_is_there_and_nothing_complains(seen: Browser) -> None:
    page = logged_in(seen)  # before, the browser itself tells of the 401 that asks for a token
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.reload()
    for name in SECTIONS:
        assert page.get_by_role("heading", name=name, exact=True).is_visible()
    assert page.get_by_role("row").filter(has_text="silver/stg_customers").get_by_text("fresh").is_visible()
    assert page.get_by_text("AssetStale", exact=True).is_visible()
    asked = page.get_by_role("row").filter(has_text="SELECT day, SUM(n)")
    assert asked.count() >= 4
    used = page.get_by_role("row").filter(has_text=REFLECTION).last.get_by_role("cell").first
    assert int(used.inner_text()) >= 3
    assert said == []
    seen.picture("page")


def test_axe_finds_nothing_in_the_light_and_in_the_dark(seen: Browser, axe: None) -> None:
    page = logged_in(seen)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert findings(page) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert findings(page) == []
    seen.picture("page-dark")
    page.emulate_media(color_scheme="light")


def test_on_a_phone_the_page_is_no_wider_than_the_screen(seen: Browser, axe: None) -> None:
    page = logged_in(seen, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert findings(page) == []
    seen.picture("page-phone")


def test_the_keyboard_reaches_what_there_is(seen: Browser) -> None:
    page = logged_in(seen)
    page.reload()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the datasets")
    assert skip.evaluate("link => link === document.activeElement")
    box = skip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "datasets"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("landing/")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_who_logs_out_is_asked_again(seen: Browser) -> None:
    page = logged_in(seen)
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Token").wait_for()
