"""source-postgres reading the log of a real server: every kind of change, and all that can happen to a log."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from lakehouse.embedded.airbyte.connectors.postgres.cdc import log as rounds
from lakehouse.embedded.airbyte.connectors.postgres.cdc import slot as slots
from lakehouse.embedded.airbyte.connectors.postgres.cdc.reader import read
from lakehouse.embedded.airbyte.connectors.postgres.cdc.slot import Slot
from lakehouse.embedded.airbyte.connectors.postgres.source import PostgresSource
from lakehouse.embedded.airbyte.connectors.postgres.tables import configuration_of
from lakehouse.embedded.airbyte.connectors.streams import (
    LogOptions,
    LogState,
    StreamReset,
    StreamRows,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse_tests.embedded.airbyte.exactly_once import Bronze
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Database, PostgresServer, eventually
from lakehouse_tests.embedded.airbyte.log_follower import LogFollower
from lakehouse_tests.embedded.airbyte.test_airbyte_postgres import EVERY_TYPE, configured, directly, outcome

pytestmark = pytest.mark.slow

LSN, UPDATED_AT, DELETED_AT = "_ab_cdc_lsn", "_ab_cdc_updated_at", "_ab_cdc_deleted_at"


class Follower(LogFollower):
    """Follows Postgres; all versions of one transaction have its commit's position."""

    source: ClassVar = PostgresSource()
    reader: ClassVar = staticmethod(read)
    cursor: ClassVar = LSN
    grows: ClassVar = operator.ge

    def values(self, table: str) -> list[dict[str, Any]]:
        """The rows as they are now, without the log's columns."""
        rows = sorted(self.rows.get(table, {}).items())
        return [{n: v for n, v in row.items() if not n.startswith("_ab_cdc_")} for _, row in rows]


def truth(database: Database, table: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1")
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def test_the_log_ends_with_a_record_while_a_transaction_is_open(postgres_of_its_own: PostgresServer) -> None:
    # With nobody else on the server, only whole pages of what the open transaction wrote are flushed.
    database = Database(postgres_of_its_own.port, "postgres")
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    settings = configuration_of(database.cdc())
    flushed = "SELECT pg_current_wal_flush_lsn() - '0/0', pg_current_wal_insert_lsn() - '0/0'"
    with database.connection() as writer, database.connection() as connection:
        slot = Slot(connection, settings, settings.replication_method)
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t SELECT generate_series(1, 30000)")

        def cut() -> bool:
            ((end, inserted),) = connection.execute(flushed).fetchall()
            return end % 8192 == 0 and inserted > end

        eventually(cut)
        assert slot.position() % 8192 != 0
        assert not cut()


def test_the_snapshot_and_then_every_change_once(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, name text)",
        "INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 5) i",
    )
    follower = Follower(database, "t")
    follower.follow()
    assert follower.values("t") == truth(database, "t")
    database.execute(
        "INSERT INTO t VALUES (6, 'six'), (7, NULL)",
        "UPDATE t SET name = 'two' WHERE id = 2",
        "UPDATE t SET id = 30 WHERE id = 3",
        "DELETE FROM t WHERE id = 4",
    )
    before = len(follower.changes)
    follower.follow()
    assert follower.values("t") == truth(database, "t")
    kinds = [(row["id"], row[DELETED_AT] is not None) for row in follower.changes[before:]]
    assert kinds == [(6, False), (7, False), (2, False), (3, True), (30, False), (4, True)]
    assert not [item for item in follower.follow() if isinstance(item, StreamRows)]


def test_what_was_not_committed_is_read_again_and_nothing_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ROUND_MESSAGES", 10)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
    follower = Follower(database, "t")
    follower.follow(forget=True)
    follower.follow()
    for start in range(0, 40, 4):
        database.execute(f"INSERT INTO t SELECT i, 0 FROM generate_series({start}, {start + 3}) i")
    assert len([i for i in follower.follow(forget=True) if isinstance(i, StreamRows)]) == 1
    states = [item for item in follower.follow() if isinstance(item, LogState)]
    assert len(states) > 3, "rounds of ten messages"
    assert [row["id"] for row in follower.changes] == list(range(40))
    lost_release = follower.state
    database.execute("INSERT INTO t VALUES (100, 1)")
    follower.follow()
    follower.state = lost_release  # the state was committed, the kill came before the slot was advanced
    with pytest.raises(ConnectorError, match="was advanced by someone else"):
        follower.follow()


