"""Positions in the binary log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse.embedded.airbyte.protocol import ConnectorError

_FILE_BITS = 32


@dataclass(frozen=True)
class LogPosition:
    """A place between two events: a file of the log and an offset in it."""

    file: str
    offset: int

    @property
    def cursor(self) -> int:
        """A number that grows along the whole log: source-mysql's `_ab_cdc_cursor`, file number before offset."""
        number = self.file.rpartition(".")[2]
        if not number.isdigit():
            problem = f"binary log file {self.file}: its name does not end in a number, so it has no order"
            raise ConnectorError(problem, kind="config_error")
        return (int(number) << _FILE_BITS) + self.offset

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"

    def to_state(self) -> dict[str, Any]:
        """As it is kept in a state."""
        return {"file": self.file, "pos": self.offset}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LogPosition:
        """The position of a state."""
        return cls(str(state["file"]), int(state["pos"]))
