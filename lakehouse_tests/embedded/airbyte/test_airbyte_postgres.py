"""source-postgres against a real server: values of every type, cursors, and what it says when something is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from lakehouse.embedded.airbyte.connectors.postgres import direct, ranges
from lakehouse.embedded.airbyte.connectors.postgres.source import PostgresSource
from lakehouse.embedded.airbyte.connectors.postgres.tables import tables_of
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch, RecordBatcher
from lakehouse_tests.embedded.airbyte.fixtures import Database

pytestmark = pytest.mark.slow
State = Mapping[str, Any] | None


def configured(database: Database, table: str, cursor: str | None = None) -> ConfiguredStream:
    stream = next(s for s in PostgresSource().discover(database.configuration) if s["name"] == table)
    return ConfiguredStream.from_json(
        {
            "stream": stream,
            "sync_mode": "incremental" if cursor else "full_refresh",
            "cursor_field": [cursor] if cursor else [],
            "primary_key": stream["source_defined_primary_key"],
        }
    )


def over_protocol(
    database: Database, stream: ConfiguredStream, state: State
) -> Iterator[LandingBatch | StreamState]:
    """The same stream through records, as the worker reads any connector."""
    batcher = RecordBatcher(stream.columns)
    for item in PostgresSource().read(database.configuration, stream, state):
        if isinstance(item, StreamState):
            yield item
        else:
            data, meta = item
            changes = [direct.Change(**change) for change in (meta or {}).get("changes", [])]
            batcher.add(bytes(data), 1, changes)
    batch = batcher.flush()
    if batch is not None:
        yield batch


def directly(
    database: Database, stream: ConfiguredStream, state: State
) -> Iterator[LandingBatch | StreamState]:
    return direct.read(database.configuration, stream, state)


def outcome(items: Iterator[LandingBatch | StreamState]) -> tuple[list[dict[str, Any]], State]:
    """Rows with their changes, in the order of `id`, and the state reached."""
    rows: list[dict[str, Any]] = []
    state: State = None
    for item in items:
        if isinstance(item, StreamState):
            state = item.state
        else:
            for position, row in enumerate(item.rows.to_pylist()):
                changes = item.changes.get(position, ())
                rows.append(row | {"changes": sorted((c.field, c.change, c.reason) for c in changes)})
    return sorted(rows, key=lambda row: row["id"]), state


EVERY_TYPE = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN money_amount AS numeric(12, 2);
CREATE TABLE every_type (
    id bigint PRIMARY KEY, i2 smallint, i4 int, f4 real, f8 float8, n numeric(10, 2), wide numeric,
    price money, domain_amount money_amount, b boolean, d date, t time, tz timetz, ts timestamp, tstz timestamptz,
    txt text, vc varchar(10), padded char(5), doc json, docb jsonb, u uuid, raw bytea, m mood, span interval,
    ip inet, ints int[], texts text[], numbers numeric[], days date[], "Odd name%" text);
INSERT INTO every_type VALUES
    (1, -5, 7, 0.1, 1e300, 12.34, 123456789012345678901234567890.5, 9.99, 1.25, true, '2024-02-29', '10:11:12.5',
     '10:00+02', '2024-01-01 10:00:00.123456', '2024-01-01 10:00+02', E'tab\\t"quote" \\\\ é 日本', 'v', 'pad',
     '{"a": [1, {"b": null}]}', '{"z": 1}', '11111111-1111-1111-1111-111111111111', '\\x00ff', 'sad', '1 day 02:00',
     '10.0.0.1', '{1,NULL,3}', '{a,"b c"}', '{1.5,2}', '{2024-01-01}', 'x'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 0, 0, 'NaN', '-Infinity', 'NaN', '1e400', 0, 0, false, 'infinity', '24:00', '23:00-02', '-infinity',
     '0044-03-15 BC', 'NaN', 'Infinity', '', '"NaN"', 'null', NULL, '', 'ok', '0', '::1', '{}', '{}', '{NaN}', '{}',
     '10000-01-01'),
    (4, 1, 1, 3.4e38, 5e-324, -0.01, '1e-400', -1, 0, true, '9999-12-31', '00:00', '00:00-12', '0001-01-01',
     '9999-12-31 23:59:59.999999+00', E'line\\nbreak', 'x', 'y', '[]', '[]', NULL, NULL, NULL, NULL, NULL,
     '{{1,2},{3,4}}', NULL, NULL, NULL, NULL);
"""


