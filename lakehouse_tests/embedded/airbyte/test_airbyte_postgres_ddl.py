"""What is done to a followed table and its publication, other than to its rows: nothing is lost without a word."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.embedded.airbyte.connectors.postgres.cdc import log as rounds
from lakehouse.embedded.airbyte.connectors.postgres.source import PostgresSource
from lakehouse.embedded.airbyte.connectors.streams import StreamReset
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse_tests.embedded.airbyte.fixtures import Database
from lakehouse_tests.embedded.airbyte.test_airbyte_postgres_cdc import Follower, truth

pytestmark = pytest.mark.slow


def followed(database: Database, *statements: str, tables: tuple[str, ...] = ("t",)) -> Follower:
    """A follower that has read the tables which the statements make."""
    database.execute(*statements)
    follower = Follower(database, *tables)
    follower.follow()
    for table in tables:
        assert follower.values(table) == truth(database, table)
    return follower


def resets(items: list[Any]) -> list[str]:
    return [item.stream.name for item in items if isinstance(item, StreamReset)]


def same(follower: Follower, database: Database, *statements: str, anew: bool) -> None:
    """After the statements, and again after what follows them, the rows are the table's; read anew or not."""
    database.execute(*statements)
    items = follower.follow()
    assert follower.values("t") == truth(database, "t")
    assert resets(items) == (["t"] if anew else [])
    assert resets(follower.follow()) == []
    assert follower.values("t") == truth(database, "t")


def test_a_table_renamed_for_a_while_is_followed_all_the_time(database: Database) -> None:
    follower = followed(
        database, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'a')"
    )
    changes = ["INSERT INTO u VALUES (2, 'b')", "DELETE FROM u WHERE id = 1"]
    same(follower, database, "ALTER TABLE t RENAME TO u", *changes, "ALTER TABLE u RENAME TO t", anew=False)


def test_another_table_under_the_name_is_read_anew(database: Database) -> None:
    follower = followed(database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    database.execute("CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO other VALUES (7)")
    same(follower, database, "ALTER TABLE t RENAME TO u", "ALTER TABLE other RENAME TO t", anew=True)


class TestReplicaIdentity:
    """While it lacked the primary key, the log did not tell which rows were changed."""

    MADE = (
        "CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL UNIQUE)",
        "CREATE TABLE calm (id int PRIMARY KEY)",
        "INSERT INTO t SELECT i, i::text FROM generate_series(1, 5) i",
    )
    ELSEWHERE, BACK = (
        "ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key",
        "ALTER TABLE t REPLICA IDENTITY DEFAULT",
    )

    def test_changes_without_a_key_have_the_table_read_anew(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rounds, "ROUND_MESSAGES", 5)
        follower = followed(database, *self.MADE, tables=("t", "calm"))
        changes = [
            "DELETE FROM t WHERE id = 1",
            "INSERT INTO calm VALUES (1)",
            "UPDATE t SET id = 20 WHERE id = 2",
        ]
        same(follower, database, self.ELSEWHERE, *changes, self.BACK, "DELETE FROM t WHERE id = 3", anew=True)
        assert follower.values("calm") == truth(database, "calm")

    def test_new_rows_need_no_key(self, database: Database) -> None:
        follower = followed(database, *self.MADE, tables=("t", "calm"))
        same(follower, database, self.ELSEWHERE, "INSERT INTO t VALUES (9, 'x')", self.BACK, anew=False)

    def test_a_full_identity_holds_every_key(self, database: Database) -> None:
        follower = followed(database, *self.MADE, tables=("t", "calm"))
        full = "ALTER TABLE t REPLICA IDENTITY FULL"
        same(follower, database, full, "DELETE FROM t WHERE id = 1", self.BACK, anew=False)


class TestNotFollowed:
    """Tables that the log does not tell whole, or that landing would mix up, are offered and read in full only."""

    def refused(self, database: Database, streams: list[Any]) -> str:
        with pytest.raises(ConnectorError) as caught:
            Follower(database, "t").follow(streams=streams)
        assert caught.value.kind == "config_error"
        return str(caught.value)

    def modes(self, database: Database) -> dict[str, bool]:
        offered = PostgresSource().discover(database.cdc())
        return {stream["name"]: "incremental" in stream["supported_sync_modes"] for stream in offered}

    def test_a_table_that_others_inherit_from(self, database: Database) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)")
        streams = Follower(database, "t").streams
        database.execute("CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (t)")
        assert "tables inherit from public.t" in self.refused(database, streams)
        assert self.modes(database) == {"t": False, "heir": True}

    def test_another_primary_key_than_the_connections(self, database: Database) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE NOT NULL)")
        streams = Follower(database, "t").streams
        database.execute("ALTER TABLE t DROP CONSTRAINT t_pkey", "ALTER TABLE t ADD PRIMARY KEY (code)")
        assert "is (code), and not the connection's (id)" in self.refused(database, streams)

    def test_keys_that_a_double_cannot_tell_apart(self, database: Database) -> None:
        database.execute("CREATE DOMAIN wide AS numeric(16)", "CREATE DOMAIN narrow AS numeric(15, 2)")
        types = ("numeric", "numeric(20)", "numeric(15, 3)", "money", "wide", "narrow", "bigint", "float8")
        refused = {"numeric", "numeric(20)", "money", "wide"}
        for number, declared in enumerate(types):
            database.execute(f"CREATE TABLE t{number} (id {declared} PRIMARY KEY, n numeric)")
        assert self.modes(database) == {f"t{n}": name not in refused for n, name in enumerate(types)}
        database.execute("CREATE TABLE t (id bigint PRIMARY KEY)")
        streams = Follower(database, "t").streams
        schema = dict(streams[0].json_schema)
        database.execute("ALTER TABLE t ALTER id TYPE numeric(20)")
        schema["properties"] = {**schema["properties"], "id": {"type": "number"}}
        stream = type(streams[0])(**{**vars(streams[0]), "json_schema": schema})
        assert "primary key column id of public.t is numeric(20,0)" in self.refused(database, [stream])
