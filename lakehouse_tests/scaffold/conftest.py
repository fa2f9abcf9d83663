from lakehouse_tests.embedded.airbyte.fixtures import airbyte, airbyte_of_its_own, database, postgres_port
from lakehouse_tests.embedded.airbyte.mariadb import mariadb, mariadb_server

__all__ = ["airbyte", "airbyte_of_its_own", "database", "mariadb", "mariadb_server", "postgres_port"]