def test_both_paths_give_the_same_values_types_and_changes(database: Database) -> None:
    database.execute(*[part for part in EVERY_TYPE.split(";\n") if part.strip()])
    stream = configured(database, "every_type")
    direct_rows, _ = outcome(directly(database, stream, None))
    protocol_rows, _ = outcome(over_protocol(database, stream, None))
    assert direct_rows == protocol_rows
    good, empty, odd, edge = direct_rows
    assert good["f4"] == 0.1
    assert good["wide"] == 123456789012345678901234567890.5
    assert (good["price"], good["domain_amount"], good["padded"]) == (9.99, 1.25, "pad  ")
    assert str(good["tz"]) == "08:00:00"
    assert good["tstz"].isoformat() == "2024-01-01T08:00:00+00:00"
    assert good["ts"].isoformat() == "2024-01-01T10:00:00.123456+00:00"
    assert good["txt"] == 'tab\t"quote" \\ é 日本'
    assert (good["doc"], good["raw"]) == ('{"a": [1, {"b": null}]}', "\\x00ff")
    assert (good["ints"], good["texts"], good["numbers"]) == ([1, None, 3], ["a", "b c"], [1.5, 2.0])
    assert good["Odd_name_"] == "x"
    assert {value for name, value in empty.items() if name not in ("id", "changes")} == {None}
    assert empty["changes"] == []
    nulled = [field for field, change, _ in odd["changes"] if change == "NULLED"]
    assert nulled == ["d", "f4", "f8", "n", "numbers", "t", "ts", "tstz", "wide"]
    assert all(odd[field] is None for field in nulled)
    assert (odd["txt"], odd["vc"], odd["Odd_name_"], odd["doc"]) == (
        "NaN",
        "Infinity",
        "10000-01-01",
        '"NaN"',
    )
    assert [field for field, _, _ in edge["changes"]] == ["ints"]
    assert str(edge["d"]) == "9999-12-31"


def test_arrays_that_come_as_they_are(database: Database) -> None:
    database.execute(
        "CREATE DOMAIN ids AS int[]",
        'CREATE TABLE lists (id int PRIMARY KEY, small int2[], big int8[], flags bool[], named ids, "a b" int[])',
        "INSERT INTO lists VALUES (1, '{1,NULL}', '{9223372036854775807}', '{t,f,NULL}', '{5}', '{}'),"
        " (2, NULL, NULL, NULL, NULL, NULL), (3, '{}', '[5:6]={1,2}', '{{t},{f}}', '{{1},{2}}', '{{{1}}}')",
    )
    stream = configured(database, "lists")
    rows, _ = outcome(directly(database, stream, None))
    assert rows == outcome(over_protocol(database, stream, None))[0]
    first, _, third = rows
    assert (first["small"], first["flags"], first["named"]) == ([1, None], [True, False, None], [5])
    assert third["big"] == [1, 2]
    assert [field for field, _, _ in third["changes"]] == ["a b", "flags", "named"]


def test_a_large_table_is_read_in_parts_that_are_of_one_moment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "SMALLEST_PAGES", 10)
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, version int, filler text)",
        "INSERT INTO t SELECT i, 1, repeat('x', 500) FROM generate_series(1, 2000) i",
    )
    opened = ranges.exported_snapshot

    @contextmanager
    def moved_meanwhile(connection: psycopg.Connection[Any]) -> Iterator[str]:
        with opened(connection) as snapshot:
            database.execute("UPDATE t SET version = 2")  # every row goes to another page
            yield snapshot

    monkeypatch.setattr(direct, "exported_snapshot", moved_meanwhile)
    with database.connection() as connection:
        table = tables_of(connection, ("public",))[("public", "t")]
        assert len(ranges.page_ranges(connection, table, 3)) == 3
    items = direct.read(database.configuration, configured(database, "t"), None, connections=3)
    rows, _ = outcome(items)
    assert [(row["id"], row["version"]) for row in rows] == [(i, 1) for i in range(1, 2001)]


def test_what_has_no_pages_of_its_own_is_read_in_one_part(database: Database) -> None:
    database.execute(
        "CREATE TABLE small (id int)",
        "CREATE VIEW seen AS SELECT * FROM small",
        "CREATE TABLE parent (id int) PARTITION BY RANGE (id)",
    )
    with database.connection() as connection:
        for table in tables_of(connection, ("public",)).values():
            (only,) = ranges.page_ranges(connection, table, 8)
            assert only.as_string(connection) == "true"


