"""source-mysql reading the binary log of a real MariaDB: every kind of change, and all that can happen to a log."""

from __future__ import annotations

import operator
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from lakehouse.embedded.airbyte.connectors.mysql import direct
from lakehouse.embedded.airbyte.connectors.mysql.cdc import log as rounds
from lakehouse.embedded.airbyte.connectors.mysql.cdc.columns import LOG_COLUMNS
from lakehouse.embedded.airbyte.connectors.mysql.cdc.reader import read
from lakehouse.embedded.airbyte.connectors.mysql.cdc.server import LogServer
from lakehouse.embedded.airbyte.connectors.mysql.cdc.statements import Effect, TableStatement, effects_of
from lakehouse.embedded.airbyte.connectors.mysql.source import MysqlSource
from lakehouse.embedded.airbyte.connectors.streams import (
    LogState,
    StreamReset,
    StreamRows,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse_tests.embedded.airbyte.log_follower import LogFollower
from lakehouse_tests.embedded.airbyte.mariadb import MariaDb, MariaDbServer
from lakehouse_tests.embedded.airbyte.test_airbyte_mysql import ROWS, TABLE, configured, directly
from lakehouse_tests.embedded.airbyte.test_airbyte_postgres import outcome

slow = pytest.mark.slow
CURSOR, DELETED_AT = "_ab_cdc_cursor", "_ab_cdc_deleted_at"


class Follower(LogFollower):
    """Follows MariaDB; a version never has the cursor of another one."""

    source: ClassVar = MysqlSource()
    reader: ClassVar = staticmethod(read)
    cursor: ClassVar = CURSOR
    grows: ClassVar = operator.gt

    def values(self, table: str) -> list[tuple[Any, ...]]:
        """The rows as they are now, without the log's columns."""
        rows = sorted(self.rows.get(table, {}).items())
        return [tuple(v for n, v in row.items() if not n.startswith("_ab_cdc_")) for _, row in rows]


def truth(database: MariaDb, table: str) -> list[tuple[Any, ...]]:
    return database.rows(f"SELECT * FROM {table} ORDER BY 1")


def kinds(items: Sequence[Any]) -> list[str]:
    return [type(item).__name__ for item in items]


@slow
def test_the_snapshot_and_then_every_change_once(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY, name text)",
        "INSERT INTO t SELECT seq, concat('n', seq) FROM seq_1_to_5",
    )
    follower = Follower(mariadb, "t")
    follower.follow()
    assert follower.values("t") == truth(mariadb, "t")
    mariadb.execute(
        "INSERT INTO t VALUES (6, 'six'), (7, NULL)",
        "UPDATE t SET name = 'two' WHERE id = 2",
        "UPDATE t SET id = 30 WHERE id = 3",
        "DELETE FROM t WHERE id = 4",
        "REPLACE INTO t VALUES (5, 'again')",
    )
    before = len(follower.changes)
    follower.follow()
    assert follower.values("t") == truth(mariadb, "t")
    found = [(row["id"], row[DELETED_AT] is not None) for row in follower.changes[before:]]
    assert found[:6] == [(6, False), (7, False), (2, False), (3, True), (30, False), (4, True)]
    gone = follower.changes[before + 5]
    assert (gone["name"], gone["_ab_cdc_log_file"][:7]) == ("n4", "binlog.")
    assert abs(gone[DELETED_AT].timestamp() - time.time()) < 60
    cursors = [row[CURSOR] for row in follower.changes[before:]]
    assert cursors == sorted(set(cursors)), "every change has a place of its own"
    assert not [item for item in follower.follow() if isinstance(item, StreamRows)]


@slow
def test_keys_that_move_within_one_statement_stay_in_order(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_50"
    )
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute(
        "UPDATE t SET id = id + 1 ORDER BY id DESC",
        "START TRANSACTION",
        "UPDATE t SET v = 0 WHERE id = 9",
        "DELETE FROM t WHERE id = 9",
        "INSERT INTO t VALUES (9, 99)",
        "UPDATE t SET v = v + 1 WHERE id = 9",
        "COMMIT",
    )
    follower.follow()
    assert follower.values("t") == truth(mariadb, "t")


