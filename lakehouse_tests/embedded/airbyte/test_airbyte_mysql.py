"""source-mysql against a real MariaDB: values of every type, cursors, and what it says when something is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.connectors.mysql import direct
from lakehouse.embedded.airbyte.connectors.mysql.configuration import configuration_of
from lakehouse.embedded.airbyte.connectors.mysql.source import MysqlSource
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch, RecordBatcher
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer
from lakehouse_tests.embedded.airbyte.mariadb import MariaDb, mariadb_running
from lakehouse_tests.embedded.airbyte.test_airbyte_postgres import outcome

pytestmark = pytest.mark.slow
State = Mapping[str, Any] | None


def configured(database: MariaDb, table: str, cursor: str | None = None) -> ConfiguredStream:
    stream = next(s for s in MysqlSource().discover(database.configuration) if s["name"] == table)
    return ConfiguredStream.from_json(
        {
            "stream": stream,
            "sync_mode": "incremental" if cursor else "full_refresh",
            "cursor_field": [cursor] if cursor else [],
            "primary_key": stream["source_defined_primary_key"],
        }
    )


def over_protocol(
    database: MariaDb, stream: ConfiguredStream, state: State
) -> Iterator[LandingBatch | StreamState]:
    """The same stream through records, as the worker reads any connector."""
    batcher = RecordBatcher(stream.columns)
    for item in MysqlSource().read(database.configuration, stream, state):
        if isinstance(item, StreamState):
            yield item
        else:
            data, meta = item
            batcher.add(bytes(data), 1, [Change(**change) for change in (meta or {}).get("changes", [])])
    batch = batcher.flush()
    if batch is not None:
        yield batch


def directly(
    database: MariaDb, stream: ConfiguredStream, state: State
) -> Iterator[LandingBatch | StreamState]:
    return direct.read(database.configuration, stream, state)


TABLE = """
CREATE TABLE every_type (
    id bigint PRIMARY KEY, ti tinyint, flag tinyint(1), utiny tinyint(1) unsigned, si smallint, mi mediumint,
    umi mediumint unsigned, i int, ui int unsigned, bi bigint, ubi bigint unsigned, f float, d double,
    n decimal(12, 2), whole decimal(30, 0), wide decimal(60, 20), y year, b1 bit(1), b10 bit(10), day date, t time(3),
    ts datetime(6), tz timestamp(6) NULL, txt text, vc varchar(200), c char(5), latin varchar(20) CHARACTER SET latin1,
    ucs varchar(20) CHARACTER SET ucs2, doc json, e enum('small', 'big', 'ü'), s set('a', 'b', 'c'), bin binary(4),
    vb varbinary(300), bl blob, g geometry, `Odd name%` text) CHARACTER SET utf8mb4
"""
ROWS = """
INSERT INTO every_type VALUES
    (1, -5, 1, 200, -300, -70000, 16777215, -7, 4294967295, -9223372036854775808, 9223372036854775807, 0.1, 1e300,
     12.34, 123456789012345678, 1234567890.5, 2024, b'1', b'1010101010', '2024-02-29', '10:11:12.5',
     '2024-01-01 10:00:00.123456', '2024-01-01 10:00:00.5', 'tab\t"quote" \\\\ é 日本 😀', 'v', 'pad', 'é',
     '日', '{"a": [1, null]}', 'ü', 'a,c', x'0100', x'00ff', x'fffe', ST_GeomFromText('POINT(1 2)'), 'x'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 127, 0, 0, 0, 0, 0, 0, 0, 0, 18446744073709551615, 16777217, -1e-300, -0.01, 123456789012345678901234567890,
     -0.00000000000000000001, 0, b'0', b'0', '0000-00-00', '-01:00:00', '0000-00-00 00:00:00',
     '1970-01-01 00:00:01', '', '', '', '', '', '[]', 'small', '', '', '', '', NULL, '10000-01-01'),
    (4, -128, 5, 1, 1, -1, 1, 1, 1, 1, 1, 3.4e38, 0.30000000000000004, 0, -1, 3, 2155, b'1', b'1', '9999-12-31',
     '23:59:59.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', 'line\nbreak', 'null', 'x', 'y', 'z',
     'null', 'big', 'b', x'ffffffff', x'00', x'00', ST_GeomFromText('LINESTRING(0 0,1 1)'), NULL),
    (5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, -0.0, 123456.789e-5, 1, 1, 1, 1901, b'0', b'0', '1000-01-01', '838:59:59',
     '1000-01-01', NULL, 't', 't', 't', 't', 't', '1', 'big', 'c', x'01', x'01', x'01', NULL, '')
