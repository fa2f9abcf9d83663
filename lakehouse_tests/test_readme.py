"""The README says what is: its settings, commands and links are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from lakehouse.cli.app import COMMANDS
from lakehouse.settings import known_keys, load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_settings_table_is_complete_and_has_the_defaults(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(LAKEHOUSE_\w+)` \|\s*`?([^|`]*?)`?\s*\|", README, re.MULTILINE)
    assert [key for key, _ in rows] == known_keys()
    values = load_settings(tmp_path).environ
    stated = {key: default for key, default in rows if default and "home" not in default.lower()}
    for key, default in stated.items():
        if default not in ("generated", "~/.lakehouse"):
            assert values[key].lower() == default.lower(), key


def test_every_named_command_exists() -> None:
    named = set(re.findall(r"`lakehouse (\w+)", README))
    assert named <= set(COMMANDS)
    assert {"up", "down", "status", "query", "serve"} <= named


def test_make_targets_and_links_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"^make (\w+)", README, re.MULTILINE)) | {"help", "lint"}:
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
    for path in re.findall(r"^\| `([a-z_/]+/)` \|", README, re.MULTILINE):
        assert (ROOT / path).is_dir(), path
