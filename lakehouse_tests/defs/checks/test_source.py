"""A bronze table held against its source: a real Postgres, read by its log by a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from lakehouse.catalog.datasets import BronzeTable, Relation
from lakehouse.catalog.meta import Freshness
from lakehouse.defs.bronze.assets import bronze_asset
from lakehouse.defs.checks import lag, source, source_rows
from lakehouse.defs.checks.lag import NAME as MERGED
from lakehouse.defs.checks.source import Position
from lakehouse.defs.checks.source_rows import NAME as ROWS
from lakehouse.defs.ingestion.declaration import Declaration, Stream
from lakehouse.lake.iceberg import open_catalog
from lakehouse_tests.defs.checks.conftest import checks_of, evaluations, gold, numbers, outcome
from lakehouse_tests.defs.ingestion.site import Live, Site
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Database, database, postgres_port

__all__ = ["database", "postgres_port"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    server = AirbyteServer(folder / "airbyte", folder / "lake")
    yield Site(server, folder / "home")
    server.stop()


class Things:
    """The table `things` of a database, its connection, and its bronze table."""

    def __init__(self, site: Site, database: Database) -> None:
        self.database = database
        database.execute(
            "CREATE TABLE things (id int PRIMARY KEY, word text)",
            "INSERT INTO things SELECT n, 'x' FROM generate_series(1, 100) AS n",
        )
        stream = Stream(name="things", sync_mode="incremental_append", cursor_field=["_ab_cdc_lsn"])
        self.live: Live = site.connect("postgres", database.cdc(), stream)
        self.instance = dg.DagsterInstance.ephemeral()
        name = self.live.declared.name
        self.table = BronzeTable(
            relation=Relation("lake", "bronze", f"{name}__things"),
            source=name,
            table="things",
            connection=name,
            stream="things",
            primary_key=("id",),
            partition_by=None,
            description="",
            columns=(),
            owner=None,
            freshness=None,
            unique_id=f"source.lakehouse.{name}.things",
        )

    @property
    def declaration(self) -> Declaration:
        return Declaration(source=self.live.source, connection=self.live.declared)

    def sync(self) -> None:
        self.live.land(self.instance)

    def merge(self) -> dict[str, dg.AssetCheckEvaluation]:
        """The checks after a merge."""
        return self._run([bronze_asset(self.table), checks_of(self.table)])

    def look(self) -> dict[str, dg.AssetCheckEvaluation]:
        """The checks alone."""
        return self._run([checks_of(self.table)], dg.AssetSelection.checks(checks_of(self.table)))

    def lose(self, where: str) -> None:
        """Take rows out of bronze behind everybody's back, without an event."""
        table = open_catalog(self.live.site.settings).load_table(self.table.relation.parts[1:])
        table.delete(where)

    def _run(
        self, definitions: list[dg.AssetsDefinition], selection: dg.AssetSelection | None = None
    ) -> dict[str, dg.AssetCheckEvaluation]:
        defs = dg.Definitions(
            assets=[d for d in definitions if not isinstance(d, dg.AssetChecksDefinition)]
            or [dg.AssetSpec(dg.AssetKey(self.table.key))],
            asset_checks=[d for d in definitions if isinstance(d, dg.AssetChecksDefinition)],
            jobs=[dg.define_asset_job("job", selection=selection or dg.AssetSelection.all())],
            resources={"lakehouse": self.live.site.resource},
        )
        return evaluations(defs.resolve_job_def("job").execute_in_process(instance=self.instance))


@pytest.fixture
def things(site: Site, database: Database, monkeypatch: pytest.MonkeyPatch) -> Things:
    made = Things(site, database)
    monkeypatch.setattr(source, "declarations", lambda: {Path("defs.yaml"): made.declaration})
    monkeypatch.setattr("lakehouse.defs.bronze.spec.declared_stream", lambda _: made.live.declared.streams[0])
    return made


