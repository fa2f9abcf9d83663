from lakehouse_tests.embedded.airbyte.fixtures import airbyte, database, postgres_port
from lakehouse_tests.embedded.airbyte.mariadb import mariadb, mariadb_server

__all__ = ["airbyte", "database", "mariadb", "mariadb_server", "postgres_port"]
