"""A new source from its address to its declarations: asked through Airbyte, proposed, written, applied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lakehouse.clients.airbyte import AirbyteClient
from lakehouse.defs.ingestion.declaration import FOLDER, declarations, read_declaration
from lakehouse.defs.ingestion.references import resolve
from lakehouse.defs.project import PROJECT_DIR
from lakehouse.errors import ConfigurationError
from lakehouse.scaffold import documents
from lakehouse.scaffold.databases import Table, opened
from lakehouse.scaffold.discovered import Stream, discovered
from lakehouse.scaffold.proposal import Asked, Proposal, chosen, propose
from lakehouse.scaffold.source import NewSource, with_own_slot
from lakehouse.scaffold.yaml_files import Draft, new_or_extended, new_or_kept
from lakehouse.settings import Settings, environment


@dataclass(frozen=True)
class Project:
    """Where declarations are."""

    ingestion: Path = FOLDER
    dbt: Path = PROJECT_DIR

    def connection(self, name: str) -> Path:
        return self.ingestion / name / "defs.yaml"


@dataclass(frozen=True)
class Addition:
    """What is proposed, and the files that say it; nothing is written yet."""

    source: NewSource
    proposals: tuple[Proposal, ...]
    left_out: Mapping[str, str]
    """Streams that were not asked for and cannot be added, with the reason."""
    files: tuple[Draft, ...]

    def write(self) -> None:
        """Write the files that are new or get more entries."""
        for file in self.files:
            file.write()
        declarations.cache_clear()

    def take_back(self) -> None:
        """Every file as it was before `write`."""
        for file in self.files:
            file.take_back()
        declarations.cache_clear()


def propose_addition(
    source: NewSource, tables: Collection[str], asked: Asked, settings: Settings, project: Project
) -> Addition:
    """Ask the source what it has, and propose how it is read, kept and staged.

    Raises:
        ConfigurationError: another source of that name is declared, the database has to be prepared (names the
            SQL), an unknown table or column, a stream without a key.
        ServiceDownError, ServiceRefusedError: Airbyte or the database is down or refuses.
    """
    where = project.connection(source.name)
    if where.exists():
        source = _as_declared(source, where)
    else:
        with AirbyteClient(settings.airbyte) as airbyte:
            source = with_own_slot(source, airbyte.workspace_id)
    environ = environment(settings)
    _require_same_secrets(source, environ, settings)
    configuration = resolve(
        dict(source.configuration), {**environ, **source.secrets}, where=f"{where}: source.configuration"
    )
    if source.url is not None:
        _require_prepared(source, tables)
    with (
        AirbyteClient(settings.airbyte) as airbyte,
        discovered(airbyte, source, configuration) as streams,
    ):
        names, left_out = chosen(streams, tables, asked, source.what)
        if not tables:
            left_out |= _unreadable(source)
        known = _described(source, [streams[name] for name in names], asked)
        proposals = tuple(propose(streams[name], asked, known.get(name)) for name in names)
        return Addition(source, proposals, left_out, tuple(_files(source, proposals, project)))


def _as_declared(source: NewSource, path: Path) -> NewSource:
    """The source with the configuration that its file has, and further streams of files."""
    declared = read_declaration(path).source.configuration
    for key in source.identity:
        if _method_or_value(declared.get(key)) != _method_or_value(source.configuration[key]):
            raise ConfigurationError(
                f"{source.name} is declared with {key} {_method_or_value(declared.get(key))!r},"
                f" not {_method_or_value(source.configuration[key])!r}",
                where=str(path),
                remedy="edit the file, or give the new source another --name",
            )
    if "streams" not in source.configuration:
        return replace(source, configuration=declared)
    names = {stream["name"] for stream in declared["streams"]}
    further = [stream for stream in source.configuration["streams"] if stream["name"] not in names]
    return replace(source, configuration={**declared, "streams": [*declared["streams"], *further]})


def _method_or_value(value: Any) -> Any:
    return value["method"] if isinstance(value, Mapping) and "method" in value else value


def _require_same_secrets(source: NewSource, environ: Mapping[str, str], settings: Settings) -> None:
    for variable, value in source.secrets.items():
        if environ.get(variable, value) != value:
            raise ConfigurationError(
                "is set to another value than the address has",
                where=variable,
                remedy=f"looked up in environment, then {settings.env_file}: change it there",
            )


def _require_prepared(source: NewSource, tables: Collection[str]) -> None:
    with opened(source) as database:
        if (preparation := database.preparation) is None:
            return
        grants, log = preparation.grants(tables), preparation.log(tables)
    if grants or log:
        raise ConfigurationError(
            "its log cannot be read as it is" if log else "its tables cannot be read yet",
            where=source.what,
            remedy=f"run as a superuser: {' '.join([*grants, *log])}"
            + (" Or read without the log: --method standard" if log else ""),
        )


def _unreadable(source: NewSource) -> dict[str, str]:
    """Tables that the database has and Airbyte does not see."""
    if source.url is None:
        return {}
    with opened(source) as database:
        return database.preparation.unreadable() if database.preparation else {}


def _described(source: NewSource, streams: Collection[Stream], asked: Asked) -> dict[str, Table]:
    if source.url is None:
        return {}
    _require_prepared(source, [stream.name for stream in streams])
    days = {stream.name: asked.partitions.get(stream.name, ("", None))[0] for stream in streams}
    with opened(source) as database:
        return {
            stream.name: database.table(stream.name, stream.fields.get(days[stream.name]))
            for stream in streams
        }


def _files(source: NewSource, proposals: Collection[Proposal], project: Project) -> list[Draft]:
    models = project.dbt / "models"
    staging = models / "staging" / source.name
    connection = documents.connection(source, proposals)
    attributes = ("attributes", "connection", "streams")
    in_source = ("attributes", "source", "configuration", "streams")
    lists = (attributes, in_source) if "streams" in source.configuration else (attributes,)
    tables = documents.sources(source, proposals)
    return [
        new_or_extended(project.connection(source.name), connection, lists),
        new_or_extended(models / "sources" / f"{source.name}.yml", tables, (("sources", 0, "tables"),)),
        *(
            new_or_kept(
                staging / f"{documents.model_name(source, proposal)}.sql",
                documents.staging_sql(source, proposal),
            )
            for proposal in proposals
        ),
        new_or_extended(
            staging / f"staging_{source.name}.yml", documents.staging(source, proposals), (("models",),)
        ),
    ]
