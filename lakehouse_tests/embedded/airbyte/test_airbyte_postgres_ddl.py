"""What is done to a followed table and its publication, other than to its rows: nothing is lost without a word."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.embedded.airbyte.connectors.postgres.cdc import log as rounds
from lakehouse.embedded.airbyte.connectors.postgres.source import PostgresSource
from lakehouse.embedded.airbyte.connectors.streams import LogState, StreamReset
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse_tests.embedded.airbyte.exactly_once import Bronze
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Database
from lakehouse_tests.embedded.airbyte.test_airbyte_postgres_cdc import LSN, Follower, truth

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


class TestPartitions:
    """The log has a partition's rows as the table's; what happens to the partition itself it does not have."""

    MADE = (
        "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20)",
        "INSERT INTO t VALUES (1, 'a'), (11, 'b')",
    )
    LIKE = "CREATE TABLE t3 (id int PRIMARY KEY, v text)"
    FILL, ATTACH = (
        "INSERT INTO t3 VALUES (25, 'x')",
        "ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (20) TO (30)",
    )
    BELOW = "CREATE TABLE t4 PARTITION OF t3 FOR VALUES FROM (20) TO (30)"

    @pytest.mark.parametrize(
        "statements",
        [
            ["ALTER TABLE t DETACH PARTITION t1"],
            ["DROP TABLE t1"],
            ["TRUNCATE t1"],
            ["TRUNCATE t", "INSERT INTO t VALUES (2, 'c')"],
            [LIKE, FILL, ATTACH],
            ["BEGIN", LIKE, FILL, ATTACH, "COMMIT"],
            [f"{LIKE} PARTITION BY RANGE (id)", BELOW, FILL, ATTACH],
            [
                "ALTER TABLE t DETACH PARTITION t1",
                "UPDATE t1 SET v = 'new'",
                "ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (0) TO (10)",
            ],
        ],
        ids=["detach", "drop", "truncate", "all", "attach", "at once", "below", "back"],
    )
    def test_what_the_log_does_not_tell_has_the_table_read_anew(
        self, database: Database, statements: list[str]
    ) -> None:
        same(followed(database, *self.MADE), database, *statements, anew=True)

    def test_bronze_has_what_is_left_and_the_jobs_log_says_why(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute(*self.MADE)
        stream = {"name": "t", "syncMode": "incremental_append", "cursorField": [LSN]}
        connection = airbyte.connect(database.cdc(), "postgres", [stream])
        bronze = Bronze(airbyte, connection, LSN)
        connection.sync()
        assert [row["id"] for row in bronze.merge("t")] == [1, 11]
        database.execute("DROP TABLE t1")
        job = connection.sync()
        assert [row["id"] for row in bronze.merge("t")] == [11]
        log = (airbyte.home / "logs" / f"job-{job['jobId']}.log").read_text()
        assert "WARN stream t: what was landed is superseded: a partition was detached" in log

    def test_new_partitions_are_followed_from_their_first_row(self, database: Database) -> None:
        follower = followed(database, *self.MADE)
        born = f"{self.BELOW.replace('t3', 't').replace('20', '40').replace('30', '50')}"
        filled = ["INSERT INTO t VALUES (45, 'd')", "INSERT INTO t4 VALUES (46, 'e')"]
        same(follower, database, born, *filled, self.LIKE, self.ATTACH, anew=False)
        same(follower, database, self.FILL, "DELETE FROM t4", "VACUUM t4", "ANALYZE t", anew=False)
        # Filled and emptied between two reads, it looks as if nothing had happened.
        late = "CREATE TABLE t6 PARTITION OF t FOR VALUES FROM (60) TO (70)"
        same(follower, database, late, "INSERT INTO t VALUES (65, 'f')", "TRUNCATE t6", anew=True)


class TestPublication:
    """What was written while the table was not published is not in the log."""

    MADE = ("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE calm (id int PRIMARY KEY)")
    OUT, IN = "ALTER PUBLICATION lakehouse DROP TABLE t", "ALTER PUBLICATION lakehouse ADD TABLE t"
    WRITE = "INSERT INTO t VALUES (1)"

    @pytest.mark.parametrize(
        "statements",
        [
            [OUT, WRITE],
            [OUT, "ALTER TABLE t SET UNLOGGED", WRITE, "ALTER TABLE t SET LOGGED", IN],
        ],
        ids=["left out", "unlogged"],
    )
    def test_a_table_left_out_for_a_while_is_read_anew(
        self, database: Database, statements: list[str]
    ) -> None:
        follower = followed(database, *self.MADE, tables=("t", "calm"))
        same(follower, database, *statements, anew=True)

    @pytest.mark.parametrize("made", ["", "FOR ALL TABLES", "FOR TABLES IN SCHEMA public"])
    def test_of_a_publication_made_anew_everything_is_read_anew(self, database: Database, made: str) -> None:
        if made:
            database.execute(f"CREATE PUBLICATION lakehouse {made}")
        follower = followed(database, *self.MADE, tables=("t", "calm"))
        database.execute("DROP PUBLICATION lakehouse", self.WRITE)
        if made:
            database.execute(f"CREATE PUBLICATION lakehouse {made}")
        assert resets(follower.follow()) == ["t", "calm"]
        assert follower.values("t") == truth(database, "t")
        same(
            follower,
            database,
            "CREATE TABLE more (id int PRIMARY KEY)",
            "INSERT INTO t VALUES (2)",
            anew=False,
        )

    def test_kinds_of_changes_left_out_for_a_while(self, database: Database) -> None:
        follower = followed(database, *self.MADE, self.WRITE)
        change = "ALTER PUBLICATION lakehouse SET (publish = '{}')"
        less, all_kinds = change.format("insert"), change.format("insert, update, delete, truncate")
        same(follower, database, less, "DELETE FROM t", all_kinds, anew=True)


class TestColumns:
    """The log has the columns' names of its time."""

    MADE = (
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text)",
        "INSERT INTO t VALUES (1, 'x', 'y'), (2, 'v', 'w')",
    )

    @pytest.mark.parametrize(
        "statements",
        [
            ["UPDATE t SET a = 'z' WHERE id = 1", "ALTER TABLE t RENAME a TO c"],
            ["ALTER TABLE t RENAME a TO c", "ALTER TABLE t RENAME b TO a", "ALTER TABLE t RENAME c TO b"],
            ["ALTER TABLE t DROP a", "ALTER TABLE t ADD a text DEFAULT 'd'"],
        ],
        ids=["renamed", "swapped", "made anew"],
    )
    def test_a_column_of_another_name_has_the_table_read_anew(
        self, database: Database, statements: list[str]
    ) -> None:
        same(followed(database, *self.MADE), database, *statements, anew=True)

    def test_columns_that_come_go_or_are_not_selected_do_not(self, database: Database) -> None:
        follower = followed(database, *self.MADE)
        added = ["ALTER TABLE t ADD c int", "INSERT INTO t VALUES (3, 'p', 'q', 4)"]
        for statements in (added, ["ALTER TABLE t DROP b", "INSERT INTO t VALUES (5, 'r')"]):
            database.execute(*statements)
            assert resets(follower.follow()) == []
        assert [(row["id"], row["a"], row["c"]) for row in follower.changes[2:]] == [
            (3, "p", 4),
            (5, "r", None),
        ]
        streams = follower.streams
        for kept in ("a", "c"):
            streams[0].json_schema["properties"].pop(kept)
        database.execute("ALTER TABLE t RENAME c TO other", "INSERT INTO t VALUES (6, 's')")
        assert resets(follower.follow(streams=streams)) == []

    def test_a_rename_while_the_log_is_read_is_found_by_the_next_attempt(self, database: Database) -> None:
        follower = followed(database, *self.MADE)
        items = follower.items(follower.streams, tail_until=9e9)
        database.execute("INSERT INTO t VALUES (4, 'c', 'd')")
        next(items)
        follower.state = next(items)
        database.execute("ALTER TABLE t RENAME a TO c", "INSERT INTO t VALUES (5, 'e', 'f')")
        with pytest.raises(ConnectorError, match="altered while its log was read"):
            next(items)
        same(follower, database, anew=True)


