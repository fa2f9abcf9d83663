"""What a person sees and does in the Dagster UI, over the running stack with the flights of 2013."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tenacity
import yaml

from lakehouse_tests.e2e.browser import Browser, browser
from lakehouse_tests.e2e.demo_process import Home
from lakehouse_tests.observability.alerts.receiver import Receiver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LAYERS = ("landing", "bronze", "silver", "gold", "reflections", "serving")
PUNCTUALITY, CARRIERS = "gold/fct_daily_punctuality", "gold/dim_carriers"
IN_A_LINE = ("landing", "bronze", "silver", "gold", "serving")
DAYS = "[2013-03-01...2013-03-05]"


@pytest.fixture(scope="module")
def webhook() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory, webhook: Receiver) -> Iterator[Browser]:
    """The UI of a lakehouse that holds the flights; its carriers are stale a minute after they were made."""
    folder = tmp_path_factory.mktemp("browser")
    home = Home(folder / "home", project_with_stale_carriers(folder / "project"))
    home.environ |= {
        "FRESHNESS_DAEMON_INTERVAL_SECONDS": "5",
        "LAKEHOUSE_ALERTS__FILE": str(alerts_to(webhook, folder / "alerts.yaml")),
    }
    with browser(f"http://127.0.0.1:{home.environ['LAKEHOUSE_DAGSTER__PORT']}") as window:
        try:
            ran(home, "up", "--detach", "--only=airbyte", "--only=dremio")
            ran(home, "connections", "apply", "flights")
            ran(home, "refresh", "flights")
            ran(home, "down")
            ran(home, "up", "--detach", "--only=dremio", "--only=dagster")
            yield window
        finally:
            home.run("down")


def project_with_stale_carriers(project: Path) -> Path:
    made = shutil.ignore_patterns("target", "logs", "__pycache__")
    for name in ("lakehouse", "dbt_project"):
        shutil.copytree(ROOT / name, project / name, ignore=made)
    shutil.copy(ROOT / "pyproject.toml", project)
    declared = project / "dbt_project" / "models" / "marts" / "flights" / "marts_flights.yml"
    document = yaml.safe_load(declared.read_text())
    (carriers,) = [model for model in document["models"] if model["name"] == "dim_carriers"]
    carriers["config"]["meta"]["lakehouse"]["freshness"] = {"fail_after": "1m"}
    declared.write_text(yaml.safe_dump(document, sort_keys=False))
    return project


def alerts_to(webhook: Receiver, file: Path) -> Path:
    sinks = {"pager": {"type": "webhook", "url": webhook.url}}
    file.write_text(yaml.safe_dump({"sinks": sinks, "routes": [{"name": "all", "sinks": ["pager"]}]}))
    return file


def ran(home: Home, *arguments: str) -> None:
    done = home.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_graph_shows_the_layers_in_order(ui: Browser) -> None:
    ui.open("asset-groups", "reflections")
    for layer in LAYERS:
        listed_and_drawn = ui.page.get_by_text(layer, exact=True).locator("visible=true")
        listed_and_drawn.nth(1).wait_for()
    ui.picture("layers")
    ui.open(f"assets/{PUNCTUALITY}?view=lineage&lineageScope=neighbors&lineageDepth=5", "fct_departures")
    boxes = [ui.text(layer).bounding_box() for layer in IN_A_LINE]
    lefts = [box["x"] for box in boxes if box]
    assert len(lefts) == len(IN_A_LINE)
    assert lefts == sorted(lefts)
    ui.picture("lineage")


def test_the_partition_bar_counts_every_day_of_the_year(ui: Browser) -> None:
    ui.open(f"assets/{PUNCTUALITY}?view=partitions", "Materialized (365)")
    for none in ("Failed (0)", "Missing (0)"):
        assert ui.text(none).is_visible()


def test_a_backfill_launched_by_clicks_builds_its_days_again(ui: Browser) -> None:
    inside, outside = run_of(ui, "2013-03-03"), run_of(ui, "2013-03-06")
    ui.page.get_by_role("button", name="Materialize").first.click()
    dialog = ui.page.get_by_role("dialog")
    days = dialog.get_by_placeholder("ex: 2013")
    days.fill(DAYS)
    days.press("Enter")
    dialog.get_by_text("5 partitions", exact=True).wait_for()
    ui.picture("backfill")
    dialog.get_by_role("button", name="Launch backfill").click()
    ui.text("View").click()  # in the note that the backfill was created
    ui.page.wait_for_url("**/runs/b/*")
    ui.text("100% completed").wait_for(timeout=240_000)
    assert run_of(ui, "2013-03-03") != inside
    assert run_of(ui, "2013-03-06") == outside
    assert ui.text("Materialized (365)").is_visible()
    ui.picture("partitions")


def run_of(ui: Browser, day: str) -> str:
    """The run that the page of a day says made it."""
    ui.open(f"assets/{PUNCTUALITY}?view=partitions&partition={day}", "Latest materialization")
    return ui.page.locator("a[href*='/runs/']").first.inner_text()


def test_what_is_late_turns_red_and_the_alert_arrives(ui: Browser, webhook: Receiver) -> None:
    ui.open(f"assets/{CARRIERS}?view=overview", "Freshness policy")
    ui.text("Failed").wait_for(timeout=120_000)
    ui.picture("stale")
    stale = ("firing", f"AssetStale/{CARRIERS}")
    for attempt in tenacity.Retrying(stop=tenacity.stop_after_delay(90), wait=tenacity.wait_fixed(0.5)):
        with attempt:
            assert stale in webhook.told
    time.sleep(20)  # one more look of the sensor
    assert webhook.told.count(stale) == 1
