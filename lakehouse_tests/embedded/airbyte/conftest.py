from lakehouse_tests.embedded.airbyte.fixtures import airbyte, airbyte_of_its_own, database, postgres_port

__all__ = ["airbyte", "airbyte_of_its_own", "database", "postgres_port"]
