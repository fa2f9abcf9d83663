"""New sources proposed by a real Airbyte server from real databases and files, and written as declarations."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from lakehouse.clients.airbyte import AirbyteClient
from lakehouse.defs.ingestion.apply import apply_connections
from lakehouse.defs.ingestion.declaration import Declaration, declarations, read_declaration
from lakehouse.errors import ConfigurationError, ServiceDownError, ServiceRefusedError
from lakehouse.scaffold import source as sources
from lakehouse.scaffold.add import Addition, Project, propose_addition
from lakehouse.scaffold.export import export
from lakehouse.scaffold.proposal import Asked
from lakehouse.scaffold.source import NewSource
from lakehouse.settings import Settings
from lakehouse.settings_sections import AirbyteSettings
from lakehouse_tests.embedded.airbyte.fixtures import PASSWORD, USER, AirbyteServer, Connection, Database
from lakehouse_tests.embedded.airbyte.mariadb import MariaDb

pytestmark = pytest.mark.slow

ORDERS = (
    "CREATE TABLE orders (id int PRIMARY KEY, order_date date NOT NULL, due_date date NOT NULL,"
    " amount numeric(10,2), note jsonb, updated_at timestamptz NOT NULL)"
)


@pytest.fixture
def settings(airbyte: AirbyteServer, tmp_path: Path) -> Settings:
    section = AirbyteSettings(url=airbyte.url, user=USER, password=SecretStr(PASSWORD))
    return Settings(home=tmp_path, lake_url=airbyte.lake.as_uri(), airbyte=section)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "ingestion", tmp_path / "dbt")


def address(database: Database, user: str = "shop:secret") -> str:
    return f"postgresql://{user}@127.0.0.1:{database.port}/{database.name}"


def postgres(database: Database, **changes: Any) -> NewSource:
    options: dict[str, Any] = {"name": None, "schema": "public", "method": "cdc"}
    return sources.postgres(address(database), **(options | changes))


def propose(
    source: NewSource,
    settings: Settings,
    project: Project,
    *tables: str,
    keys: dict[str, tuple[str, ...]] | None = None,
    partitions: dict[str, Any] | None = None,
) -> Addition:
    return propose_addition(source, tables, Asked(keys or {}, partitions or {}), settings, project)


def actions(addition: Addition) -> Collection[str]:
    return {file.action for file in addition.files}


class TestPostgres:
    def test_what_is_proposed(self, database: Database, settings: Settings, project: Project) -> None:
        database.execute(
            ORDERS,
            "CREATE TABLE history (at timestamp, delta int)",
            "INSERT INTO orders VALUES (1, '2025-03-02', '2024-01-01', 1, '{}', now())",
        )
        addition = propose(postgres(database), settings, project)
        addition.write()
        assert list(addition.left_out) == ["history"]
        assert "--key history=COLUMN" in addition.left_out["history"]
        name = addition.source.name
        declared = yaml.safe_load(project.connection(name).read_text())["attributes"]
        assert declared["connection"]["streams"] == [
            {
                "name": "orders",
                "sync_mode": "incremental_append",
                "cursor_field": ["_ab_cdc_lsn"],
                "primary_key": [["id"]],
            }
        ]
        assert "secret" not in project.connection(name).read_text()
        tables = yaml.safe_load((project.dbt / f"models/sources/{name}.yml").read_text())
        ((table,),) = [source["tables"] for source in tables["sources"]]
        meta = table["config"]["meta"]["lakehouse"]
        assert meta["primary_key"] == ["id"]
        assert str(meta["partition_by"]["start"]) == "2025-03-02"
        assert meta["partition_by"]["column"] == "order_date"
        assert meta["contract"]["columns"] == [
            {"name": "id", "type": "bigint", "nullable": False},
            {"name": "order_date", "type": "date", "nullable": False},
            {"name": "due_date", "type": "date", "nullable": False},
            {"name": "amount", "type": "double"},
            {"name": "note", "type": "varchar"},
            {"name": "updated_at", "type": "timestamp", "nullable": False},
        ]

    def test_again_it_keeps_everything_and_adds_what_is_new(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(ORDERS, "CREATE TABLE more (id int PRIMARY KEY)")
        propose(postgres(database), settings, project, "orders").write()
        name = postgres(database).name
        tables = project.dbt / f"models/sources/{name}.yml"
        model = project.dbt / f"models/staging/{name}/stg_{name}__orders.sql"
        edited = "# ours\n" + tables.read_text().replace("double", "double, nullable: true")
        tables.write_text(edited)
        model.write_text("select 1 as id")
        again = propose(postgres(database), settings, project, "orders")
        assert actions(again) == {"kept"}
        more = propose(postgres(database), settings, project, "more", "orders")
        assert actions(more) == {"kept", "created", "extended"}
        more.write()
        assert tables.read_text().startswith(edited)
        assert f"{name}__more" in tables.read_text()
        assert model.read_text() == "select 1 as id"

    def test_what_it_writes_can_be_applied(
        self, database: Database, settings: Settings, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.execute(ORDERS)
        addition = propose(postgres(database), settings, project)
        addition.write()
        for variable, value in addition.source.secrets.items():
            monkeypatch.setenv(variable, value)
        names = {addition.source.name}
        assert apply_connections(settings, project.ingestion, names=names)[-1].action == "created"
        assert apply_connections(settings, project.ingestion, names=names)[-1].action == "unchanged"

    def test_a_live_connection_is_exported_as_it_was_declared(
        self, database: Database, settings: Settings, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.execute(ORDERS)
        addition = propose(postgres(database), settings, project)
        addition.write()
        name = addition.source.name
        path = project.connection(name)
        path.write_text(path.read_text().replace("namespace:", "schedule: 0 0 * * * ?\n    namespace:"))
        declarations.cache_clear()
        for variable, value in addition.source.secrets.items():
            monkeypatch.setenv(variable, value)
        apply_connections(settings, project.ingestion, names={name})
        with AirbyteClient(settings.airbyte) as airbyte:
            (exported,) = export(airbyte, [name], ())
            assert name not in {found.name for found in export(airbyte, [], [name])}
            with pytest.raises(ConfigurationError, match="has no connection 'nosuch'; it has .*" + name):
                export(airbyte, ["nosuch"], ())
        assert exported.variables == (f"{name}_password".upper(),)
        assert Declaration.model_validate(exported.document["attributes"]) == read_declaration(path)

    @pytest.mark.parametrize("tables", [["orders", "history"], []])
    def test_the_sql_that_prepares_the_database_is_all_that_a_sync_needs(
        self,
        *,
        airbyte: AirbyteServer,
        database: Database,
        settings: Settings,
        project: Project,
        monkeypatch: pytest.MonkeyPatch,
        tables: list[str],
    ) -> None:
        user = f"reader_{database.name}_{len(tables)}"
        database.execute(
            "CREATE SCHEMA sales",
            f"SET search_path = sales; {ORDERS}; INSERT INTO orders VALUES (1, now(), now(), 1, '{{}}', now())",
            "CREATE TABLE sales.history (at timestamp, delta int)",
            "CREATE TABLE sales.unnamed (id int PRIMARY KEY)",
            "ALTER TABLE sales.unnamed REPLICA IDENTITY NOTHING",
            f"CREATE ROLE {user} LOGIN PASSWORD 'x'",
        )
        source = sources.postgres(address(database, f"{user}:x"), name=user, schema="sales", method="cdc")
        keys = {"history": ("at",)} if tables else {}
        with pytest.raises(ConfigurationError) as refused:
            propose(source, settings, project, *tables, keys=keys)
        assert not project.connection(user).exists()
        statements = str(refused.value).partition("superuser: ")[2].partition(" Or read")[0]
        database.execute(*statements.rstrip(";").split("; "))
        addition = propose(source, settings, project, *tables, keys=keys)
        assert {p.stream.name for p in addition.proposals} == {"orders", "history" if tables else "unnamed"}
        addition.write()
        monkeypatch.setenv(f"{user}_password".upper(), "x")
        apply_connections(settings, project.ingestion, names={user})
        connections = airbyte.call("GET", f"{airbyte.public}/connections?limit=100")["data"]
        (made,) = [connection for connection in connections if connection["name"] == user]
        job = Connection(airbyte, made["connectionId"], made["sourceId"], user).sync()
        assert job["rowsSynced"] == 1
        database.execute("INSERT INTO sales.history VALUES (now(), 1)", "UPDATE sales.history SET delta = 2")

    def test_rights_that_are_missing_in_part(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        user = f"clerk_{database.name}"
        database.execute(
            ORDERS,
            "CREATE TABLE wages (id int PRIMARY KEY)",
            f"CREATE ROLE {user} LOGIN REPLICATION PASSWORD 'x'",
            f"ALTER TABLE orders OWNER TO {user}",
            f"CREATE PUBLICATION lakehouse_{user}",
        )
        source = sources.postgres(address(database, f"{user}:x"), name=user, schema="public", method="cdc")
        with pytest.raises(
            ConfigurationError, match=f": ALTER PUBLICATION lakehouse_{user} ADD TABLE public.orders; Or"
        ):
            propose(source, settings, project)
        source = sources.postgres(
            address(database, f"{user}:x"), name=user, schema="public", method="standard"
        )
        addition = propose(source, settings, project)
        assert addition.left_out == {
            "wages": f"{user} may not read it; run GRANT SELECT ON public.wages TO {user};"
        }
        with pytest.raises(ConfigurationError, match=f"superuser: GRANT SELECT ON public.wages TO {user};$"):
            propose(source, settings, project, "wages")

    def test_without_the_log(self, database: Database, settings: Settings, project: Project) -> None:
        database.execute(ORDERS, "CREATE TABLE plain (id int PRIMARY KEY)")
        addition = propose(postgres(database, method="standard"), settings, project)
        read = {p.stream.name: (p.sync_mode, p.cursor) for p in addition.proposals}
        assert read == {
            "orders": ("incremental_append", ("updated_at",)),
            "plain": ("full_refresh_overwrite", ()),
        }
        addition.write()
        with pytest.raises(ConfigurationError, match="is declared with replication_method 'Standard'"):
            propose(postgres(database), settings, project)

    def test_a_mistyped_year_makes_no_partitions(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(
            "CREATE TABLE orders (id int PRIMARY KEY, order_date date NOT NULL)",
            "INSERT INTO orders VALUES (1, '0202-01-01'), (2, '2025-01-01')",
        )
        assert [p.partition for p in propose(postgres(database), settings, project).proposals] == [None]

    def test_what_cannot_become_a_table_is_left_out_with_the_reason(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(
            ORDERS,
            'CREATE TABLE "Orders!" (id int PRIMARY KEY)',
            'CREATE TABLE "漢字" (id int PRIMARY KEY)',
            'CREATE TABLE twins (id int PRIMARY KEY, "Id" int)',
        )
        addition = propose(postgres(database), settings, project)
        assert [proposal.stream.name for proposal in addition.proposals] == ["Orders!"]
        assert {name: reason.split(",")[0].split(";")[0] for name, reason in addition.left_out.items()} == {
            "orders": "it would become table orders",
            "twins": "bronze cannot tell its columns id and Id apart",
            "漢字": "its name has no letter from a to z and no digit",
        }
        with pytest.raises(ConfigurationError, match="stream twins: bronze cannot tell its columns"):
            propose(postgres(database), settings, project, "twins")

    def test_names_that_landing_changes(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(
            'CREATE TABLE "Order Items" ("Order ID" int, "line no" int, "Added On" date NOT NULL,'
            ' PRIMARY KEY ("Order ID", "line no"))',
            """INSERT INTO "Order Items" VALUES (1, 1, '2025-03-04')""",
        )
        addition = propose(postgres(database), settings, project)
        (proposal,) = addition.proposals
        assert proposal.primary_key == ("Order_ID", "line_no")
        assert proposal.required == {"Order_ID", "line_no", "Added_On"}
        assert str(proposal.partition) == "('Added_On', datetime.date(2025, 3, 4))"
        addition.write()
        (stream,) = read_declaration(project.connection(addition.source.name)).connection.streams
        assert stream.primary_key == [["Order ID"], ["line no"]]

    def test_what_is_taken_back_was_never_there(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(ORDERS, "CREATE TABLE more (id int PRIMARY KEY)")
        propose(postgres(database), settings, project, "orders").write()
        before = {path: path.read_text() for path in project.dbt.rglob("*.*") if path.is_file()}
        addition = propose(postgres(database), settings, project)
        addition.write()
        addition.take_back()
        assert {path: path.read_text() for path in project.dbt.rglob("*.*") if path.is_file()} == before

    def test_an_addition_that_fails_leaves_no_source_in_airbyte(
        self, airbyte: AirbyteServer, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute("CREATE TABLE history (at timestamp, delta int)")
        with pytest.raises(ConfigurationError, match="has no stream that can be added"):
            propose(postgres(database), settings, project)
        known = airbyte.call("GET", f"{airbyte.public}/sources")["data"]
        assert postgres(database).name not in {source["name"] for source in known}

    def test_days_of_a_moment(self, database: Database, settings: Settings, project: Project) -> None:
        database.execute(
            "CREATE TABLE log (at timestamp, line text)", "INSERT INTO log VALUES ('2025-05-06 07:08', 'x')"
        )
        addition = propose(
            postgres(database),
            settings,
            project,
            "log",
            keys={"log": ("at", "line")},
            partitions={"log": ("at", None)},
        )
        addition.write()
        name = addition.source.name
        model = (project.dbt / f"models/staging/{name}/stg_{name}__log.sql").read_text()
        assert 'cast("at" as date) as "at_day"' in model
        assert str(addition.proposals[0].partition) == "('at', datetime.date(2025, 5, 6))"

    @pytest.mark.parametrize(
        ("tables", "asked", "message"),
        [
            (["nosuch"], {}, r"has no stream 'nosuch'; it has history, orders"),
            (["history"], {}, r"stream history: has no primary key.*--key history=COLUMN.*at, delta"),
            (["orders"], {"keys": {"orders": ("nosuch",)}}, r"--key: .*has no column 'nosuch'"),
            (["orders"], {"partitions": {"orders": ("amount", None)}}, "neither date nor timestamp"),
            (
                ["orders"],
                {"partitions": {"orders": ("order_date", None)}},
                "first day of orders is not known",
            ),
        ],
    )
    def test_refusals(
        self,
        *,
        database: Database,
        settings: Settings,
        project: Project,
        tables: list[str],
        asked: dict[str, Any],
        message: str,
    ) -> None:
        database.execute(ORDERS, "CREATE TABLE history (at timestamp, delta int)")
        with pytest.raises(ConfigurationError, match=message):
            propose(postgres(database), settings, project, *tables, **asked)
        assert not project.ingestion.exists()

    def test_a_wrong_password_leaves_nothing_behind(
        self, airbyte: AirbyteServer, database: Database, settings: Settings, project: Project
    ) -> None:
        wrong = sources.postgres(address(database, "shop:wrong"), name="wrong", schema="public", method="cdc")
        with pytest.raises(ServiceDownError, match="password authentication failed"):
            propose(wrong, settings, project)
        known = airbyte.call("GET", f"{airbyte.public}/sources")["data"]
        assert "wrong" not in {source["name"] for source in known}

    def test_another_database_of_that_name(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(ORDERS)
        addition = propose(postgres(database), settings, project)
        addition.write()
        other = sources.postgres(
            "postgresql://a@elsewhere/b", name=addition.source.name, schema="public", method="cdc"
        )
        with pytest.raises(ConfigurationError, match=r"declared with host '127\.0\.0\.1', not 'elsewhere'"):
            propose(other, settings, project)

    def test_two_homes_read_one_database_without_each_other(
        self,
        database: Database,
        settings: Settings,
        project: Project,
        airbyte_of_its_own: Callable[..., AirbyteServer],
        tmp_path: Path,
    ) -> None:
        database.execute(ORDERS)
        elsewhere = settings.airbyte.model_copy(update={"url": airbyte_of_its_own().url})
        other = Project(tmp_path / "other_ingestion", tmp_path / "other_dbt")
        for home, at in ((settings, project), (settings.model_copy(update={"airbyte": elsewhere}), other)):
            addition = propose(postgres(database), home, at)
            addition.write()
            again = propose(postgres(database), home, at)
            assert again.source.configuration == addition.source.configuration
        slots = {
            read_declaration(at.connection(postgres(database).name)).source.configuration[
                "replication_method"
            ]["replication_slot"]
            for at in (project, other)
        }
        assert len(slots) == 2
        assert {slot.rpartition("_")[0] for slot in slots} == {f"lakehouse_{postgres(database).name}"}

    def test_another_schema_of_the_same_database(
        self, database: Database, settings: Settings, project: Project
    ) -> None:
        database.execute(ORDERS, "CREATE SCHEMA sales", "CREATE TABLE sales.deals (id int PRIMARY KEY)")
        propose(postgres(database), settings, project).write()
        sales = postgres(database, schema="sales")
        with pytest.raises(ConfigurationError, match=r"with schemas \['public'\], not \['sales'\]; .*--name"):
            propose(sales, settings, project, "deals")
        own = postgres(database, schema="sales", name=f"{sales.name}_sales")
        assert [p.stream.name for p in propose(own, settings, project).proposals] == ["deals"]


def test_mysql(mariadb: MariaDb, settings: Settings, project: Project) -> None:
    mariadb.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, order_date date NOT NULL, amount decimal(10,2))",
        "INSERT INTO orders VALUES (1, '2025-03-02', 1)",
    )
    url = f"mysql://airbyte:secret@127.0.0.1:{mariadb.server.port}/{mariadb.name}"
    addition = propose(sources.mysql(url, name=None, method="cdc"), settings, project)
    (proposal,) = addition.proposals
    assert proposal.cursor == ("_ab_cdc_cursor",)
    assert str(proposal.partition) == "('order_date', datetime.date(2025, 3, 2))"
    assert proposal.required == {"id", "order_date"}


def test_files(settings: Settings, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    (folder / "orders_1.csv").write_text("id,Order Date\n1,2025-01-01\n")
    streams = [{"name": "orders", "globs": ["orders_*.csv"], "format": {"filetype": "csv"}}]
    source = sources.files(str(folder), streams, name="dropped")
    with pytest.raises(ConfigurationError, match="--key orders=COLUMN"):
        propose(source, settings, project)
    with pytest.raises(ConfigurationError, match="write --partition orders=Order_Date:YYYY-MM-DD"):
        propose(
            source, settings, project, keys={"orders": ("id",)}, partitions={"orders": ("Order_Date", None)}
        )
    propose(source, settings, project, keys={"orders": ("id",)}).write()

    (folder / "items.jsonl").write_text('{"item": "a", "n": 1}\n')
    further = [{"name": "items", "globs": ["*.jsonl"], "format": {"filetype": "jsonl"}}]
    more = propose(
        sources.files(str(folder), further, name="dropped"),
        settings,
        project,
        "items",
        keys={"items": ("item",)},
    )
    more.write()
    declared = yaml.safe_load(project.connection("dropped").read_text())["attributes"]
    assert [stream["name"] for stream in declared["source"]["configuration"]["streams"]] == [
        "orders",
        "items",
    ]
    assert [stream["name"] for stream in declared["connection"]["streams"]] == ["orders", "items"]


def test_airbyte_says_why_a_source_cannot_be_read(settings: Settings, project: Project) -> None:
    source = sources.files("/nosuch/folder", [{"name": "a", "format": {"filetype": "csv"}}], name="nosuch")
    with pytest.raises(ServiceRefusedError, match=r"files /nosuch/folder: cannot be read: .*nosuch"):
        propose(source, settings, project)


def test_airbyte_is_down(settings: Settings, project: Project, tmp_path: Path) -> None:
    down = settings.model_copy(update={"airbyte": AirbyteSettings(url="http://127.0.0.1:1")})
    with pytest.raises(ServiceDownError, match=r"Airbyte at http://127\.0\.0\.1:1"):
        propose(sources.files(str(tmp_path), [], name="a"), down, project)


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://a@h/b", "postgresql://h/b", "postgresql://a@h", "postgresql://a@h/b?x=1"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^address: "):
        sources.postgres(url, name=None, schema="public", method="cdc")


def test_no_connection_is_made_for_a_wrong_name() -> None:
    with pytest.raises(ConfigurationError, match="--name: 'Bad Name' is no name"):
        sources.files("/tmp", [], name="Bad Name")