def test_a_state_that_is_ahead_of_the_slot_skips_what_it_covers(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    follower = Follower(database, "t")
    follower.follow()
    database.execute("INSERT INTO t VALUES (1)")
    items = read(follower.configuration, follower.streams, follower.state, options=LogOptions())
    rows, state = next(items), next(items)
    items.close()  # committed, and killed before the slot was advanced
    assert isinstance(rows, StreamRows)
    assert isinstance(state, LogState)
    follower.state = state
    database.execute("INSERT INTO t VALUES (2)")
    follower.follow()
    assert [row["id"] for row in follower.changes] == [2]


def test_values_of_the_log_are_those_of_a_full_read(database: Database) -> None:
    *types, table, rows = [part for part in EVERY_TYPE.split(";\n") if part.strip()]
    database.execute(*types, table)
    follower = Follower(database, "every_type")
    follower.follow()
    database.execute(rows)
    follower.follow()
    in_full, _ = outcome(directly(database, configured(database, "every_type"), None))
    from_the_log = []
    for row in follower.changes:
        changes = sorted((c.field, c.change) for c in row["changes"])
        kept = {name: value for name, value in row.items() if not name.startswith("_ab_cdc_")}
        from_the_log.append(kept | {"changes": changes})
    for row in in_full:
        row["changes"] = [change[:2] for change in row["changes"]]
    for logged, read_in_full in zip(from_the_log, in_full, strict=True):
        assert {n: (v, read_in_full[n]) for n, v in logged.items() if v != read_in_full[n]} == {}
        assert logged.keys() == read_in_full.keys()


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL", "USING INDEX wide"])
def test_out_of_line_values_survive_updates_of_other_columns(database: Database, identity: str) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, other int NOT NULL, n int, wide text, gone text)",
        "ALTER TABLE t ALTER wide SET STORAGE EXTERNAL",
        "ALTER TABLE t ALTER gone SET STORAGE EXTERNAL",
        "CREATE UNIQUE INDEX wide ON t (other, id)",
        f"ALTER TABLE t REPLICA IDENTITY {identity}",
        "INSERT INTO t SELECT i, i, 0, repeat('w' || i, 5000), repeat('g', 9000) FROM generate_series(1, 4) i",
    )
    follower = Follower(database, "t")
    follower.follow()
    database.execute(
        "UPDATE t SET n = 1 WHERE id = 1",
        "UPDATE t SET n = 2, id = 20 WHERE id = 2",
        "UPDATE t SET n = 3 WHERE id = 3",
        "DELETE FROM t WHERE id = 3",
    )
    before = len(follower.changes)
    follower.follow()
    assert follower.values("t") == truth(database, "t")
    of_three = next(row for row in follower.changes[before:] if row["id"] == 3)
    retrieved = identity == "FULL"
    assert (of_three["wide"] is not None) == retrieved
    reasons = {change.reason for change in of_three["changes"]}
    assert reasons == (set() if retrieved else {"SOURCE_RETRIEVAL_ERROR"})


def test_a_truncated_table_begins_a_generation_of_its_own(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t SELECT generate_series(1, 5)")
    follower = Follower(database, "t")
    follower.follow()
    database.execute("INSERT INTO t VALUES (6)", "TRUNCATE t", "INSERT INTO t VALUES (7)")
    items = follower.follow()
    kinds = [type(item).__name__ for item in items if not isinstance(item, LogState)]
    assert kinds == ["StreamRows", "StreamReset", "StreamRows"]
    assert follower.values("t") == [{"id": 7}]


def test_a_table_added_later_is_snapshotted_and_then_followed(database: Database) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)")
    follower = Follower(database, "a")
    follower.follow()
    database.execute(
        "CREATE TABLE b (id int PRIMARY KEY)", "INSERT INTO b VALUES (1)", "INSERT INTO a VALUES (2)"
    )
    follower.tables = ("a", "b")
    follower.follow()
    database.execute("INSERT INTO b VALUES (2)", "DELETE FROM b WHERE id = 1")
    follower.follow()
    assert follower.values("a") == truth(database, "a")
    assert follower.values("b") == truth(database, "b")
    assert len(follower.changes) == 2 + 3


