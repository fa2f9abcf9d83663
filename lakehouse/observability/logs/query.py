"""What one looks for in the logs, the same for every store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lakehouse.errors import ConfigurationError
from lakehouse.observability.logs.record import KEYWORDS, LEVELS, LogRecord

_PIECE = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Phrase:
    """Words that follow each other in a message, in any case; the last may be the beginning of one."""

    text: str
    prefix: bool = False


@dataclass(frozen=True)
class LogQuery:
    """Records that hold every phrase of the text, and in every named field one of the values."""

    text: str = ""
    """Words and "quoted phrases", all of which a message must hold; `recor*` is the beginning of a word."""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of KEYWORDS, with the values that are looked for."""
    since: datetime | None = None
    """At this moment or later."""
    until: datetime | None = None
    """Before this moment."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what cannot be looked for."""
        for name in self.fields:
            if name not in KEYWORDS:
                raise ConfigurationError(
                    f"is no field to look for: {name}", where="log search", remedy=_KNOWN
                )
        for level in self.fields.get("level", ()):
            if level not in LEVELS:
                raise ConfigurationError(
                    f"there is no level {level!r}",
                    where="log search",
                    remedy=f"known are {', '.join(LEVELS)}",
                )
        if self.text.strip() and not self.phrases:
            raise ConfigurationError(
                f"holds no word: {self.text!r}", where="log search", remedy="give a word"
            )

    @property
    def phrases(self) -> list[Phrase]:
        """What the text asks for. Signs separate words: `gold.fct_orders` is three that follow each other."""
        found = []
        for quoted, bare in _PIECE.findall(self.text):
            prefix = bare.endswith("*")
            words = quoted or bare.rstrip("*")
            if _WORD.search(words):
                found.append(Phrase(words, prefix))
        return found


_KNOWN = f"known are {', '.join(KEYWORDS)}"


@dataclass(frozen=True)
class Page:
    """Records, newest first."""

    records: list[LogRecord]
    next: str | None
    """Gives the page of older records; None when there are none."""
