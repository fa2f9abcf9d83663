"""The commands that the pages of the documentation show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "docker" / "README.md"])
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?((?:lakehouse|make) .*)$", re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each `lakehouse …` and `make …` of the fenced blocks."""
    for block in _FENCED.findall(page.read_text()):
        for line in _COMMAND.findall(block.replace("\\\n", " ")):
            # Brackets are those of a synopsis: what they enclose is an option that exists.
            synopsis = line.replace("[", "").replace("]", "")
            yield shlex.split(re.split(r" [|>] ", synopsis)[0], comments=True)