@slow
def test_what_was_not_committed_is_read_again_and_nothing_twice(
    mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ROUND_ROWS", 4)
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
    follower = Follower(mariadb, "t")
    follower.follow(forget=True)
    follower.follow()
    for start in range(0, 40, 4):
        mariadb.execute(f"INSERT INTO t SELECT seq, 0 FROM seq_{start}_to_{start + 3}")
    streams = follower.streams
    assert kinds(follower.items(streams, batch_rows=2)).count("LogState") == 10, "transactions of four rows"
    assert isinstance(follower.follow(forget=True)[-1], LogState)
    follower.follow()
    assert [row["id"] for row in follower.changes] == list(range(40))


@slow
def test_values_of_the_log_are_those_of_a_full_read(mariadb: MariaDb) -> None:
    mariadb.execute(TABLE)
    follower = Follower(mariadb, "every_type")
    follower.follow()
    mariadb.execute("SET SESSION sql_mode = ''", ROWS)
    follower.follow()
    in_full, _ = outcome(directly(mariadb, configured(mariadb, "every_type"), None))
    for logged, read_in_full in zip(without_the_log(follower.changes), in_full, strict=True):
        assert {n: (v, read_in_full[n]) for n, v in logged.items() if v != read_in_full[n]} == {}
        assert logged.keys() == read_in_full.keys()


@slow
def test_updates_whose_key_stays_or_moves_have_every_value(mariadb: MariaDb) -> None:
    key = "PRIMARY KEY (umi, id)"
    mariadb.execute(
        "SET SESSION sql_mode = ''",
        TABLE,
        ROWS,
        "UPDATE every_type SET umi = 0 WHERE umi IS NULL",
        f"ALTER TABLE every_type DROP PRIMARY KEY, MODIFY umi mediumint unsigned NOT NULL, ADD {key}",
        "UPDATE every_type SET umi = id",
    )
    follower = Follower(mariadb, "every_type")
    follower.follow()
    before = len(follower.changes)
    in_full = []
    for change in ("i = id", "umi = umi + 1"):
        mariadb.execute("SET SESSION sql_mode = ''", f"UPDATE every_type SET {change} ORDER BY id")
        in_full.append(outcome(directly(mariadb, configured(mariadb, "every_type"), None))[0])
    follower.follow()
    changes = follower.changes[before:]
    gone = [row for row in changes if row[DELETED_AT] is not None]
    kept = [row for row in changes if row[DELETED_AT] is None]
    assert by_id(without_the_log(gone)) == by_id(in_full[0])
    assert by_id(without_the_log(kept[:5])) == by_id(in_full[0])
    assert by_id(without_the_log(kept[5:])) == by_id(in_full[1])


def without_the_log(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a full read has them."""
    return [
        {name: value for name, value in row.items() if not name.startswith("_ab_cdc_")}
        | {"changes": sorted((c.field, c.change, c.reason) for c in row["changes"])}
        for row in rows
    ]


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=operator.itemgetter("id"))


@slow
def test_numbers_and_moments_of_every_precision(mariadb: MariaDb) -> None:
    chance = random.Random(3)
    decimals = [(1, 0), (1, 1), (5, 2), (9, 9), (10, 0), (17, 9), (18, 0), (19, 4), (38, 18), (65, 30)]
    columns = [f"n{p}_{s} decimal({p}, {s})" for p, s in decimals]
    columns += [f"{kind}{digits} {kind}({digits}) NULL" for kind in MOMENTS for digits in range(7)]
    mariadb.execute(f"CREATE TABLE every_type (id int PRIMARY KEY, d double, f float, {', '.join(columns)})")
    follower = Follower(mariadb, "every_type")
    follower.follow()
    rows = []
    for number in range(60):
        values = [
            number,
            chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300),
            chance.uniform(-1e9, 1e9),
        ]
        for precision, scale in decimals:
            digits = str(chance.randrange(10 ** chance.randint(0, precision))).zfill(precision)
            sign = chance.choice(("", "-"))
            values.append(f"{sign}{digits[: precision - scale] or 0}.{digits[precision - scale :] or 0}")
        clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}:59.{chance.randrange(10**6):06}"
        values += [f"19{chance.randrange(71, 99)}-0{chance.randrange(1, 9)}-28 {clock}"] * 14 + [clock] * 7
        rows.append("(" + ", ".join(f"'{value}'" for value in values) + ")")
    mariadb.execute(
        "SET SESSION sql_mode = 'TIME_ROUND_FRACTIONAL'", f"INSERT INTO every_type VALUES {', '.join(rows)}"
    )
    follower.follow()
    in_full, _ = outcome(directly(mariadb, configured(mariadb, "every_type"), None))
    for row in in_full:
        del row["changes"]
    assert follower.values("every_type") == [tuple(row.values()) for row in in_full]


MOMENTS = ("datetime", "timestamp", "time")


@slow
def test_labels_in_another_character_set(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY, e enum('é', 'it''s'), s set('ü', 'x')) CHARACTER SET latin1"
    )
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute("INSERT INTO t VALUES (1, 'é', 'x,ü'), (2, 'it''s', ''), (3, NULL, NULL)")
    follower.follow()
    assert follower.values("t") == [(1, "é", "ü,x"), (2, "it's", ""), (3, None, None)] == truth(mariadb, "t")


@slow
def test_a_truncated_table_begins_a_generation_of_its_own(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_5")
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute("INSERT INTO t VALUES (6)", "TRUNCATE t", "INSERT INTO t VALUES (7)")
    items = follower.follow()
    assert kinds(items) == ["StreamRows", "StreamReset", "StreamRows", "LogState"]
    assert follower.values("t") == [(7,)]


@slow
@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE t", "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (50)"),
        ("CREATE TABLE n (id int PRIMARY KEY)", "INSERT INTO n VALUES (9)", "RENAME TABLE t TO o, n TO t"),
        ("CREATE OR REPLACE TABLE t (id int PRIMARY KEY) AS SELECT 3 AS id",),
        ("ALTER TABLE t DROP PARTITION p0",),
        ("ALTER TABLE t TRUNCATE PARTITION p1", "INSERT INTO t VALUES (31)"),
    ],
)
def test_a_table_that_changes_without_row_events_is_read_anew(
    mariadb: MariaDb, statements: Sequence[str]
) -> None:
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id)"
        " (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
        "INSERT INTO t SELECT seq FROM seq_1_to_20",
    )
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute("INSERT INTO t VALUES (21)", *statements, "INSERT INTO t VALUES (40)")
    items = follower.follow()
    assert [name for name in kinds(items) if name == "StreamReset"] == ["StreamReset"]
    assert follower.values("t") == truth(mariadb, "t")
    assert len(items[-1].streams) == 1
    mariadb.execute("DELETE FROM t WHERE id = 40")
    follower.follow()
    assert follower.values("t") == truth(mariadb, "t")


@slow
def test_tables_that_foreign_keys_change_without_a_word_in_the_log(mariadb: MariaDb) -> None:
    actions = "ON DELETE CASCADE ON UPDATE CASCADE"
    mariadb.execute(
        "CREATE TABLE customer (id int PRIMARY KEY, name text)",
        f"CREATE TABLE purchase (id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES customer (id) {actions})",
        "CREATE TABLE item (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES purchase (id) ON DELETE SET NULL)",
        "CREATE TABLE tree (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE)",
        "INSERT INTO customer VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "INSERT INTO purchase VALUES (11, 1), (12, 2), (13, 3)",
        "INSERT INTO item VALUES (111, 11), (112, 12), (113, 13)",
        "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, NULL)",
    )
    follower = Follower(mariadb, "purchase", "item", "tree")  # customer itself is not among the streams
    follower.follow()
    for statement, reset in (
        ("INSERT INTO customer VALUES (7, 'seven')", set()),
        ("UPDATE customer SET name = 'new'", set()),
        ("DELETE FROM customer WHERE id = 1", {"item", "purchase"}),
        ("DELETE FROM purchase WHERE id = 12", {"item"}),
        ("UPDATE customer SET id = 5 WHERE id = 3", {"item", "purchase"}),
        ("DELETE FROM tree WHERE id = 1", {"tree"}),
    ):
        mariadb.execute(statement)
        items = follower.follow()
        assert {item.stream.name for item in items if isinstance(item, StreamReset)} == reset, statement
        for table in follower.tables:
            assert follower.values(table) == truth(mariadb, table), statement


@slow
def test_a_table_added_later_appears_at_one_moment_with_the_others(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)")
    follower = Follower(mariadb, "a")
    follower.follow()
    mariadb.execute(
        "CREATE TABLE b (id int PRIMARY KEY)", "INSERT INTO b VALUES (1)", "INSERT INTO a VALUES (2)"
    )
    follower.tables = ("a", "b")
    items = follower.follow()
    assert kinds(items) == ["StreamRows", "StreamRows", "LogState"], "a and b are never of two moments"
    mariadb.execute("INSERT INTO b VALUES (2)", "DELETE FROM b WHERE id = 1")
    follower.follow()
    assert follower.values("a") == truth(mariadb, "a")
    assert follower.values("b") == truth(mariadb, "b")
    assert len(follower.changes) == 2 + 3


@slow
def test_columns_that_come_and_go_in_the_log(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, old text)", "INSERT INTO t VALUES (1, 'a')")
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute(
        "INSERT INTO t VALUES (2, 'b')",
        "ALTER TABLE t ADD COLUMN new int DEFAULT 9 FIRST",
        "INSERT INTO t VALUES (1, 3, 'c')",
        "ALTER TABLE t DROP COLUMN old, RENAME COLUMN new TO newer",
        "INSERT INTO t VALUES (2, 4)",
    )
    follower.follow()
    assert [(row["id"], row["newer"]) for row in follower.changes[1:]] == [(2, None), (3, None), (4, 2)]
    mariadb.execute("INSERT INTO t VALUES (7, 5)", "ALTER TABLE t MODIFY newer varchar(10)")
    with pytest.raises(
        ConnectorError, match=r"stream t: .* column newer had another type when the rows were"
    ):
        follower.follow()


@slow
def test_an_alter_while_reading_asks_for_another_attempt(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    follower = Follower(mariadb, "t")
    follower.follow()
    items = follower.items(follower.streams, tail_until=9e9)
    mariadb.execute("INSERT INTO t VALUES (2)")
    assert kinds([next(items), next(items)]) == ["StreamRows", "LogState"]
    mariadb.execute("ALTER TABLE t ADD COLUMN new int", "INSERT INTO t VALUES (3, 3)")
    with pytest.raises(ConnectorError, match="altered while its log was read") as caught:
        next(items)
    assert caught.value.kind == "transient_error"


@slow
def test_a_transaction_larger_than_a_batch_is_handed_on_in_pieces(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute("INSERT INTO t SELECT seq, repeat('x', 100) FROM seq_1_to_25000")
    items = follower.follow()
    assert kinds(items) == ["StreamRows", "StreamRows", "StreamRows", "LogState"]
    assert max(item.batch.rows.num_rows for item in items[:-1]) < 10_300
    assert len(follower.values("t")) == 25_000


@slow
def test_a_snapshot_as_mysql_needs_it(mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no MySQL server to be had here: MariaDB runs the statements that a MySQL server would be sent."""
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    monkeypatch.setattr(LogServer, "gtid", lambda *_: None)
    follower = Follower(mariadb, "t")
    streams = follower.streams
    init = LogServer.__init__

    def as_mysql(self: LogServer, *arguments: Any) -> None:
        init(self, *arguments)
        self.is_mariadb = False

    monkeypatch.setattr(LogServer, "__init__", as_mysql)
    monkeypatch.setattr(LogServer, "identity", lambda _: {"server_uuid": "u"})
    items = follower.items(streams)
    assert kinds([next(items), next(items)]) == ["StreamRows", "LogState"]
    mariadb.execute("INSERT INTO t VALUES (2)")  # nothing is locked any more
    assert kinds(items) == ["StreamRows", "LogState"]


class TestLostLog:
    """The log cannot be followed on: refused, or everything is read again."""

    pytestmark = slow

    def prepared(self, server: MariaDbServer, **method: Any) -> Follower:
        database = MariaDb(server, "shop")
        MariaDb(server, "mysql").execute("CREATE DATABASE shop")
        database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
        follower = Follower(database, "t", **method)
        follower.follow()
        return follower

    def test_purged_replaced_and_read_again(self, mariadb_of_its_own: MariaDbServer) -> None:
        follower = self.prepared(mariadb_of_its_own)
        database, first = follower.database, follower.state
        database.execute("DELETE FROM t WHERE id = 1", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (3)")
        database.execute("PURGE BINARY LOGS TO 'binlog.000002'")
        with pytest.raises(
            ConnectorError, match=r"file binlog.000001 is gone from the server; refresh"
        ) as caught:
            follower.follow()
        assert caught.value.kind == "config_error"
        assert first is not None
        shared = {**first.shared, "file": "binlog.000002", "pos": 256, "gtid": "0-7-1"}
        follower.state = LogState(shared, first.streams)
        with pytest.raises(ConnectorError, match=r"this is another log: at binlog\.000002:256"):
            follower.follow()
        follower.state = LogState({**shared, "server_id": "8"}, first.streams)
        with pytest.raises(ConnectorError, match="this is another server: server_id is 7 and was 8"):
            follower.follow()
        follower.state = first
        follower.configuration = database.cdc(invalid_cdc_cursor_position_behavior="Re-sync data")
        assert isinstance(follower.follow()[0], StreamReset)
        assert follower.values("t") == truth(database, "t")
        database.execute("INSERT INTO t VALUES (4)")
        follower.follow()
        assert follower.values("t") == truth(database, "t")

    def test_the_log_goes_on_over_restarts_and_kills(self, mariadb_of_its_own: MariaDbServer) -> None:
        follower = self.prepared(mariadb_of_its_own)
        database, server = follower.database, mariadb_of_its_own
        for end in (server.kill, server.stop):
            database.execute("CREATE TABLE IF NOT EXISTS other (id int PRIMARY KEY, v text)")
            database.execute("INSERT INTO t SELECT max(id) + 1 FROM t")
            end()
            server.start()
            # tables get numbers from the first on again: the other one takes that of `t`
            database.execute("REPLACE INTO other VALUES (1, 'x')", "INSERT INTO t SELECT max(id) + 1 FROM t")
        follower.follow()
        assert follower.values("t") == truth(database, "t")
        assert len(follower.changes) == 6

    def test_the_state_tells_what_of_the_log_is_unread(
        self, mariadb_of_its_own: MariaDbServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rounds, "ROUND_ROWS", 1)
        follower = self.prepared(mariadb_of_its_own)
        for number in (11, 12, 13):
            follower.database.execute(f"INSERT INTO t VALUES ({number})", "FLUSH BINARY LOGS")
        states = [
            item for item in follower.items(follower.streams, batch_rows=1) if isinstance(item, LogState)
        ]
        unread = [state.shared["lag_bytes"] for state in states]
        assert len(unread) > 3
        assert unread[0] > unread[1] > unread[2]
        assert unread[0] > 2 * 256, "two more files, of which each has a head"
        assert unread[-1] < 256, "the server notes checkpoints by itself"

    def test_settings_and_privileges_are_named_with_their_sql(self, mariadb: MariaDb) -> None:
        user = f"{mariadb.name}@'127.0.0.1'"
        mariadb.execute(
            "CREATE TABLE t (id int PRIMARY KEY)",
            f"CREATE USER {user} IDENTIFIED BY 'secret'",
            f"GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO {user}",
        )
        configuration, check = mariadb.cdc() | {"username": mariadb.name}, MysqlSource().check
        check(configuration)
        mariadb.execute("SET GLOBAL binlog_row_metadata = 'NO_LOG', GLOBAL binlog_format = 'MIXED'")
        try:
            with pytest.raises(ConnectorError) as caught:
                check(configuration)
        finally:
            mariadb.execute("SET GLOBAL binlog_row_metadata = 'FULL', GLOBAL binlog_format = 'ROW'")
        for part in ("binlog_format is MIXED", "SET GLOBAL binlog_row_metadata = 'FULL';"):
            assert part in str(caught.value)
        for privilege in ("REPLICATION SLAVE", "BINLOG MONITOR"):
            mariadb.execute(f"REVOKE {privilege} ON *.* FROM {user}")
            with pytest.raises(
                ConnectorError, match="run GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON"
            ):
                check(configuration)
        mariadb.execute(f"DROP USER {user}")

    @pytest.mark.parametrize(
        ("statements", "said"),
        [
            (("SET SESSION binlog_format = 'STATEMENT'", "INSERT INTO t VALUES (9)"), "logged as a statement"),
            (("SET SESSION binlog_row_image = 'MINIMAL'", "DELETE FROM t"), "were logged in part"),
            (("SET GLOBAL binlog_row_metadata = 'MINIMAL'", "DELETE FROM t",
              "SET GLOBAL binlog_row_metadata = 'FULL'"), "logged without column names"),
            (("XA START 'x'", "DELETE FROM t", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"), "XA transaction"),
        ],
    )  # fmt: skip
    def test_a_log_that_leaves_something_out_is_refused(
        self, mariadb: MariaDb, statements: Sequence[str], said: str
    ) -> None:
        mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1)")
        follower = Follower(mariadb, "t")
        follower.follow()
        changed = [statement.replace("VALUES (9)", "VALUES (9, 9)") for statement in statements]
        mariadb.execute(*changed)
        with pytest.raises(ConnectorError, match=said) as caught:
            follower.follow()
        assert caught.value.kind == "config_error"


@slow
def test_streams_that_the_log_cannot_tell_are_refused_by_name(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE bare (id int)",
        "CREATE TABLE other (id int PRIMARY KEY, u uuid)",
        "CREATE VIEW v AS SELECT * FROM bare",
    )
    offered = {s["name"]: s for s in MysqlSource().discover(mariadb.cdc())}
    assert offered["other"]["default_cursor_field"] == [CURSOR]
    assert offered["other"]["json_schema"]["properties"][CURSOR] == {
        "type": "number",
        "airbyte_type": "integer",
    }
    for name in ("bare", "v"):
        assert offered[name]["supported_sync_modes"] == ["full_refresh"]
        assert CURSOR not in offered[name]["json_schema"]["properties"]
    with pytest.raises(ConnectorError, match="column u of type uuid cannot be read from the binary log"):
        Follower(mariadb, "other").follow()


@slow
def test_a_source_that_reads_its_log_still_reads_streams_in_full(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    follower = Follower(mariadb, "t")
    (logged,) = follower.streams
    (batch,) = direct.read(follower.configuration, replace(logged, sync_mode="full_refresh"), None)
    assert isinstance(batch, LandingBatch)
    assert batch.rows.to_pylist() == [dict.fromkeys(["id", *LOG_COLUMNS.schema]) | {"id": 1}]
    with pytest.raises(ConnectorError, match="the server reads the log by itself"):
        list(direct.read(follower.configuration, logged, None))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("truncate t", [(Effect.EMPTIED, "db", "t")]),
        ("TRUNCATE TABLE `a b`.`c``d`", [(Effect.EMPTIED, "a b", "c`d")]),
        ("DROP TABLE IF EXISTS `t`,x.u /* generated by server */", [(Effect.REPLACED, "db", "t"), (Effect.REPLACED, "x", "u")]),
        ("rename table t to t_old, new TO t", [(Effect.REPLACED, "db", n) for n in ("t", "t_old", "new", "t")]),
        ("alter table t add column c int", []),
        ("ALTER TABLE t RENAME COLUMN a TO b", []),
        ("ALTER TABLE t RENAME INDEX a TO b", []),
        ("ALTER TABLE t RENAME TO u", [(Effect.REPLACED, "db", "t")]),
        ("/* c */ ALTER ONLINE TABLE IF EXISTS t DROP PARTITION p", [(Effect.REPLACED, "db", "t")]),
        ("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", [(Effect.REPLACED, "db", "t")]),
        ("ALTER TABLE t CONVERT TABLE u TO PARTITION p VALUES LESS THAN (9)", [(Effect.REPLACED, "db", "t")]),
        ("ALTER TABLE t ADD PARTITION (PARTITION p VALUES IN (1))", []),
        ("CREATE TABLE t (a int)", []),
        ("create or replace table t as select 1", [(Effect.REPLACED, "db", "t")]),
        ("DROP DATABASE IF EXISTS shop", [(Effect.REPLACED, "shop", None)]),
        ("DROP TEMPORARY TABLE t", []),
        ("INSERT INTO t VALUES (1)", [(Effect.WRITTEN, "db", "t")]),
        ("update low_priority x.t set a = 1", [(Effect.WRITTEN, "x", "t")]),
        ("delete from t", [(Effect.WRITTEN, "db", "t")]),
        ("UPDATE a JOIN b ON a.i = b.i SET a.x = 1", [(Effect.WRITTEN, "db", None)]),
        ("GRANT SELECT ON t TO u", []),
    ],
)  # fmt: skip
def test_what_logged_statements_do_to_tables(statement: str, found: list[tuple[Any, ...]]) -> None:
    assert list(effects_of(statement, "db")) == [TableStatement(*one) for one in found]