def test_discover_declares_the_types_of_the_real_connector(database: Database) -> None:
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY, n numeric, ts timestamp, tags text[])",
        "CREATE TABLE no_key (x int)",
        "CREATE VIEW a_view AS SELECT id FROM a",
        "CREATE TABLE parts (id int, day date, PRIMARY KEY (day, id)) PARTITION BY RANGE (day)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    )
    streams = {stream["name"]: stream for stream in PostgresSource().discover(database.configuration)}
    assert sorted(streams) == ["a", "a_view", "no_key", "parts"]
    assert streams["a"]["json_schema"]["properties"] == {
        "id": {"type": "number", "airbyte_type": "integer"},
        "n": {"type": "number"},
        "ts": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    assert streams["a"]["namespace"] == "public"
    assert streams["parts"]["source_defined_primary_key"] == [["day"], ["id"]]
    assert streams["no_key"]["source_defined_primary_key"] == []


@pytest.mark.parametrize("read", [directly, over_protocol])
def test_an_unchanged_table_gives_no_rows_and_equal_cursors_are_not_lost(
    database: Database, read: Any
) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL)",
        "INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02'), (3, '2024-01-02')",
    )
    stream = configured(database, "t", "at")
    rows, state = outcome(read(database, stream, None))
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert state == {
        "version": 2,
        "state_type": "cursor_based",
        "stream_name": "t",
        "stream_namespace": "public",
        "cursor_field": ["at"],
        "cursor": "2024-01-02T00:00:00+00:00",
        "cursor_record_count": 2,
    }
    assert outcome(read(database, stream, state)) == ([], state)
    database.execute("INSERT INTO t VALUES (4, '2024-01-02')")
    rows, state = outcome(read(database, stream, state))
    assert [row["id"] for row in rows] == [2, 3, 4]
    database.execute("INSERT INTO t VALUES (5, '2024-01-03')", "UPDATE t SET at = '2024-01-04' WHERE id = 1")
    rows, state = outcome(read(database, stream, state))
    assert [row["id"] for row in rows] == [1, 5]
    assert outcome(read(database, stream, state))[0] == []


def test_rows_without_a_cursor_are_read_every_time(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, at int)", "INSERT INTO t VALUES (1, 1), (2, NULL)")
    stream = configured(database, "t", "at")
    rows, state = outcome(directly(database, stream, None))
    assert [row["id"] for row in rows] == [1, 2]
    assert [row["id"] for row in outcome(directly(database, stream, state))[0]] == [2]


@pytest.mark.parametrize("read", [directly, over_protocol])
def test_what_a_transaction_open_during_a_read_commits_later_is_read_next(
    database: Database, read: Any
) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO t VALUES (1)",
    )
    stream = configured(database, "t", "at")
    _, state = outcome(read(database, stream, None))
    with database.connection() as slow:
        slow.execute("BEGIN")
        slow.execute("INSERT INTO t VALUES (2)")
        slow.execute("SAVEPOINT inside")
        slow.execute("INSERT INTO t VALUES (3)")
        slow.execute("RELEASE inside")
        database.execute("INSERT INTO t VALUES (4)")
        rows, state = outcome(read(database, stream, state))
        assert [row["id"] for row in rows] == [4]
        assert "in_flight_from" in (state or {})
        slow.execute("COMMIT")
    rows, state = outcome(read(database, stream, state))
    assert {2, 3} <= {row["id"] for row in rows} <= {2, 3, 4}
    rows, state = outcome(read(database, stream, state))
    assert rows == []


def test_an_empty_table_and_one_emptied_keep_their_place(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, at int NOT NULL)")
    stream = configured(database, "t", "at")
    rows, state = outcome(directly(database, stream, None))
    assert rows == []
    database.execute("INSERT INTO t VALUES (1, 5)")
    rows, state = outcome(directly(database, stream, state))
    assert [row["id"] for row in rows] == [1]
    database.execute("DELETE FROM t")
    rows, state = outcome(directly(database, stream, state))
    assert (rows, (state or {})["cursor"]) == ([], "5")


def test_a_numeric_cursor_is_exact(database: Database) -> None:
    big = "12345678901234567890.123456789"
    database.execute("CREATE TABLE t (id int PRIMARY KEY, at numeric)", f"INSERT INTO t VALUES (1, {big})")
    stream = configured(database, "t", "at")
    _, state = outcome(directly(database, stream, None))
    assert (state or {})["cursor"] == big
    assert outcome(directly(database, stream, state))[0] == []


def test_another_cursor_column_starts_anew(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, at int)", "INSERT INTO t VALUES (1, 9)")
    _, state = outcome(directly(database, configured(database, "t", "at"), None))
    rows, state = outcome(directly(database, configured(database, "t", "id"), state))
    assert ([row["id"] for row in rows], (state or {})["cursor"]) == ([1], "1")


