"""`python -m lakehouse.embedded.airbyte.connectors.files spec|check|discover|read`."""

import sys

from lakehouse.embedded.airbyte.connectors.command_line import run
from lakehouse.embedded.airbyte.connectors.files.source import FilesSource

sys.exit(run(FilesSource()))
