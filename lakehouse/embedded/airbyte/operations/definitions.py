"""The connectors that this server has, as Airbyte's connector definitions."""

from __future__ import annotations

from lakehouse.embedded.airbyte.connectors.registry import S3_DESTINATION_ID, Registry
from lakehouse.embedded.airbyte.store import Row


def definitions(registry: Registry, kind: str) -> list[Row]:
    """Id, name and type of each source, or of the one destination; ordered by type."""
    if kind == "destination":
        return [{"id": S3_DESTINATION_ID, "type": "s3", "kind": kind}]
    sources = [registry.source(type_) for type_ in registry.types]
    return [
        {"id": source.definition_id, "type": source.type, "kind": kind}
        for source in sources
        if source is not None
    ]
