"""The error root of the embedded services: one clear line for people."""

from __future__ import annotations


class EmbeddedError(Exception):
    """Root of every error the laptop stack raises on purpose.

    `str(error)` is one line: what is wrong, where, and what to do. It has the shape of the platform's
    error root, which embedded code may not import.
    """

    def __init__(self, problem: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.problem = problem
        self.where = where
        self.remedy = remedy
        parts = [f"{where}: {problem}" if where else problem]
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts))
