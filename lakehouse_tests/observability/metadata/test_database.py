"""The metadata database comes about by itself, whoever is first, and is never used by the wrong version."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from lakehouse.errors import ConfigurationError, PermanentError, TransientError
from lakehouse.observability.metadata.database import MetadataDatabase, metadata_database
from lakehouse.observability.metadata.tables import REVISION
from lakehouse.observability.metadata.tables import metadata as tables
from lakehouse.settings import load_settings

USE_IT = """
import sys
from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.tables import sync_history
import sqlalchemy as sa
print("ready", flush=True)
sys.stdin.readline()
with MetadataDatabase(sys.argv[1]).transaction() as connection:
    connection.execute(sa.insert(sync_history).values(
        connection="shop", job_id=int(sys.argv[2]), started=sa.func.current_timestamp(), status="ok", rows=0, bytes=0))
"""


def test_it_is_made_at_the_first_use(metadata: MetadataDatabase) -> None:
    with metadata.transaction() as connection:
        names = set(sa.inspect(connection).get_table_names())
    assert names == {*tables.tables, "alembic_version"}


def test_models_and_migrations_agree(metadata: MetadataDatabase) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with metadata.transaction() as connection:
        options = {"compare_type": True, "compare_server_default": False}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables) == []
        assert context.get_current_revision() == REVISION


def test_the_types_are_those_of_the_specification(metadata: MetadataDatabase) -> None:
    with metadata.transaction() as connection:
        found = {
            (table, column["name"]): str(column["type"]).lower()
            for table in ("airbyte_state", "dbt_run_history")
            for column in sa.inspect(connection).get_columns(table)
        }
        required = {c["name"]: c["nullable"] for c in sa.inspect(connection).get_columns("airbyte_state")}
    if metadata.engine.dialect.name == "postgresql":
        assert found["airbyte_state", "connection_id"] == found["dbt_run_history", "run_id"] == "uuid"
        assert found["airbyte_state", "state"] == found["dbt_run_history", "metadata"] == "jsonb"
        assert found["dbt_run_history", "started_at"] == "timestamp"
    assert found["dbt_run_history", "project_name"] == "varchar(255)"
    assert found["dbt_run_history", "status"] == "varchar(50)"
    assert found["dbt_run_history", "models_run"] == "integer"
    assert required["state"] is False


def test_eight_processes_may_be_first_at_once(url: str, metadata: MetadataDatabase) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", USE_IT, url, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    with metadata.transaction() as connection:
        jobs = connection.execute(sa.text("SELECT job_id FROM sync_history ORDER BY 1")).scalars().all()
        assert jobs == list(range(8))


def test_an_older_database_is_migrated_and_keeps_its_rows(url: str, metadata: MetadataDatabase) -> None:
    from alembic import command

    from lakehouse.observability.metadata.migrate import configuration

    if metadata.engine.dialect.name == "sqlite":
        Path(metadata.engine.url.database or "").parent.mkdir()
    with metadata.engine.begin() as connection:
        command.upgrade(configuration(connection), "0001")
        insert = "INSERT INTO sync_history (connection, job_id, started, status, rows, bytes)"
        connection.execute(sa.text(f"{insert} VALUES ('shop', 1, '2025-01-01 12:00:00', 'succeeded', 7, 70)"))
    with MetadataDatabase(url).transaction() as connection:
        assert set(sa.inspect(connection).get_table_names()) == {*tables.tables, "alembic_version"}
        (row,) = connection.execute(sa.select(tables.tables["sync_history"]))
    assert (row.started, row.rows, row.failure) == (datetime(2025, 1, 1, 12, tzinfo=UTC), 7, "")


def test_a_newer_database_is_refused_in_one_line_and_left_alone(url: str, metadata: MetadataDatabase) -> None:
    with metadata.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with (
        pytest.raises(ConfigurationError, match="at revision '9999', which this version") as caught,
        MetadataDatabase(url).transaction(),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_migration_that_is_broken_off_leaves_nothing(url: str) -> None:
    first = MetadataDatabase(url)
    if first.engine.dialect.name == "sqlite":
        Path(first.engine.url.database or "").parent.mkdir()
    with first.engine.begin() as connection:  # a table in the way of the last one
        connection.execute(sa.text("CREATE TABLE partition_outcomes (id INTEGER)"))
    with (
        pytest.raises((PermanentError, TransientError), match="partition_outcomes"),
        MetadataDatabase(url).transaction(),
    ):
        pass
    with first.engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == ["partition_outcomes"]


def test_one_that_is_down_is_told_in_one_line_without_the_password() -> None:
    from lakehouse.embedded.ports import free_port

    database = MetadataDatabase(f"postgresql://user:hunter2@127.0.0.1:{free_port()}/db")
    with pytest.raises(TransientError, match="does not answer") as caught, database.transaction():
        pass
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_embedded_it_is_below_the_home_directory(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    with metadata_database(settings).transaction():
        pass
    assert (tmp_path / "metadata" / "metadata.db").is_file()
