"""The built-in sources, as the registry hands them out."""

from __future__ import annotations

from lakehouse.embedded.airbyte.connectors.registry import Registry


def test_every_source_of_ours_can_be_asked_in_this_process() -> None:
    registry = Registry({"other": ("some-command",)})
    sources = {type_: registry.source(type_) for type_ in registry.types}
    asked = {type_: source.in_process for type_, source in sources.items() if source is not None}
    assert asked.pop("other") is None
    assert set(asked) >= {"files", "mysql", "postgres"}
    for type_, source in asked.items():
        assert source is not None, type_
        assert "connectionSpecification" in source.spec()
