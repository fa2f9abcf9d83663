"""What installed connectors discovered before: a Python connector takes seconds to start.

Kept by source type, connector version and configuration. Sources of ours answer at once and are always asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.registry import SourceConnector
from lakehouse.embedded.airbyte.store import Store


def discovered_before(
    store: Store, connector: SourceConnector, configuration: Mapping[str, Any]
) -> list[dict[str, Any]] | None:
    """The streams found earlier with the same connector and configuration, or None."""
    if not connector.version:
        return None
    row = store.row("SELECT catalog FROM discoveries WHERE key = ?", _key(connector, configuration))
    return None if row is None else row["catalog"]


def remember_discovery(
    store: Store,
    connector: SourceConnector,
    configuration: Mapping[str, Any],
    streams: list[dict[str, Any]],
) -> None:
    """Keeps the streams, in the place of those found earlier."""
    if connector.version:
        store.execute(
            "INSERT OR REPLACE INTO discoveries (key, catalog, discovered_at) VALUES (?, ?, ?)",
            _key(connector, configuration), json.dumps(streams), epoch_ms(),
        )  # fmt: skip


def _key(connector: SourceConnector, configuration: Mapping[str, Any]) -> str:
    """A digest: the configuration holds secrets. The command names the installation, and so its manifest."""
    parts = [connector.type, connector.version, connector.command, configuration]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
