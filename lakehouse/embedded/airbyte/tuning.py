"""How hard one job may work: set on the server, handed to each worker as arguments."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """`threads` streams are read at once, or as many parts of one large table; a log `batch_size` rows at a time.

    `buffer_size_mb` is how many megabytes of rows may wait in memory between reading and writing.
    """

    threads: int = 2
    batch_size: int = 20_000
    buffer_size_mb: int = 200

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    def arguments(self) -> list[str]:
        """The worker's arguments that `of_options` reads back."""
        return [
            f"--threads={self.threads}",
            f"--batch-size={self.batch_size}",
            f"--buffer-size-mb={self.buffer_size_mb}",
        ]

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Teaches a parser the arguments."""
        parser.add_argument("--threads", type=int, default=cls.threads)
        parser.add_argument("--batch-size", type=int, default=cls.batch_size)
        parser.add_argument("--buffer-size-mb", type=int, default=cls.buffer_size_mb)

    @classmethod
    def of_options(cls, options: argparse.Namespace) -> Tuning:
        """What the arguments said. Raises ValueError for a number below 1."""
        return cls(options.threads, options.batch_size, options.buffer_size_mb)
