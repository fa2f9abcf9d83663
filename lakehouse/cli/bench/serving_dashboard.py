"""How long a person waits for the dashboard "Customer analytics", in chromium over Superset over the engine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse.cli.bench.home import bench_home
from lakehouse.cli.bench.result import Result, at_most
from lakehouse.errors import PermanentError

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from lakehouse.settings import Settings

SLUG = "customer_analytics"
COLD_SECONDS, WARM_SECONDS = 5.0, 1.0
_REPEATS = 3
_CHROMIUM = "chromium"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_DRAWN = """charts => {
    const holders = [...document.querySelectorAll('.dashboard-component-chart-holder')];
    return holders.length === charts && holders.every(holder =>
        holder.querySelector('canvas, table tbody tr, .header-line') && !holder.querySelector('.loading'));
}"""
"""Whether every chart shows data and none is waiting for it."""


def dashboard() -> list[Result]:
    """Its page with Superset's cache empty, then from the list of dashboards when it has every answer; at scale 1.

    `warm` is in a window that has shown it before; in a new one the browser has to read Superset's program first.

    Raises:
        PermanentError: no chromium or playwright here, or the dashboard does not come.
    """
    from lakehouse.clients.flight import FlightSql
    from lakehouse.clients.superset.client import SupersetClient
    from lakehouse.clients.superset.open import opened
    from lakehouse.defs.project import declared_boards
    from lakehouse.embedded.credentials import ensure_credentials
    from lakehouse.embedded.ports import free_port
    from lakehouse.settings import load_settings

    charts = len(declared_boards()[SLUG].board.charts)
    with bench_home() as home:
        ensure_credentials(home.path, {"LAKEHOUSE_SUPERSET__URL": f"http://127.0.0.1:{free_port()}"})
        home.run("superset", "install")
        home.run("demo")
        home.run("up", "--detach", "--only=dremio", "--with=superset")
        settings = load_settings(home.path)
        with SupersetClient(settings.superset) as superset:
            ids = superset.charts(SLUG)
            asked = min(_seconds(lambda: opened(superset, ids, force=True)) for _ in range(_REPEATS))
            statements = [superset.statement(chart) for chart in ids.values()]
        flight = FlightSql(settings.dremio)
        bare = min(_seconds(lambda: [flight.query(sql) for sql in statements]) for _ in range(_REPEATS))
        flight.close()
        with signed_in(settings) as page:
            for answer in (home.path / "superset" / "cache").iterdir():
                answer.unlink()
            cold = page_seconds(page, settings, charts)
            new_window, warm = click_seconds(page, settings, charts)
    return [
        at_most("serving.dashboard.cold", cold, COLD_SECONDS, goal=1.0, of="the budget"),
        at_most("serving.dashboard.warm", warm, WARM_SECONDS, goal=1.0, of="the budget"),
        at_most("serving.dashboard.warm.new_window", new_window, WARM_SECONDS, goal=1.0, of="the budget"),
        at_most("serving.dashboard.data", asked, bare, goal=20.0, of="the same statements over bare Flight"),
    ]


@contextmanager
def signed_in(settings: Settings) -> Iterator[Page]:
    """A window of chromium in which the service user has logged in."""
    program = shutil.which(_CHROMIUM)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        raise PermanentError(
            "needs chromium and playwright", remedy="apt-get install chromium; pip install playwright"
        )
    password = settings.superset.password
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-chromium-") as profile,
        sync_playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=_FLAGS, viewport={"width": 1440, "height": 1150}
        )
        page = context.pages[0]
        page.goto(f"{settings.superset.url}/login/")
        page.locator("input[name=username], #username").first.fill(settings.superset.user)
        page.locator("input[name=password], #password").first.fill(
            password.get_secret_value() if password else ""
        )
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/welcome/**")
        page.wait_for_load_state("networkidle")
        yield page
        context.close()


def page_seconds(page: Page, settings: Settings, charts: int) -> float:
    """From the request for the page until every chart shows its data."""
    started = time.monotonic()
    page.goto(f"{settings.superset.url}/superset/dashboard/{SLUG}/", wait_until="commit")
    return _until_drawn(page, charts, started)


def click_seconds(page: Page, settings: Settings, charts: int) -> tuple[float, float]:
    """From the click in the list of dashboards until every chart shows its data: in a new window, and again in it."""
    page.goto(f"{settings.superset.url}/dashboard/list/", wait_until="networkidle")
    seconds = []
    for _ in range(1 + _REPEATS):
        link = page.locator(f"a[href*='/superset/dashboard/{SLUG}']").first
        link.wait_for()
        started = time.monotonic()
        link.click(no_wait_after=True)
        seconds.append(_until_drawn(page, charts, started))
        page.wait_for_load_state("networkidle")
        page.go_back()
        page.wait_for_url("**/dashboard/list/**")
        page.wait_for_load_state("networkidle")
    return seconds[0], min(seconds[1:])


def _until_drawn(page: Page, charts: int, started: float) -> float:
    page.wait_for_function(_DRAWN, arg=charts, timeout=60_000, polling=20)
    return time.monotonic() - started


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