def test_rows_that_are_on_their_way_are_none_that_are_missing(things: Things) -> None:
    things.sync()
    check = things.merge()[ROWS]
    assert outcome(check) == "PASS"
    assert numbers(check)["source_rows"] == numbers(check)["rows"] == 100

    things.database.execute(
        "INSERT INTO things VALUES (101, 'x'), (102, 'x')", "DELETE FROM things WHERE id < 10"
    )
    for _ in range(2):  # committed, and neither landed nor merged
        check = things.look()[ROWS]
        assert outcome(check) == "PASS"
        assert check.description == "100 rows, and 93 in the source, of which not every change is merged yet"
        assert numbers(check)["difference"] == 7
    things.sync()  # landed, and not merged
    assert outcome(things.look()[ROWS]) == "PASS"
    check = things.merge()[ROWS]
    assert (outcome(check), numbers(check)["difference"], numbers(check)["rows"]) == ("PASS", 0, 93)


def test_rows_that_got_lost_are_told_though_the_source_goes_on_changing(things: Things) -> None:
    things.sync()
    things.merge()
    things.lose("id > 40 and id <= 60")
    things.database.execute("INSERT INTO things VALUES (101, 'x')")
    assert outcome(things.look()[ROWS]) == "PASS"  # nobody can tell yet
    things.sync()
    things.database.execute("INSERT INTO things VALUES (102, 'x')")
    check = things.merge()[ROWS]
    assert outcome(check) == "ERROR"
    told = numbers(check)
    assert (told["rows"], told["source_rows"], told["rows_moved_since"]) == (81, 102, 1)
    assert check.description == (
        "81 rows; the source had 101 when everything merged by now was committed, and 1 came or went since"
    )


def test_a_big_table_is_not_counted_all_the_time(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_rows, "MANY_ROWS", 10)
    things.sync()
    first = things.merge()[ROWS]
    things.database.execute("DELETE FROM things")
    assert numbers(things.look()[ROWS]) == numbers(first)
    monkeypatch.setattr(source_rows, "MANY_ROWS", 1000)
    assert numbers(things.look()[ROWS])["source_rows"] == 0


def test_the_lag_is_of_the_last_moment_of_which_all_is_merged(
    things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "promised_freshness", lambda _: Freshness(warn_after="10m", fail_after="1h"))
    clock = SimpleNamespace(time=time.time)
    monkeypatch.setattr(source, "time", clock)
    things.sync()
    check = things.merge()[MERGED]
    assert outcome(check) == "PASS"
    assert numbers(check)["lag_seconds"] < 120
    things.database.execute("UPDATE things SET word = 'y'")
    for minutes, found in ((5, "PASS"), (20, "WARN"), (90, "ERROR")):
        clock.time = lambda minutes=minutes: time.time() + 60 * minutes
        check = things.look()[MERGED]
        assert outcome(check) == found
        told = numbers(check)
        assert 60 * minutes <= told["lag_seconds"] < 60 * minutes + 120
        assert told["unread_bytes"] > 0
    assert check.description
    assert check.description.startswith("merged is what was committed until 1:3")
    things.sync()
    assert outcome(things.look()[MERGED]) == "ERROR"  # landed is not merged
    check = things.merge()[MERGED]
    assert (outcome(check), numbers(check)["lag_seconds"] < 120) == ("PASS", True)


def test_only_a_source_that_can_be_asked_is_asked(things: Things) -> None:
    assert source.declared_source(things.table)
    assert source.declared_source(gold("fct")) is None
    things.live = SimpleNamespace(  # type: ignore[assignment]
        source=things.live.source.model_copy(update={"configuration": {"sourceType": "files"}}),
        declared=things.live.declared,
    )
    assert source.declared_source(things.table) is None


def test_a_source_that_does_not_answer_is_a_warning(things: Things) -> None:
    things.sync()
    configuration = things.live.source.configuration | {"port": 1}
    things.live = Live(
        things.live.site,
        things.live.source.model_copy(update={"configuration": configuration}),
        things.live.declared,
        things.live.made,
    )
    checks = things.merge()
    for name in (ROWS, MERGED):
        assert outcome(checks[name]) == "WARN"
        assert "nobody can tell where the source stands" in (checks[name].description or "")


def test_before_anything_was_read_nobody_knows() -> None:
    facts = lag._judged(
        gold("x"), Position(at=1000.0, written=500, landed=0, landed_at=0), idle=True, before={}
    )
    assert facts["passed"]
    assert "nobody knows yet" in facts["description"]