@pytest.mark.parametrize(
    ("change", "cursor", "problem"),
    [
        ("DROP TABLE t", None, "stream t: table public.t is gone"),
        ("ALTER TABLE t DROP COLUMN note", None, "stream t: column note is gone from table public.t"),
        ("ALTER TABLE t DROP COLUMN id", None, "stream t: primary key column id is gone from table public.t"),
        ("ALTER TABLE t DROP COLUMN at", "at", "stream t: cursor column at is gone from table public.t"),
        (
            "ALTER TABLE t ALTER note TYPE int USING 1",
            None,
            "column note of table public.t has changed its type to",
        ),
    ],
)
def test_what_has_gone_is_named_in_one_line(
    database: Database, change: str, cursor: str | None, problem: str
) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, at int, note text)")
    stream = configured(database, "t", cursor)
    database.execute(change)
    with pytest.raises(ConnectorError) as caught:
        list(directly(database, stream, None))
    assert problem in str(caught.value)
    assert "refresh the connection's schema" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_has_no_order_cannot_be_a_cursor(database: Database) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, doc json)")
    with pytest.raises(ConnectorError, match="column doc of type json cannot be a cursor"):
        list(directly(database, configured(database, "t", "doc"), None))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "shop"'),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"port": 1}, "Connection refused"),
        ({"schemas": ["empty"]}, "user shop can read no table in empty"),
    ],
)
def test_a_failed_check_says_why_in_one_line(
    database: Database, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConnectorError) as caught:
        PostgresSource().check(database.configuration | change)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"pasword": "x"}, "unknown field `pasword`"),
        ({"port": "x"}, "Expected `int`, got `str` - at `$.port`"),
        ({"replication_method": {"method": "Xmin"}}, "this server reads with Standard or CDC"),
        ({"replication_method": {"method": "CDC"}}, "missing required field `replication_slot`"),
    ],
)
def test_an_unknown_setting_is_refused_by_name(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        PostgresSource().check({"host": "h", "database": "d", "username": "u"} | change)
    assert problem in str(caught.value)


@pytest.mark.parametrize("read", [directly, over_protocol])
def test_what_the_user_may_not_read_is_not_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    user = f"{database.name}_reader"
    database.execute(
        "CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "REVOKE ALL ON FUNCTION secret FROM PUBLIC",
        "CREATE VIEW guarded WITH (security_invoker) AS SELECT secret() AS id",
        f"CREATE ROLE {user} LOGIN PASSWORD 'secret'",
        f"GRANT SELECT ON guarded TO {user}",
    )
    stream = configured(database, "guarded")
    allowed = database.configuration | {"username": user}
    monkeypatch.setattr(Database, "configuration", allowed)
    with pytest.raises(ConnectorError, match="permission denied for function secret; grant") as caught:
        list(read(database, stream, None))
    database.execute(f"DROP OWNED BY {user}", f"DROP ROLE {user}")
    assert caught.value.kind == "config_error"


def test_the_command_speaks_the_protocol(database: Database, tmp_path: Any) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    config, catalog = tmp_path / "config.json", tmp_path / "catalog.json"
    config.write_text(json.dumps(database.configuration))
    catalog.write_text(json.dumps({"streams": [configured(database, "t").to_json()]}))

    def run(*arguments: str) -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "lakehouse.embedded.airbyte.connectors.postgres", *arguments]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    (spec,) = run("spec")
    properties = spec["spec"]["connectionSpecification"]
    assert "password" in json.dumps(properties)
    assert run("check", "--config", str(config))[-1]["connectionStatus"]["status"] == "SUCCEEDED"
    assert run("discover", "--config", str(config))[-1]["catalog"]["streams"][0]["name"] == "t"
    messages = run("read", "--config", str(config), "--catalog", str(catalog))
    assert [message["type"] for message in messages] == ["TRACE", "RECORD", "TRACE"]
    assert messages[1]["record"]["data"] == {"id": 1}


def test_a_column_as_wide_as_memory_allows_keeps_its_text(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, big text)", "INSERT INTO t SELECT 1, repeat('é', 3000000)"
    )
    stream = configured(database, "t")
    for read in (directly, over_protocol):
        ((row,), _) = outcome(read(database, stream, None))
        assert row["big"] == "é" * 3_000_000


def test_types_of_both_paths_are_those_of_the_catalogue(database: Database) -> None:
    database.execute(*[part for part in EVERY_TYPE.split(";\n") if part.strip()])
    stream = configured(database, "every_type")
    expected = pa.schema([(column.name, column.type.arrow) for column in stream.columns])
    for read in (directly, over_protocol):
        (batch,) = [item for item in read(database, stream, None) if isinstance(item, LandingBatch)]
        assert batch.rows.schema.equals(expected)
