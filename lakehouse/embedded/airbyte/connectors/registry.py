"""Which sources and destinations this server has, by the type that the API names them with."""

from __future__ import annotations

import importlib
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from lakehouse.embedded.airbyte.connectors.command_line import Source
from lakehouse.embedded.airbyte.connectors.installed import Installed, installed, installed_connector
from lakehouse.embedded.airbyte.connectors.specification import check_by_spec, secret_names
from lakehouse.embedded.airbyte.connectors.streams import DirectRead, LogRead

_OURS = "lakehouse.embedded.airbyte.connectors"


@dataclass(frozen=True)
class SourceConnector:
    """A source: a command that speaks the protocol; ours can hand over Arrow batches as well.

    `configure`, `direct`, `log`, `release` and `source` name functions and a class as `module:name`, so that a look-up imports
    nothing.
    """

    type: str
    definition_id: str
    command: tuple[str, ...]
    configure: str | None = None
    direct: str | None = None
    log: str | None = None
    release: str | None = None
    source: str | None = None
    version: str = ""
    spec: Mapping[str, Any] | None = None
    """The connectionSpecification of an installed connector, read when it was installed."""

    def check_configuration(self, configuration: Mapping[str, Any]) -> None:
        """Validates a configuration's shape where it is known. Raises ConnectorError naming the field."""
        if self.configure is not None:
            _function(self.configure)(configuration)
        if self.spec is not None:
            check_by_spec(configuration, self.spec)

    def load(self) -> None:
        """Imports what reads of a source of ours need, before there is one."""
        for name in (self.configure, self.direct, self.log, self.source):
            if name is not None:
                _function(name)

    @property
    def secret_names(self) -> frozenset[str]:
        """Names of the configuration's fields that its specification marks as secrets."""
        if self.spec is not None:
            return secret_names(self.spec)
        return frozenset() if self.source is None else _secret_names_of(self.source)

    @property
    def read_direct(self) -> DirectRead | None:
        """The in-process reader, if the source has one."""
        return None if self.direct is None else cast(DirectRead, _function(self.direct))

    @property
    def in_process(self) -> Source | None:
        """A source of ours itself, to be asked without a process of its own."""
        return None if self.source is None else cast(Source, _function(self.source)())

    def read_log(self, configuration: Mapping[str, Any]) -> LogRead | None:
        """The in-process reader of the source's log, if the configuration asks for one."""
        return None if self.log is None else cast(LogRead | None, _function(self.log)(configuration))

    def release_log(self, configuration: Mapping[str, Any]) -> None:
        """Lets the source's server forget what it keeps of its log for the one that read it, if it does.

        Raises ConnectorError where the server does not answer, or refuses.
        """
        if self.release is not None:
            _function(self.release)(configuration)


@cache
def _secret_names_of(source: str) -> frozenset[str]:
    return secret_names(_function(source)().spec()["connectionSpecification"])


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


S3_DESTINATION_ID = "4816b78f-1489-44c1-9060-4b19d5fa9362"

BUILT_IN = (
    SourceConnector(
        type="postgres",
        definition_id="decd338e-5647-4c0b-adf4-da0e75f5a750",
        command=(sys.executable, "-m", f"{_OURS}.postgres"),
        configure=f"{_OURS}.postgres.tables:configuration_of",
        direct=f"{_OURS}.postgres.direct:read",
        source=f"{_OURS}.postgres.source:PostgresSource",
        log=f"{_OURS}.postgres.cdc.reader:reader_of",
        release=f"{_OURS}.postgres.cdc.slot:drop",
    ),
    SourceConnector(
        type="mysql",
        definition_id="435bb9a5-7887-4809-aa58-28c27df0d7ad",
        command=(sys.executable, "-m", f"{_OURS}.mysql"),
        configure=f"{_OURS}.mysql.configuration:configuration_of",
        direct=f"{_OURS}.mysql.direct:read",
        log=f"{_OURS}.mysql.cdc.reader:reader_of",
        source=f"{_OURS}.mysql.source:MysqlSource",
    ),
    SourceConnector(
        type="files",
        definition_id="6f0a1c9e-52b1-4b60-9a6b-3b8a9d0f7c11",
        command=(sys.executable, "-m", f"{_OURS}.files"),
        configure=f"{_OURS}.files.configuration:configuration_of",
        direct=f"{_OURS}.files.source:read_direct",
        source=f"{_OURS}.files.source:FilesSource",
    ),
    SourceConnector(
        type="s3",
        definition_id="69589781-7828-43c5-9f63-8925b1c1ccc2",
        command=(sys.executable, "-m", f"{_OURS}.files"),
        configure=f"{_OURS}.files.configuration:configuration_of",
        direct=f"{_OURS}.files.source:read_direct",
        source=f"{_OURS}.files.source:FilesSource",
    ),
    SourceConnector(
        type="sftp-bulk",
        definition_id="31e3242f-dee7-4cdc-a4b8-8e06c5458517",
        command=(sys.executable, "-m", f"{_OURS}.files"),
        configure=f"{_OURS}.files.configuration:configuration_of",
        direct=f"{_OURS}.files.source:read_direct",
        source=f"{_OURS}.files.source:FilesSource",
    ),
)

_ONLY_ELSEWHERE = {
    "mongodb-v2": "b2e713cd-cc36-4c0a-b5bd-b47cb8a0561e",
    "mssql": "b5ea17b1-f170-46dc-bc31-cc744ca984c1",
}
"""Database sources by definition id whose real connectors are Java programs, in no package registry."""
_CALLED_TOO = {"mongodb": "mongodb-v2", "sqlserver": "mssql"}


class Registry:
    """The built-in sources, any further commands, and what is installed in the home now, by type."""

    def __init__(self, commands: Mapping[str, Sequence[str]], home: Path) -> None:
        self._home = home
        self._sources = {source.type: source for source in BUILT_IN}
        for type_, command in commands.items():
            self._sources[type_] = SourceConnector(type_, _identity(type_), tuple(command))

    @property
    def types(self) -> list[str]:
        """Every known source type, in order."""
        return sorted({*self._sources, *(found.type for found in installed(self._home))})

    def source(self, type_: str) -> SourceConnector | None:
        """The source of a type, or None."""
        if type_ in self._sources:
            return self._sources[type_]
        found = installed_connector(self._home, type_)
        return None if found is None else _source_of(found)

    def by_definition(self, definition_id: str) -> SourceConnector | None:
        """The source of a definition id, or None."""
        sources = [*self._sources.values(), *map(_source_of, installed(self._home))]
        return next((source for source in sources if source.definition_id == definition_id), None)

    def why_unavailable(self, named: object) -> str:
        """One line about a type or definition id that this server does not have."""
        for type_, definition_id in _ONLY_ELSEWHERE.items():
            if _CALLED_TOO.get(str(named), named) in (type_, definition_id):
                return (
                    f"sourceType {type_} is not available on the embedded server, which has no connector for that"
                    " database; the same connection works with a real Airbyte, whose address is set by"
                    " LAKEHOUSE_AIRBYTE__URL"
                )
        return f"sourceType {named} is not available; this server has {', '.join(self.types)}"


def _source_of(found: Installed) -> SourceConnector:
    return SourceConnector(
        found.type, _identity(found.type), found.command, version=found.version, spec=found.spec
    )


def _identity(type_: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"airbyte-source:{type_}"))
