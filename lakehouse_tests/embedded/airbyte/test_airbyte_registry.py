"""The built-in sources, as the registry hands them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.embedded.airbyte.connectors.registry import Registry


@pytest.mark.parametrize(
    "named",
    [
        "mongodb", "mongodb-v2", "b2e713cd-cc36-4c0a-b5bd-b47cb8a0561e",
        "mssql", "b5ea17b1-f170-46dc-bc31-cc744ca984c1",
    ],
)  # fmt: skip
def test_a_database_that_only_a_real_airbyte_reads_is_refused_with_that_remedy(named: str) -> None:
    said = Registry({}, Path("/nowhere")).why_unavailable(named)
    assert said.startswith(("sourceType mongodb-v2 is not available", "sourceType mssql is not available"))
    assert "works with a real Airbyte" in said


def test_a_type_that_nobody_knows_is_answered_with_those_there_are() -> None:
    said = Registry({}, Path("/nowhere")).why_unavailable("oracle")
    assert said.startswith("sourceType oracle is not available; this server has ")
    assert "mysql" in said


def test_every_source_of_ours_can_be_asked_in_this_process() -> None:
    registry = Registry({"other": ("some-command",)}, Path("/nowhere"))
    sources = {type_: registry.source(type_) for type_ in registry.types}
    asked = {type_: source.in_process for type_, source in sources.items() if source is not None}
    assert asked.pop("other") is None
    assert set(asked) >= {"files", "mysql", "postgres"}
    for type_, source in asked.items():
        assert source is not None, type_
        assert "connectionSpecification" in source.spec()
