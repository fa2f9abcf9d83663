"""`python -m lakehouse.embedded.airbyte.connectors.postgres spec|check|discover|read`."""

import sys

from lakehouse.embedded.airbyte.connectors.command_line import run
from lakehouse.embedded.airbyte.connectors.postgres.source import PostgresSource

sys.exit(run(PostgresSource()))
