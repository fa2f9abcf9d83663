"""What every searchable store of logs does: SQLite, the peer of Elasticsearch's protocol, and a real one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from lakehouse.embedded.ports import free_port
from lakehouse.errors import ConfigurationError, LakehouseError, ServiceDownError, TransientError
from lakehouse.observability.logs.elasticsearch_store import ElasticsearchLogStore
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.record import LogRecord, record_id
from lakehouse.observability.logs.sqlite_store import SqliteLogStore
from lakehouse.observability.logs.store import LogStore
from lakehouse.settings_sections import ElasticsearchSettings
from lakehouse_tests.elasticsearch_peer import REAL_URL, elasticsearch_peer

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with elasticsearch_peer(tmp_path_factory.mktemp("noida")) as url:
        yield url


@pytest.fixture(params=["sqlite", "peer", *(["elasticsearch"] if REAL_URL else [])])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    if request.param == "sqlite":
        sqlite = SqliteLogStore(tmp_path / "search" / "logs.db")
        yield sqlite
        sqlite.close()
        return
    url = REAL_URL if request.param == "elasticsearch" else request.getfixturevalue("peer")
    settings = ElasticsearchSettings(url=url, index=f"t{uuid.uuid4().hex[:8]}-logs")
    remote = ElasticsearchLogStore(settings, keep_days=30)
    yield remote
    httpx.delete(f"{url}/{settings.index}-*", trust_env=False)
    remote.close()


def made(store: LogStore, records: list[LogRecord]) -> list[LogRecord]:
    """Add, and wait until they are found."""
    assert store.add(records) == []
    found_from_now_on(store)
    return records


def found_from_now_on(store: LogStore) -> None:
    if isinstance(store, ElasticsearchLogStore):
        url = f"{store.settings.url}/{store.settings.index}-*/_refresh"
        assert httpx.post(url, trust_env=False).status_code == 200


def record(number: int, message: str = "a line", *, source: str = "test", **fields: object) -> LogRecord:
    """Line `number` of the source, written so many seconds after noon."""
    values: dict[str, object] = {
        "id": record_id(source, number),
        "timestamp": NOON + timedelta(seconds=number),
        "level": "INFO",
        "service": "airbyte",
        "message": message,
        **fields,
    }
    return msgspec.convert(values, LogRecord)


def numbers(store: LogStore, query: LogQuery) -> list[int]:
    """Which lines are found, newest first."""
    return [int(found.id[16:], 16) for found in store.search(query).records]


def test_a_record_comes_back_as_it_was(store: LogStore) -> None:
    whole = record(
        1,
        "sync of shop_cdc: 12 records, é 漢字 \"quoted\" \\ 'x' \n second line",
        level="ERROR",
        job_id="12",
        connection_id=str(uuid.uuid4()),
        run_id=str(uuid.uuid4()),
        asset="bronze/shop/orders",
        partition="2026-11-27",
        records_synced=2_000_000_000,
        bytes_synced=3_000_000_000_000,
    )
    bare = record(2, "", timestamp=NOON + timedelta(milliseconds=1))
    made(store, [whole, bare])
    assert store.search(LogQuery()).records == [whole, bare]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failed", [3, 1]),
        ("FAILED", [3, 1]),
        ("fail", []),
        ("fail*", [3, 1]),
        ("orders failed", [1]),
        ('"sync failed"', [1]),
        ('"failed sync"', []),
        ("lake.gold.fct_orders", [2]),
        ("gold", [2]),
        ("fct_ord*", [2]),
        ("reflection", [2]),
        ('-- "', None),
        ("failed OR", []),
        ("NEAR(failed)", []),
        ("message:failed", []),
        ("0x6572726f72", []),
    ],
)
def test_words_and_phrases(store: LogStore, text: str, expected: list[int] | None) -> None:
    made(
        store,
        [
            record(1, "Sync failed of orders"),
            record(2, "réflection of lake.gold.fct_orders refreshed"),
            record(3, "customers: it failed", service="error"),
        ],
    )
    if expected is None:
        with pytest.raises(ConfigurationError, match="holds no word"):
            LogQuery(text)
    else:
        assert numbers(store, LogQuery(text)) == expected


def test_fields_and_times_narrow(store: LogStore) -> None:
    made(
        store,
        [
            record(1, "it failed", level="ERROR", job_id="1"),
            record(2, "it failed", level="ERROR", service="dremio", asset="gold/fct_orders"),
            record(3, "it failed", level="WARNING", job_id="1"),
            record(4, "it worked", level="ERROR", job_id="11"),
        ],
    )
    assert numbers(store, LogQuery("failed", {"level": ("ERROR",)})) == [2, 1]
    assert numbers(store, LogQuery("", {"level": ("ERROR", "WARNING"), "service": ("airbyte",)})) == [4, 3, 1]
    assert numbers(store, LogQuery("", {"job_id": ("1",)})) == [3, 1]
    assert numbers(store, LogQuery("", {"asset": ("gold/fct_orders",)})) == [2]
    assert numbers(store, LogQuery("", {"asset": ("gold",)})) == []
    second = timedelta(seconds=1)
    assert numbers(store, LogQuery(since=NOON + 2 * second, until=NOON + 4 * second)) == [3, 2]
    assert numbers(store, LogQuery("failed", since=NOON + 2 * second)) == [3, 2]
    assert numbers(store, LogQuery(since=NOON + timedelta(seconds=2, microseconds=1))) == [4, 3]


def test_what_comes_again_is_kept_once(store: LogStore) -> None:
    first = [record(number) for number in range(100)]
    made(store, first)
    made(store, first[50:] + [record(number) for number in range(100, 150)] + first[:3])
    assert store.count(LogQuery(), "service") == {"airbyte": 150}
    assert numbers(store, LogQuery())[:3] == [149, 148, 147]


def test_many_sources_in_one_millisecond(store: LogStore) -> None:
    """More lines than the store has places of their own for, with the same ordinals, come all and once."""
    records = [
        record(number, source=f"source {source}", timestamp=NOON)
        for source in range(40)
        for number in (0, 1, 4096, 8192)
    ]
    made(store, records)
    made(store, records)
    assert store.count(LogQuery(), "service") == {"airbyte": len(records)}
    assert {found.id for found in store.search(LogQuery(), limit=200).records} == {one.id for one in records}


def test_lines_of_one_source_keep_their_order_within_a_millisecond(store: LogStore) -> None:
    made(store, [record(number, timestamp=NOON) for number in range(20)])
    assert numbers(store, LogQuery()) == list(reversed(range(20)))


def test_pages_hold_every_record_once(store: LogStore) -> None:
    made(store, [record(number, "it failed") for number in range(25)])
    for query in (LogQuery(), LogQuery("failed")):
        seen: list[str] = []
        page: str | None = None
        while True:
            answer = store.search(query, limit=10, page=page)
            seen += [found.id for found in answer.records]
            page = answer.next
            if page is None:
                break
        assert seen == [record_id("test", number) for number in reversed(range(25))]


def test_the_monitoring_query_of_the_specification(store: LogStore) -> None:
    """Errors of the last hour by service."""
    now = datetime.now(UTC).replace(microsecond=0)
    old, recent = now - timedelta(hours=2), now - timedelta(minutes=5)
    errors = {"level": "ERROR", "timestamp": recent}
    made(
        store,
        [record(number, service="airbyte", **errors) for number in range(3)]
        + [record(number, service="dbt", **errors) for number in range(10, 15)]
        + [record(20, service="dbt", level="INFO", timestamp=recent)]
        + [record(21, service="dremio", level="ERROR", timestamp=old)],
    )
    asked = LogQuery("", {"level": ("ERROR",)}, since=now - timedelta(hours=1))
    assert list(store.count(asked, "service").items()) == [("dbt", 5), ("airbyte", 3)]
    if isinstance(store, ElasticsearchLogStore):  # as it is written in the specification
        filters = [{"range": {"timestamp": {"gte": "now-1h"}}}, {"term": {"level": "ERROR"}}]
        body = {
            "size": 0,
            "query": {"bool": {"filter": filters}},
            "aggs": {"by_service": {"terms": {"field": "service"}}},
        }
        answer = httpx.post(
            f"{store.settings.url}/{store.settings.index}-*/_search", json=body, trust_env=False
        ).json()
        buckets = answer["aggregations"]["by_service"]["buckets"]
        assert [(one["key"], one["doc_count"]) for one in buckets] == [("dbt", 5), ("airbyte", 3)]


def test_counts_by_any_field(store: LogStore) -> None:
    made(
        store,
        [record(number, "it failed", job_id=str(number % 2), level="ERROR") for number in range(5)]
        + [record(9, "it worked", job_id="0")],
    )
    assert store.count(LogQuery("failed"), "job_id") == {"0": 3, "1": 2}
    assert store.count(LogQuery(), "job_id") == {"0": 4, "1": 2}
    assert store.count(LogQuery("failed"), "level") == {"ERROR": 5}
    assert store.count(LogQuery("", {"job_id": ("0",)}), "level") == {"ERROR": 3, "INFO": 1}
    assert store.count(LogQuery(), "level") == {"ERROR": 5, "INFO": 1}
    assert store.count(LogQuery(), "asset") == {}


def test_days_before_are_removed(store: LogStore) -> None:
    day = timedelta(days=1)
    days = [record(number, f"of day {number}", timestamp=NOON - number * day) for number in range(4)]
    made(store, days)
    cut = date(2026, 11, 27)
    assert store.count_before(cut) == 2
    assert store.remove_before(cut) == 2
    found_from_now_on(store)
    assert store.remove_before(cut) == 0
    assert numbers(store, LogQuery()) == [0, 1]
    assert numbers(store, LogQuery("day")) == [0, 1]
    made(store, days)  # what is shipped late comes in again
    assert numbers(store, LogQuery("day")) == [0, 1, 2, 3]


def test_an_empty_store_answers(store: LogStore) -> None:
    assert store.search(LogQuery("failed")).records == []
    assert store.count(LogQuery(), "service") == {}
    assert store.remove_before(date(2030, 1, 1)) == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.search(LogQuery(), limit=0),
        lambda store: store.search(LogQuery(), limit=100_000),
        lambda store: store.search(LogQuery(), page="1; DROP TABLE log"),
        lambda store: store.count(LogQuery(), "message"),
        lambda _: LogQuery("", {"message": ("x",)}),
        lambda _: LogQuery("", {"level": ("error",)}),
    ],
)
def test_what_cannot_be_asked_is_refused(store: LogStore, ask: Callable[[LogStore], object]) -> None:
    with pytest.raises(ConfigurationError):
        ask(store)


def test_a_store_that_is_down_says_so(tmp_path: Path) -> None:
    nowhere = ElasticsearchLogStore(
        ElasticsearchSettings(url=f"http://127.0.0.1:{free_port()}"), keep_days=30
    )
    with pytest.raises(ServiceDownError, match="does not answer"):
        nowhere.add([record(1)])
    with pytest.raises(ServiceDownError, match="does not answer"):
        nowhere.search(LogQuery())
    (tmp_path / "logs.db").write_bytes(b"no database" * 1000)
    with pytest.raises(TransientError, match="cannot be used") as caught:
        SqliteLogStore(tmp_path / "logs.db").add([record(1)])
    assert isinstance(caught.value, LakehouseError)


def test_the_template_of_elasticsearch_refuses_other_fields(peer: str) -> None:
    settings = ElasticsearchSettings(url=peer, index=f"t{uuid.uuid4().hex[:8]}-logs")
    store = ElasticsearchLogStore(settings, keep_days=30)
    made(store, [record(1)])
    mappings = httpx.get(f"{peer}/{settings.index}-2026.11.28/_mapping", trust_env=False).json()
    found = mappings[f"{settings.index}-2026.11.28"]["mappings"]
    kinds = {name: of["type"] for name, of in found["properties"].items()}
    assert kinds.items() >= {
        "timestamp": "date", "level": "keyword", "service": "keyword", "message": "text", "job_id": "keyword",
        "connection_id": "keyword", "records_synced": "integer", "bytes_synced": "long",
    }.items()  # fmt: skip
    assert found["dynamic"] == "strict"
    refused = httpx.post(f"{peer}/{settings.index}-2026.11.28/_doc", json={"pipeline": "x"}, trust_env=False)
    assert refused.status_code == 400
    assert not store.capabilities.expires_by_itself  # the peer has no lifecycle management
