"""Pages of the repository that the site shows too, and links that lead out of docs/ (a hook of mkdocs)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SHOWN = {
    "CONTRIBUTING.md": "contributing.md",
    "docker/README.md": "docker.md",
    "CHANGELOG.md": "changelog.md",
}
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]+)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that stand elsewhere in the repository."""
    for path, shown in SHOWN.items():
        files.append(File.generated(config, shown, content=(ROOT / path).read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """What is in the site is linked there; of other files of the repository the name stands without a link.

    A link to nothing is left as it is, and fails the strict build.
    """
    source = next((path for path, shown in SHOWN.items() if shown == page.file.src_uri), None)
    folder = (ROOT / source if source else ROOT / "docs" / page.file.src_uri).parent
    depth = "../" * page.file.src_uri.count("/")

    def shown(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if "://" in target:
            return link[0]
        path = (folder / target).resolve()
        inside = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
        if inside in SHOWN:
            return f"[{text}]({depth}{SHOWN[inside]}{anchor})"
        if inside.startswith("docs/"):
            return f"[{text}]({depth}{inside.removeprefix('docs/')}{anchor})"
        return text if path.exists() else link[0]

    return _LINK.sub(shown, markdown)
