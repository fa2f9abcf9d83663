"""The documentation: every command in it is one, and the site builds without a broken link."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from lakehouse.cli.app import app
from lakehouse_tests.documentation import PAGES, ROOT, commands

FOUND = [(page, words) for page in PAGES for words in commands(page)]


def parse(command: Any, words: list[str], parent: Any = None) -> None:
    """As the command line does before it calls a command. Raises what it raises, a usage error."""
    if not hasattr(command, "list_commands"):
        command.make_context(command.name, list(words), parent=parent)
        return
    context = command.context_class(command, info_name=command.name, parent=parent)
    while words and words[0] == "--debug":
        words = words[1:]
    child = command.get_command(context, words[0]) if words else None
    assert child is not None, f"no command {' '.join(words)}"
    parse(child, words[1:], context)


@pytest.mark.parametrize(("page", "words"), FOUND, ids=lambda value: getattr(value, "name", None))
def test_a_command_in_a_page_exists_with_its_options(page: Path, words: list[str]) -> None:
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{target}:.*## ", makefile, re.MULTILINE) for target in words[1:]), words
    else:
        parse(typer.main.get_command(app), words[1:])


def test_wrong_commands_are_found() -> None:
    for line in ("nonsense", "query --colour red 'select 1'", "backfill", "bench serving --case"):
        with pytest.raises(Exception, match=r"no command|No such option|Missing parameter|requires"):
            parse(typer.main.get_command(app), shlex.split(line))
    assert len(FOUND) > 40


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(https?:)?//', page.read_text())
        assert not loaded, page.name
    text = {
        name: (tmp_path / "reference" / f"{name}.html").read_text()
        for name in ("settings", "meta", "cli", "metrics", "rest", "versions")
    }
    expected = {
        "settings": "LAKEHOUSE_DREMIO__FLIGHT_PORT",
        "meta": "every_15_minutes",
        "cli": "lakehouse quarantine retry",
        "metrics": "dremio_query_duration_seconds",
        "rest": "GET /api/v1/datasets",
        "versions": "dbt-dremio",
    }
    assert [name for name, words in expected.items() if words not in text[name]] == []


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    def pages(item: Any) -> list[str]:
        if isinstance(item, str):
            return [item]
        return [page for part in (item.values() if isinstance(item, dict) else item) for page in pages(part)]

    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= set(pages(nav))