"""


def test_both_paths_give_the_same_values_types_and_changes(mariadb: MariaDb) -> None:
    mariadb.execute("SET SESSION sql_mode = ''", TABLE, ROWS)
    stream = configured(mariadb, "every_type")
    rows, _ = outcome(directly(mariadb, stream, None))
    assert rows == outcome(over_protocol(mariadb, stream, None))[0]
    good, empty, odd, edge, last = rows
    assert (good["flag"], good["b1"], good["utiny"], good["y"]) == (True, True, 200, 2024)
    assert (good["bi"], good["ubi"], good["whole"]) == (-(2**63), 2**63 - 1, 123456789012345678)
    assert (good["f"], good["d"], good["n"], good["wide"]) == (0.1, 1e300, 12.34, 1234567890.5)
    assert (str(good["t"]), str(good["day"])) == ("10:11:12.500000", "2024-02-29")
    assert good["ts"].isoformat() == "2024-01-01T10:00:00.123456+00:00"
    assert good["txt"] == 'tab\t"quote" \\ é 日本 😀'
    assert (good["latin"], good["ucs"], good["e"], good["s"]) == ("é", "日", "ü", "a,c")
    assert (good["doc"], good["bin"], good["vb"], good["bl"]) == (
        '{"a": [1, null]}',
        "AQAAAA==",
        "AP8=",
        "//4=",
    )
    assert good["b10"] == "Aqo="
    assert good["Odd_name_"] == "x"
    assert {value for name, value in empty.items() if name not in ("id", "changes")} == {None}
    assert [row["changes"] for row in (good, empty, edge)] == [[], [], []]
    refused = ["day", "t", "ts", "ubi", "whole"]
    assert odd["changes"] == [(name, "NULLED", "SOURCE_SERIALIZATION_ERROR") for name in refused]
    assert all(odd[name] is None for name in refused)
    assert (odd["f"], odd["s"], odd["txt"], odd["y"]) == (16777216.0, "", "", 0)
    assert (edge["flag"], edge["d"], edge["doc"]) == (True, 0.30000000000000004, "null")
    assert [name for name, _, _ in last["changes"]] == ["t"]


def test_discover_declares_the_types_of_the_real_connector(mariadb: MariaDb) -> None:
    mariadb.execute(
        "CREATE TABLE a (id int, day date, n decimal(9, 2), flag tinyint(1), ts timestamp NULL, at datetime, raw blob,"
        " PRIMARY KEY (day, id))",
        "CREATE TABLE no_key (x int)",
        "CREATE VIEW a_view AS SELECT id FROM a",
    )
    streams = {stream["name"]: stream for stream in MysqlSource().discover(mariadb.configuration)}
    assert sorted(streams) == ["a", "a_view", "no_key"]
    assert streams["a"]["json_schema"]["properties"] == {
        "id": {"type": "number", "airbyte_type": "integer"},
        "day": {"type": "string", "format": "date"},
        "n": {"type": "number"},
        "flag": {"type": "boolean"},
        "ts": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
        "at": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        "raw": {"type": "string"},
    }
    assert streams["a"]["namespace"] == mariadb.name
    assert streams["a"]["source_defined_primary_key"] == [["day"], ["id"]]
    assert streams["no_key"]["source_defined_primary_key"] == []
    whole = mariadb.configuration | {"jdbc_url_params": "tinyInt1isBit=false&connectTimeout=5000"}
    (a,) = [stream for stream in MysqlSource().discover(whole) if stream["name"] == "a"]
    assert a["json_schema"]["properties"]["flag"] == {"type": "number", "airbyte_type": "integer"}


@pytest.mark.parametrize("read", [directly, over_protocol])
def test_an_unchanged_table_gives_no_rows_and_equal_cursors_are_not_lost(mariadb: MariaDb, read: Any) -> None:
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY, at datetime(3) NOT NULL)",
        "INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02'), (3, '2024-01-02')",
    )
    stream = configured(mariadb, "t", "at")
    rows, state = outcome(read(mariadb, stream, None))
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert state == {
        "version": 2,
        "state_type": "cursor_based",
        "stream_name": "t",
        "stream_namespace": mariadb.name,
        "cursor_field": ["at"],
        "cursor": "2024-01-02 00:00:00.000",
        "cursor_record_count": 2,
    }
    assert outcome(read(mariadb, stream, state)) == ([], state)
    mariadb.execute("INSERT INTO t VALUES (4, '2024-01-02')")
    rows, state = outcome(read(mariadb, stream, state))
    assert [row["id"] for row in rows] == [2, 3, 4]
    mariadb.execute("INSERT INTO t VALUES (5, '2024-01-03')", "UPDATE t SET at = '2024-01-04' WHERE id = 1")
    rows, state = outcome(read(mariadb, stream, state))
    assert [row["id"] for row in rows] == [1, 5]
    assert outcome(read(mariadb, stream, state))[0] == []


@pytest.mark.parametrize(
    ("type_", "first", "second"),
    [
        ("bigint unsigned", "9007199254740993", "9007199254740994"),
        ("decimal(40, 9)", "12345678901234567890.123456789", "12345678901234567890.123456790"),
        ("float", "16777216", "16777218"),
        ("double", "0.1", "0.30000000000000004"),
        ("varchar(20)", "it's", "zoo"),
        ("date", "2024-01-01", "2024-01-02"),
        ("timestamp", "2024-01-01 10:00:00", "2024-01-01 10:00:01"),
        ("year", "2024", "2025"),
    ],
)
def test_a_cursor_of_any_ordered_type_is_exact(mariadb: MariaDb, type_: str, first: str, second: str) -> None:
    quoted = [value.replace("'", "''") for value in (first, second)]
    mariadb.execute(f"CREATE TABLE t (id int PRIMARY KEY, at {type_} NOT NULL)")
    mariadb.execute(f"INSERT INTO t VALUES (1, '{quoted[0]}')")
    stream = configured(mariadb, "t", "at")
    rows, state = outcome(directly(mariadb, stream, None))
    assert len(rows) == 1
    assert outcome(directly(mariadb, stream, state)) == ([], state)
    mariadb.execute(f"INSERT INTO t VALUES (2, '{quoted[1]}')")
    rows, state = outcome(directly(mariadb, stream, state))
    assert [row["id"] for row in rows] == [2]
    assert outcome(directly(mariadb, stream, state)) == ([], state)


def test_empty_tables_null_cursors_and_another_cursor(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, at int, other int)")
    stream = configured(mariadb, "t", "at")
    rows, state = outcome(directly(mariadb, stream, None))
    assert rows == []
    mariadb.execute("INSERT INTO t VALUES (1, 5, 1), (2, NULL, 2)")
    rows, state = outcome(directly(mariadb, stream, state))
    assert [row["id"] for row in rows] == [1, 2]
    assert [row["id"] for row in outcome(directly(mariadb, stream, state))[0]] == [2]
    assert len(outcome(directly(mariadb, configured(mariadb, "t", "other"), state))[0]) == 2
    mariadb.execute("DELETE FROM t")
    rows, state = outcome(directly(mariadb, stream, state))
    assert (rows, (state or {})["cursor"]) == ([], "5")


def test_what_is_gone_or_retyped_is_named(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, a int, flag bit(1))")
    stream = configured(mariadb, "t", "a")
    with pytest.raises(ConnectorError, match=r"column flag of type bit\(1\) cannot be a cursor"):
        outcome(directly(mariadb, configured(mariadb, "t", "flag"), None))
    mariadb.execute("ALTER TABLE t MODIFY a varchar(10)")
    with pytest.raises(
        ConnectorError, match=r"stream t: cursor column a .* changed its type to varchar\(10\)"
    ):
        outcome(directly(mariadb, stream, None))
    mariadb.execute("ALTER TABLE t DROP COLUMN a")
    with pytest.raises(ConnectorError, match="stream t: cursor column a is gone"):
        outcome(directly(mariadb, stream, None))
    mariadb.execute("DROP TABLE t")
    with pytest.raises(ConnectorError, match=rf"table {mariadb.name}.t is gone"):
        outcome(directly(mariadb, stream, None))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"password": "wrong"},
            "cannot connect to MySQL .* Access denied .* check database, username and password",
        ),
        ({"database": "nowhere"}, "Unknown database 'nowhere'|Access denied"),
        ({"port": 1}, "cannot connect to MySQL .*:1/.* check host, port and ssl_mode"),
        ({"ssl_mode": {"mode": "required"}}, "cannot connect to MySQL .* SSL"),
    ],
)
def test_check_says_what_is_wrong(mariadb: MariaDb, changes: dict[str, Any], said: str) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY)")
    MysqlSource().check(mariadb.configuration)
    with pytest.raises(ConnectorError, match=said):
        MysqlSource().check(mariadb.configuration | changes)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority `ca.pem`, and certificates of a server called localhost and of a client."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)

    openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=authority -keyout ca.key -out ca.pem")
    for name in ("localhost", "client"):
        request = f"req -newkey rsa:2048 -nodes -subj /CN={name} -addext subjectAltName=DNS:{name}"
        openssl(f"{request} -keyout {name}.key -out {name}.csr")
        openssl(f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -copy_extensions copy -out {name}.pem")
    return folder


def test_every_ssl_mode_asks_of_the_server_what_it_says(certificates: Path, tmp_path: Path) -> None:
    files = {name: (certificates / name).read_text() for name in ("ca.pem", "client.pem", "client.key")}
    options = [f"--ssl-{name}={certificates / file}" for name, file in SERVER_FILES.items()]
    with mariadb_running(tuple(options)) as server:
        root = MariaDb(server, "mysql")
        root.execute(
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id int)",
            "CREATE USER strict@'127.0.0.1' IDENTIFIED BY 'secret' REQUIRE X509",
            "GRANT SELECT ON *.* TO strict@'127.0.0.1'",
        )

        def check(mode: str, host: str = "localhost", user: str = "airbyte", **more: str) -> None:
            changes = {"host": host, "username": user, "ssl_mode": {"mode": mode, **more}}
            MysqlSource().check(MariaDb(server, "shop").configuration | changes)

        ca = {"ca_certificate": files["ca.pem"]}
        client = {"client_certificate": files["client.pem"], "client_key": files["client.key"]}
        check("preferred")
        check("required")
        check("verify_ca", host="127.0.0.1", **ca)
        check("verify_identity", **ca)
        check("verify_identity", user="strict", **ca, **client)
        for refused in (
            lambda: check("verify_identity", host="127.0.0.1", **ca),
            lambda: check("verify_ca", ca_certificate=files["client.pem"]),
            lambda: check("verify_ca", user="strict", **ca),
        ):
            with pytest.raises(ConnectorError, match="cannot connect to MySQL"):
                refused()
        with pytest.raises(ConnectorError, match="ssl_mode: not a usable certificate or key"):
            check("verify_ca", ca_certificate="none")


SERVER_FILES = {"ca": "ca.pem", "cert": "localhost.pem", "key": "localhost.key"}


def test_check_refuses_a_database_without_readable_tables(mariadb: MariaDb) -> None:
    with pytest.raises(ConnectorError, match="user airbyte can read no table; grant SELECT"):
        MysqlSource().check(mariadb.configuration)


REAL = {
    "host": "db",
    "port": 3306,
    "database": "shop",
    "username": "u",
    "password": "p",
    "jdbc_url_params": "zeroDateTimeBehavior=convertToNull",
    "ssl_mode": {
        "mode": "verify_identity",
        "ca_certificate": "x",
        "client_certificate": "y",
        "client_key": "z",
    },
    "replication_method": {
        "method": "CDC",
        "initial_waiting_seconds": 300,
        "initial_load_timeout_hours": 8,
        "invalid_cdc_cursor_position_behavior": "Re-sync data",
        "server_timezone": "Europe/Berlin",
    },
    "tunnel_method": {"tunnel_method": "NO_TUNNEL"},
    "check_privileges": True,
    "checkpoint_target_interval_seconds": 300,
    "max_db_connections": 4,
    "sourceType": "mysql",
}


def test_a_configuration_of_the_real_connector_is_taken_as_it_is() -> None:
    configuration_of(REAL)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hosts": "x"}, "unknown field `hosts`"),
        ({"host": None}, r"\$.host"),
        ({"replication_method": {"method": "BINLOG"}}, r"'BINLOG' - at `\$.replication_method.method`"),
        ({"replication_method": {"method": "CDC", "slot": "x"}}, "unknown field `slot`"),
        ({"ssl_mode": {"mode": "verify_ca"}}, "ca_certificate"),
        ({"tunnel_method": {"tunnel_method": "SSH_KEY_AUTH"}}, "connects directly only.* real Airbyte"),
        ({"jdbc_url_params": "allowMultiQueries=true"}, "allowMultiQueries=true is not understood"),
        ({"jdbc_url_params": "zeroDateTimeBehavior=round"}, "zeroDateTimeBehavior=round is not understood"),
    ],
)
def test_a_configuration_that_is_not_understood_is_refused_by_name(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConnectorError, match=said):
        configuration_of(REAL | changes)


def test_the_commands_of_the_protocol(mariadb: MariaDb, tmp_path: Any) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, day date)", "INSERT INTO t VALUES (1, '2024-01-02')")
    config, catalog = tmp_path / "config.json", tmp_path / "catalog.json"
    config.write_text(json.dumps(mariadb.configuration))
    catalog.write_text(json.dumps({"streams": [configured(mariadb, "t", "id").to_json()]}))
    module = [sys.executable, "-m", "lakehouse.embedded.airbyte.connectors.mysql"]

    def printed(*arguments: str) -> list[dict[str, Any]]:
        done = subprocess.run([*module, *arguments], check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert "jdbc_url_params" in json.dumps(printed("spec"))
    (checked,) = printed("check", "--config", str(config))
    assert checked["connectionStatus"]["status"] == "SUCCEEDED"
    messages = printed("read", "--config", str(config), "--catalog", str(catalog))
    assert [m["record"]["data"] for m in messages if m["type"] == "RECORD"] == [
        {"id": 1, "day": "2024-01-02"}
    ]
    (state,) = [m["state"]["stream"]["stream_state"]["cursor"] for m in messages if m["type"] == "STATE"]
    assert state == "1"


def test_a_table_is_landed_by_the_server(mariadb: MariaDb, airbyte: AirbyteServer) -> None:
    mariadb.execute(
        "CREATE TABLE t (id int PRIMARY KEY, n decimal(9, 2))",
        "INSERT INTO t SELECT seq, seq / 4 FROM seq_1_to_25000",
    )
    streams = [{"name": "t", "syncMode": "incremental_append", "cursorField": ["id"]}]
    connection = airbyte.connect(mariadb.configuration, "mysql", streams)
    assert connection.records(connection.sync()) == {"t": 25_000}
    assert sum(connection.table("t")["n"].to_pylist()) == sum(i / 4 for i in range(1, 25_001))
    mariadb.execute("INSERT INTO t VALUES (30000, 1)")
    assert connection.records(connection.sync()) == {"t": 1}