def test_a_table_dropped_and_made_anew_is_read_anew(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    follower = Follower(database, "t")
    follower.follow()
    database.execute("DROP TABLE t", "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (2), (3)")
    assert isinstance(follower.follow()[0], StreamReset)
    assert follower.values("t") == truth(database, "t")


def test_a_partitioned_table_is_one_stream(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
        "INSERT INTO t VALUES (1, '2026-01-05')",
    )
    follower = Follower(database, "t")
    follower.follow()
    database.execute("INSERT INTO t VALUES (2, '2026-02-05')", "UPDATE t SET day = '2026-02-06' WHERE id = 1")
    follower.follow()
    assert follower.values("t") == truth(database, "t")


def test_columns_that_come_and_go_in_the_log(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, old text)", "INSERT INTO t VALUES (1, 'a')")
    follower = Follower(database, "t")
    follower.follow()
    database.execute(
        "INSERT INTO t VALUES (2, 'b')",
        "ALTER TABLE t ADD COLUMN new int DEFAULT 9",
        "INSERT INTO t VALUES (3, 'c', 1)",
        "ALTER TABLE t DROP COLUMN old",
        "INSERT INTO t VALUES (4, 2)",
    )
    follower.follow()
    assert [(row["id"], row["new"]) for row in follower.changes[1:]] == [(2, None), (3, 1), (4, 2)]


def test_an_alter_while_reading_asks_for_another_attempt(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    follower = Follower(database, "t")
    follower.follow()
    streams = follower.streams
    items = read(follower.configuration, streams, follower.state, options=LogOptions(tail_until=9e9))
    database.execute("INSERT INTO t VALUES (2)")
    assert isinstance(next(items), StreamRows)
    assert isinstance(next(items), LogState)
    database.execute("ALTER TABLE t ADD COLUMN new int", "INSERT INTO t VALUES (3, 3)")
    with pytest.raises(ConnectorError, match="altered while its log was read") as caught:
        next(items)
    assert caught.value.kind == "transient_error"


def test_a_transaction_larger_than_a_batch_is_handed_on_in_pieces(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    follower = Follower(database, "t")
    follower.follow()
    database.execute("INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 25000) i")
    items = follower.follow()
    assert [item.batch.rows.num_rows for item in items if isinstance(item, StreamRows)] == [
        10000,
        10000,
        5000,
    ]
    assert len(follower.values("t")) == 25000


class TestLostLog:
    """The log cannot be followed on: refused, or everything is read again."""

    def lose(self, database: Database) -> None:
        database.execute(f"SELECT pg_drop_replication_slot('{database.name}')")

    def prepared(self, database: Database, **method: Any) -> Follower:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
        follower = Follower(database, "t", **method)
        follower.follow()
        self.lose(database)
        database.execute("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (3)")
        return follower

    def test_it_fails_by_default(self, database: Database) -> None:
        follower = self.prepared(database)
        with pytest.raises(ConnectorError, match="is gone; refresh") as caught:
            follower.follow()
        assert caught.value.kind == "config_error"

    def test_it_reads_everything_again_when_asked_to(self, database: Database) -> None:
        follower = self.prepared(database, invalid_cdc_cursor_position_behavior="Re-sync data")
        items = follower.follow()
        assert isinstance(items[0], StreamReset)
        assert follower.values("t") == truth(database, "t")
        database.execute("INSERT INTO t VALUES (4)")
        follower.follow()
        assert follower.values("t") == truth(database, "t")

    def test_the_server_removed_what_was_not_read(self, postgres_of_its_own: PostgresServer) -> None:
        database = Database(postgres_of_its_own.port, "postgres")
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
        follower = Follower(database, "t", invalid_cdc_cursor_position_behavior="Re-sync data")
        follower.follow()
        database.execute(
            "DELETE FROM t WHERE id = 1",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'",
            "SELECT pg_reload_conf()",
        )
        for _ in range(4):
            database.execute(
                "SELECT pg_logical_emit_message(false, '', repeat('x', 9000000))", "SELECT pg_switch_wal()"
            )
        database.execute("CHECKPOINT")
        assert isinstance(follower.follow()[0], StreamReset)
        assert follower.values("t") == truth(database, "t")
        database.execute("INSERT INTO t VALUES (4)")
        follower.follow()
        assert follower.values("t") == truth(database, "t")


def test_what_is_kept_is_told_after_the_read(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, filler text)")
    follower = Follower(database, "t")
    follower.follow()
    with database.connection() as writer:
        writer.execute("BEGIN")
        writer.execute("SELECT txid_current()")
        database.execute("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 5000) i")
        follower.follow()
        shared = follower.state.shared if follower.state else {}
        assert shared["kept_bytes"] > 5_000_000
        assert shared["lag_bytes"] < 100_000


@pytest.mark.parametrize("made", ["replication slot", "a snapshot of the database"])
def test_an_open_transaction_is_waited_for_and_named(
    database: Database, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    monkeypatch.setattr(slots, "WAIT_SECONDS", 1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    follower = Follower(database, "t")
    if made != "replication slot":
        database.execute(f"SELECT pg_create_logical_replication_slot('{database.name}', 'pgoutput')")
    with database.connection() as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(
            ConnectorError, match=f"{made} .*for 1 s now; the oldest is of .* user shop, idle in"
        ) as caught:
            follower.follow()
        assert caught.value.kind == "transient_error"
        writer.execute("COMMIT")
    follower.follow()
    assert follower.values("t") == truth(database, "t")


class TestRefusals:
    """What the database does not allow is named with the SQL that allows it."""

    @pytest.fixture
    def user(self, database: Database) -> Iterator[str]:
        name = f"{database.name}_reader"
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY)",
            f"CREATE ROLE {name} LOGIN PASSWORD 'secret'",
            f"GRANT SELECT ON t TO {name}",
        )
        yield name
        database.execute(f"DROP OWNED BY {name}", f"DROP ROLE {name}")

    def refused(self, database: Database, user: str | None = None, **method: Any) -> str:
        follower = Follower(database, "t", **method)
        streams = follower.streams
        if user is not None:
            follower.configuration["username"] = user
        with pytest.raises(ConnectorError) as caught:
            follower.follow(streams=streams)
        assert caught.value.kind == "config_error"
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_a_user_who_may_not_read_the_log(self, database: Database, user: str) -> None:
        assert f'ALTER ROLE "{user}" REPLICATION' in self.refused(database, user)
        configuration = database.cdc() | {"username": user}
        with pytest.raises(ConnectorError, match="may not read the log"):
            PostgresSource().check(configuration)

    def test_a_user_who_may_not_publish(self, database: Database, user: str) -> None:
        database.execute(f"ALTER ROLE {user} REPLICATION")
        assert 'run: CREATE PUBLICATION "lakehouse" FOR TABLE "public"."t"' in self.refused(database, user)
        database.execute("CREATE PUBLICATION lakehouse")
        assert 'run: ALTER PUBLICATION "lakehouse" ADD TABLE "public"."t"' in self.refused(database, user)
        database.execute("ALTER PUBLICATION lakehouse ADD TABLE t")
        Follower(database, "t").follow()

    def test_a_publication_that_leaves_something_out(self, database: Database, user: str) -> None:
        database.execute("CREATE PUBLICATION lakehouse FOR TABLE t WITH (publish = 'insert')")
        assert "leaves out some kinds of changes" in self.refused(database)
        database.execute(
            "ALTER TABLE t ADD COLUMN more int",
            "DROP PUBLICATION lakehouse",
            "CREATE PUBLICATION lakehouse FOR TABLE t (id)",
        )
        assert "leaves out column more of public.t" in self.refused(database)

    def test_a_publication_of_some_rows(self, database: Database) -> None:
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY)", "CREATE PUBLICATION lakehouse FOR TABLE t WHERE (id > 3)"
        )
        said = self.refused(database)
        assert "takes only those rows of public.t with (id > 3)" in said
        database.execute(said.partition("run: ")[2].partition(";")[0])
        follower = Follower(database, "t")
        follower.follow()
        database.execute("INSERT INTO t VALUES (1), (9)")
        follower.follow()
        assert follower.values("t") == truth(database, "t")

    def test_a_generated_column_that_is_selected_still(self, database: Database) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        streams = Follower(database, "t").streams
        database.execute(
            "ALTER TABLE t DROP COLUMN n",
            "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id * 2) STORED",
        )
        with pytest.raises(ConnectorError, match=r"column n of public\.t is generated"):
            Follower(database, "t").follow(streams=streams)

    def test_a_table_whose_changes_have_no_key(self, database: Database) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "ALTER TABLE t REPLICA IDENTITY NOTHING")
        assert 'ALTER TABLE "public"."t" REPLICA IDENTITY DEFAULT' in self.refused(database)

    def test_a_slot_of_something_else(self, database: Database) -> None:
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY)",
            f"SELECT pg_create_physical_replication_slot('{database.name}')",
        )
        try:
            assert "is of plugin None and database None" in self.refused(database)
        finally:
            database.execute(f"SELECT pg_drop_replication_slot('{database.name}')")


