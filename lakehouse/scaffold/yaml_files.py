"""YAML declarations on disk: written once, afterwards only added to, with everything a person wrote kept."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from lakehouse.errors import ConfigurationError

Place = tuple[str | int, ...]
_WIDE = 1_000_000
_FLAT = 100
"""Characters up to which a mapping or list is written on one line."""


@dataclass(frozen=True)
class Draft:
    """A file as it shall be; nothing is written before `write`."""

    path: Path
    text: str
    action: Literal["created", "extended", "kept"]
    added: tuple[str, ...] = ()
    """Names of the entries that an existing file gets."""
    before: str = ""
    """What an existing file holds."""

    def write(self) -> None:
        """Put it there, whole."""
        if self.action != "kept":
            self._put(self.text)

    def take_back(self) -> None:
        """Undo `write`."""
        if self.action == "created":
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # where there are other files, or there were before
                self.path.parent.rmdir()
        elif self.action == "extended":
            self._put(self.before)

    def _put(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.draft")
        draft.write_text(text)
        draft.replace(self.path)


def new_or_kept(path: Path, text: str) -> Draft:
    """A file that is only made where there is none."""
    return Draft(path, text, "kept" if path.exists() else "created")


def new_or_extended(path: Path, wanted: Mapping[str, Any], lists: tuple[Place, ...]) -> Draft:
    """The document in a new file; in an existing one only those entries of its lists whose names are missing.

    Args:
        path: the file.
        wanted: the whole document.
        lists: where the lists of named entries are; `("sources", 0, "tables")`.

    Raises:
        ConfigurationError: the existing file is no YAML, or has no such list.
    """
    if not path.exists():
        return Draft(path, yaml_text(wanted), "created")
    try:
        document = _yaml().load(path.read_text())
    except YAMLError as error:
        raise ConfigurationError(f"is no YAML: {' '.join(str(error).split())}", where=str(path)) from None
    added: list[str] = []
    for at in lists:
        there, proposed = _at(document, at, path), _at(wanted, at, path)
        names = {entry.get("name") for entry in there if isinstance(entry, Mapping)}
        missing = [entry for entry in proposed if entry["name"] not in names]
        there.extend(_formatted(entry) for entry in missing)
        added += [entry["name"] for entry in missing]
    if not added:
        return Draft(path, path.read_text(), "kept")
    return Draft(path, _text(document), "extended", tuple(dict.fromkeys(added)), path.read_text())


def yaml_text(document: Mapping[str, Any]) -> str:
    """The document as a new file has it."""
    return _text(_formatted(document))


def _at(document: Any, at: Place, path: Path) -> Any:
    for key in at:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            raise ConfigurationError(
                f"has no {'.'.join(map(str, at))}",
                where=str(path),
                remedy="it was changed too much to be added to: give --name another name",
            ) from None
    return document


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = _WIDE
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _text(document: Any) -> str:
    text = StringIO()
    _yaml().dump(document, text)
    return text.getvalue()


def _formatted(value: Any) -> Any:
    """The value as ruamel keeps it, with what is short on one line."""
    if isinstance(value, Mapping):
        made: Any = CommentedMap((key, _formatted(item)) for key, item in value.items())
    elif isinstance(value, list | tuple):
        made = CommentedSeq(_formatted(item) for item in value)
    else:
        return value
    if len(str(value)) <= _FLAT and not any(_is_long(item) for item in _items(value)):
        made.fa.set_flow_style()
    return made


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else list(value)


def _is_long(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and len(str(value)) > _FLAT
