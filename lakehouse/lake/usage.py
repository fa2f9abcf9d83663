"""What the lake's objects take, by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.lake.filesystem import open_filesystem, path_of

if TYPE_CHECKING:
    from lakehouse.settings import Settings

LAYERS = ("landing", "bronze", "silver", "gold", "logs")


@dataclass(frozen=True)
class Usage:
    objects: int
    bytes: int


def usage_by_layer(settings: Settings) -> dict[str, Usage]:
    """Of each layer, empty ones and folders of other names included. Lists every object of the lake."""
    from pyarrow.fs import FileSelector, FileType

    root = path_of(settings.lake)
    sizes: dict[str, list[int]] = {layer: [] for layer in LAYERS}
    for found in open_filesystem(settings).get_file_info(
        FileSelector(root, recursive=True, allow_not_found=True)
    ):
        if found.type == FileType.File:
            layer = found.path.removeprefix(root).lstrip("/").split("/")[0]
            sizes.setdefault(layer, []).append(found.size)
    return {layer: Usage(len(found), sum(found)) for layer, found in sizes.items()}