def test_generated_columns_are_not_of_the_log(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)",
        "CREATE TABLE keyed (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
    )
    follower = Follower(database, "t")
    follower.follow()
    database.execute("INSERT INTO t VALUES (2)")
    follower.follow()
    assert sorted(follower.rows["t"]) == [(1,), (2,)]
    offered = {s["name"]: s for s in PostgresSource().discover(database.cdc())}
    assert "twice" not in offered["t"]["json_schema"]["properties"]
    assert offered["keyed"]["supported_sync_modes"] == ["full_refresh"]
    in_full, _ = outcome(directly(database, configured(database, "t"), None))
    assert [row["twice"] for row in in_full] == [2, 4]


def test_tables_without_a_key_and_views_are_offered_in_full_only(database: Database) -> None:
    database.execute(
        "CREATE TABLE keyed (id int PRIMARY KEY)",
        "CREATE TABLE bare (id int)",
        "CREATE VIEW v AS SELECT * FROM keyed",
    )
    offered = {s["name"]: s for s in PostgresSource().discover(database.cdc())}
    assert offered["keyed"]["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert offered["keyed"]["default_cursor_field"] == [LSN]
    assert offered["keyed"]["source_defined_cursor"]
    for name in ("bare", "v"):
        assert offered[name]["supported_sync_modes"] == ["full_refresh"]
        assert LSN not in offered[name]["json_schema"]["properties"]


class TestThroughLanding:
    """The same through a server and its landing files, into bronze."""

    STREAM: ClassVar = {"name": "t", "syncMode": "incremental_append", "cursorField": [LSN]}

    def test_a_truncated_table_is_empty_in_bronze_as_well(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
        connection = airbyte.connect(database.cdc(), "postgres", [self.STREAM])
        bronze = Bronze(airbyte, connection, LSN)
        connection.sync()
        assert [row["id"] for row in bronze.merge("t")] == [1, 2]
        database.execute("TRUNCATE t")
        connection.sync()
        assert bronze.merge("t") == []
        database.execute("INSERT INTO t VALUES (1)")
        connection.sync()
        assert [row["id"] for row in bronze.merge("t")] == [1]

    def test_rows_deleted_while_the_log_was_lost_are_gone_after_a_new_snapshot(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)")
        resync = database.cdc(invalid_cdc_cursor_position_behavior="Re-sync data")
        connection = airbyte.connect(resync, "postgres", [self.STREAM])
        bronze = Bronze(airbyte, connection, LSN)
        connection.sync()
        assert len(bronze.merge("t")) == 3
        database.execute(f"SELECT pg_drop_replication_slot('{database.name}')", "DELETE FROM t WHERE id = 2")
        connection.sync()
        assert [row["id"] for row in bronze.merge("t")] == [1, 3]

    def test_the_slot_goes_with_the_last_connection_that_read_it(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)")
        connection = airbyte.connect(database.cdc(), "postgres", [self.STREAM])
        connection.sync()
        slots_left = f"SELECT slot_name FROM pg_replication_slots WHERE database = '{database.name}'"
        with database.connection() as reader:
            assert reader.execute(slots_left).fetchall() == [(database.name,)]
            airbyte.call("DELETE", f"{airbyte.public}/connections/{connection.id}", 204)
            assert reader.execute(slots_left).fetchall() == []

    def test_a_keyed_table_of_the_log_can_also_be_read_in_full(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
        stream = {"name": "t", "syncMode": "full_refresh_overwrite"}
        connection = airbyte.connect(database.cdc(), "postgres", [stream])
        connection.sync()
        database.execute("DELETE FROM t")
        connection.sync()
        landed = connection.table("t")
        assert (landed.num_rows, len(connection.files("t"))) == (0, 1), "an empty file of the new generation"
        assert LSN in landed.schema.names


def test_the_heartbeat_is_written_once_a_read(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE beats (at timestamptz)")
    follower = Follower(database, "t", heartbeat_action_query="INSERT INTO beats VALUES (now())")
    follower.follow()
    follower.follow()
    assert database.rows("SELECT count(*) FROM beats") == [(2,)]
