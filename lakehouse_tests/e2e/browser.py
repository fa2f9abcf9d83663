"""Debian's chromium, driven by playwright from PyPI: pages of the Dagster UI, and pictures of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

PICTURES = "TEST_SCREENSHOTS"
"""The folder that pictures are written to; without it none are kept."""
_CHROMIUM = "chromium"
# No sandbox: tests run as root in containers, where chromium refuses to start with one.
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_SECONDS = 60


@dataclass(frozen=True)
class Browser:
    """One window; `address` is where the Dagster UI is served."""

    page: Page
    address: str

    def open(self, path: str, wait_for: str) -> None:
        """Open a page of the UI and wait until this text is there."""
        self.page.goto(f"{self.address}/{path}", wait_until="domcontentloaded")
        self.text(wait_for).wait_for()

    def text(self, text: str) -> Locator:
        """The first visible place with exactly this text."""
        return self.page.get_by_text(text, exact=True).locator("visible=true").first

    def picture(self, name: str) -> None:
        """Keep a picture of the window, where a folder for it is named."""
        if folder := os.environ.get(PICTURES):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.wait_for_timeout(3000)  # what is drawn gets its colours after it is there
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@contextmanager
def browser(address: str) -> Iterator[Browser]:
    """A browser without history. Tests are skipped without chromium, and fail where it is required."""
    program = shutil.which(_CHROMIUM)
    if program is None:
        problem = "no chromium here; it is Debian's package of that name"
        if _CHROMIUM in os.environ.get("TESTS_REQUIRE", "").split(","):
            pytest.fail(problem)
        pytest.skip(problem)
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-chromium-") as profile,
        sync_playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            headless=True,
            args=_FLAGS,
            viewport={"width": 1440, "height": 860},
        )
        context.set_default_timeout(_SECONDS * 1000)
        try:
            yield Browser(context.pages[0], address)
        finally:
            context.close()
