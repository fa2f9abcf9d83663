"""`python -m lakehouse.embedded.airbyte.connectors.mysql spec|check|discover|read`."""

import sys

from lakehouse.embedded.airbyte.connectors.command_line import run
from lakehouse.embedded.airbyte.connectors.mysql.source import MysqlSource

sys.exit(run(MysqlSource()))
