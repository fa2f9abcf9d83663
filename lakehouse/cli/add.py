"""`lakehouse add …`: a new source, declared from what it tells about itself."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import date

    from lakehouse.scaffold.add import Addition
    from lakehouse.scaffold.proposal import Asked
    from lakehouse.scaffold.source import NewSource

app = typer.Typer(
    no_args_is_help=True,
    help="Declare a new source: its connection, bronze tables and staging models.",
    rich_markup_mode="markdown",
)


class Method(StrEnum):
    """How a database is read."""

    cdc = "cdc"
    standard = "standard"


Name = Annotated[
    str | None, typer.Option(help="Name of source and connection; by default that of the database or folder.")
]
Tables = Annotated[
    str | None, typer.Option(help="Names, with commas; by default all that have a primary key.")
]
Keys = Annotated[
    list[str] | None, typer.Option("--key", help="STREAM=COLUMN[,COLUMN]: its primary key; repeat for more.")
]
Partitions = Annotated[
    list[str] | None,
    typer.Option(
        "--partition", help="STREAM=COLUMN[:FIRST-DAY]: keep it in days of this column; repeat for more."
    ),
]
MethodOption = Annotated[Method, typer.Option(help="`cdc` follows the log; `standard` reads with queries.")]


@app.command()
def postgres(
    address: Annotated[str, typer.Argument(help="postgresql://user:password@host:5432/database")],
    *,
    tables: Tables = None,
    schema: Annotated[str, typer.Option(help="The tables' schema.")] = "public",
    name: Name = None,
    key: Keys = None,
    partition: Partitions = None,
    method: MethodOption = Method.cdc,
) -> None:
    """Tables of a Postgres database. Says which SQL to run where its log cannot be read yet."""
    from lakehouse.scaffold import source

    found = source.postgres(address, name=name, schema=schema, method=method.value)
    _add(found, _listed(tables), _asked(key, partition))


@app.command()
def mysql(
    address: Annotated[str, typer.Argument(help="mysql://user:password@host:3306/database")],
    *,
    tables: Tables = None,
    name: Name = None,
    key: Keys = None,
    partition: Partitions = None,
    method: MethodOption = Method.cdc,
) -> None:
    """Tables of a MySQL or MariaDB database."""
    from lakehouse.scaffold import source

    found = source.mysql(address, name=name, method=method.value)
    _add(found, _listed(tables), _asked(key, partition))


@app.command()
def files(
    root: Annotated[str, typer.Argument(help="A folder, or an s3, sftp or ftp URL.")],
    *,
    stream: Annotated[
        list[str],
        typer.Option(help="NAME=GLOB: the files of one stream, orders=orders_*.csv; repeat for more."),
    ],
    key: Keys = None,
    partition: Partitions = None,
    name: Name = None,
) -> None:
    """Files of a folder: CSV, JSON lines, Parquet or Excel, by their names' endings.

    A file that is new or has changed is read by the next sync.
    """
    from lakehouse.scaffold import source

    streams = [_file_stream(pair) for pair in stream]
    _add(source.files(root, streams, name=name), [], _asked(key, partition))


@app.command()
def manifest(
    file: Annotated[Path, typer.Argument(help="A low-code manifest (YAML).")],
    *,
    config: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of the source's configuration; repeat for more.")
    ] = None,
    streams: Annotated[
        str | None, typer.Option(help="Names, with commas; by default all that have a primary key.")
    ] = None,
    key: Keys = None,
    partition: Partitions = None,
    name: Name = None,
) -> None:
    """An API, by a low-code manifest, which is installed into the embedded Airbyte."""
    from lakehouse.cli.services import is_local
    from lakehouse.embedded.airbyte.connectors.installation import install_manifest
    from lakehouse.embedded.airbyte.connectors.specification import secret_names
    from lakehouse.embedded.services import AIRBYTE
    from lakehouse.errors import ConfigurationError
    from lakehouse.scaffold import source
    from lakehouse.settings import load_settings

    settings = load_settings()
    if not is_local(settings, "airbyte"):
        raise ConfigurationError(
            f"is installed into the embedded Airbyte only, not into {settings.airbyte.url}",
            where=str(file),
            remedy="import it into that Airbyte's connector builder and declare its source in defs.yaml",
        )
    chosen = source.checked_name(name or source.slug(file.stem))
    installed = install_manifest(settings.home / AIRBYTE, chosen.replace("_", "-"), file)
    properties = installed.spec.get("properties", {})
    given = {name: _typed(value, properties.get(name, {})) for name, value in _pairs(config, "--config")}
    found = source.manifest(installed.type, given, secret_names(installed.spec), name=chosen)
    _add(found, _listed(streams), _asked(key, partition))


def _add(source: NewSource, tables: list[str], asked: Asked) -> None:
    from lakehouse.cli.demo_report import Progress
    from lakehouse.cli.running import running_services
    from lakehouse.cli.services import embedded_settings
    from lakehouse.defs.ingestion.apply import apply_connections, require_applied
    from lakehouse.defs.project import declared_datasets
    from lakehouse.embedded.credentials import ensure_credentials
    from lakehouse.scaffold.add import Project, propose_addition

    settings = embedded_settings()
    progress = Progress()
    with running_services(settings, progress, ("airbyte",)):
        progress.start(source.what)
        addition = propose_addition(source, tables, asked, settings, Project())
        progress.done(source.what, f"{len(addition.proposals)} streams")
        ensure_credentials(settings.home, {name: _in_quotes(value) for name, value in source.secrets.items()})
        addition.write()
        try:
            progress.start("dbt project")
            declared_datasets()
            progress.done("dbt project", "parsed")
            changes = apply_connections(settings, names={source.name})
            require_applied(changes)
        except BaseException:
            addition.take_back()
            raise
        _show(addition)
        progress.line(f"connection {source.name}", changes[-1].action)
    print(f"next: lakehouse refresh {source.name}")


def _show(addition: Addition) -> None:
    for proposal in addition.proposals:
        days = (
            f", in days of {proposal.partition[0]} from {proposal.partition[1]}" if proposal.partition else ""
        )
        key = ", ".join(proposal.primary_key)
        print(f"  {proposal.stream.name}: key {key}{days}; {proposal.how}")
    for name, reason in addition.left_out.items():
        print(f"  {name}: left out, {reason}")
    marks = {"created": "+", "extended": "~", "kept": " "}
    for file in addition.files:
        added = f": {', '.join(file.added)}" if file.added else ""
        print(f"{marks[file.action]} {_shown(file.path)} {file.action}{added}")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def _asked(keys: list[str] | None, partitions: list[str] | None) -> Asked:
    from lakehouse.scaffold.proposal import Asked

    return Asked(
        keys={stream: tuple(_listed(columns)) for stream, columns in _pairs(keys, "--key")},
        partitions={stream: _partition(text) for stream, text in _pairs(partitions, "--partition")},
    )


def _partition(text: str) -> tuple[str, date | None]:
    from datetime import date

    from lakehouse.errors import ConfigurationError

    column, _, first = text.partition(":")
    try:
        return column, date.fromisoformat(first) if first else None
    except ValueError:
        raise ConfigurationError(
            f"{first!r} is no day", where="--partition", remedy="write YYYY-MM-DD"
        ) from None


def _file_stream(pair: str) -> dict[str, Any]:
    from lakehouse.errors import ConfigurationError

    ((name, glob),) = _pairs([pair], "--stream")
    formats = {
        "csv": "csv",
        "tsv": "csv",
        "jsonl": "jsonl",
        "ndjson": "jsonl",
        "parquet": "parquet",
        "xlsx": "excel",
    }
    plain = glob.lower().removesuffix(".gz").removesuffix(".zip").removesuffix(".bz2")
    ending = plain.rpartition(".")[2]
    if ending not in formats:
        raise ConfigurationError(
            f"{glob!r} does not end like a known format",
            where="--stream",
            remedy=f"known are {', '.join(formats)}",
        )
    delimiter = {"delimiter": "\t"} if ending == "tsv" else {}
    return {"name": name, "globs": [glob], "format": {"filetype": formats[ending], **delimiter}}


def _pairs(given: list[str] | None, option: str) -> list[tuple[str, str]]:
    from lakehouse.errors import ConfigurationError

    pairs = [text.partition("=") for text in given or ()]
    for name, _, value in pairs:
        if not name or not value:
            raise ConfigurationError(f"{name!r} has no value", where=option, remedy="write NAME=VALUE")
    return [(name.strip(), value) for name, _, value in pairs]


def _typed(value: str, schema: dict[str, Any]) -> Any:
    """The value as YAML reads it where the specification asks for something else than a text."""
    import yaml

    return value if schema.get("type") == "string" else yaml.safe_load(value)


def _in_quotes(value: str) -> str:
    """As python-dotenv reads a value back unchanged."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