def test_tables_rewritten_by_the_server_are_followed_on(database: Database) -> None:
    follower = followed(database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    same(
        follower, database, "VACUUM FULL t", "CLUSTER t USING t_pkey", "INSERT INTO t VALUES (2)", anew=False
    )


def test_a_state_of_an_earlier_version_is_gone_on_from(database: Database) -> None:
    follower = followed(database, *TestPartitions.MADE)
    assert follower.state is not None
    place = ("public", "t")
    kept = {name: follower.state.streams[place][name] for name in ("snapshot_lsn", "table_oid")}
    follower.state = LogState(follower.state.shared, {place: kept})
    same(follower, database, "INSERT INTO t VALUES (3, 'c')", anew=False)
    same(follower, database, "DROP TABLE t1", anew=True)


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

    def test_a_partition_whose_deletes_do_not_tell_the_key(self, database: Database) -> None:
        database.execute(*TestPartitions.MADE, "ALTER TABLE t1 ALTER v SET NOT NULL")
        database.execute("CREATE UNIQUE INDEX code ON t1 (v)", "CREATE UNIQUE INDEX wide ON t1 (v, id)")
        streams = Follower(database, "t").streams
        database.execute("ALTER TABLE t1 REPLICA IDENTITY USING INDEX code")
        assert 'ALTER TABLE "public"."t1" REPLICA IDENTITY DEFAULT' in self.refused(database, streams)
        follower = followed(database, "ALTER TABLE t1 REPLICA IDENTITY USING INDEX wide")
        same(follower, database, "DELETE FROM t WHERE id = 1", anew=False)

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
