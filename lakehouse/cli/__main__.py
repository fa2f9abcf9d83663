"""`python -m lakehouse.cli` is the command `lakehouse`."""

from __future__ import annotations

from lakehouse.cli import main

main()
