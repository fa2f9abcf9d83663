from lakehouse_tests.embedded.airbyte.fixtures import (
    airbyte,
    airbyte_of_its_own,
    database,
    postgres_of_its_own,
    postgres_port,
)
from lakehouse_tests.embedded.airbyte.mariadb import mariadb, mariadb_of_its_own, mariadb_server

__all__ = [
    "airbyte",
    "airbyte_of_its_own",
    "database",
    "mariadb",
    "mariadb_of_its_own",
    "mariadb_server",
    "postgres_of_its_own",
    "postgres_port",
]
