"""How Elasticsearch keeps the logs: an index a day, its mappings, and when it is deleted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

_KEYWORD = {"type": "keyword", "ignore_above": 1024}


def index_of(prefix: str, moment: datetime) -> str:
    """The index of a record's day.

    >>> index_of("airbyte-logs", datetime(2025, 10, 16, 23, 59, tzinfo=UTC))
    'airbyte-logs-2025.10.16'
    """
    return f"{prefix}-{moment.astimezone(UTC):%Y.%m.%d}"


def day_of(prefix: str, index: str) -> date | None:
    """The day of one of our indices; None for any other.

    >>> day_of("airbyte-logs", "airbyte-logs-2025.10.16")
    datetime.date(2025, 10, 16)
    """
    try:
        return datetime.strptime(index, f"{prefix}-%Y.%m.%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def template(prefix: str, policy: str | None) -> dict[str, Any]:
    """The index template; fields beyond those of the specification are what else a record has."""
    settings: dict[str, Any] = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": "1s",
        "analysis": {
            # Words are what is between signs, as in SQLite: of `gold.fct_orders` one finds `orders`.
            "tokenizer": {"words": {"type": "pattern", "pattern": r"[^\p{L}\p{N}]+"}},
            "analyzer": {
                "words": {"type": "custom", "tokenizer": "words", "filter": ["lowercase", "asciifolding"]}
            },
        },
    }
    if policy:
        settings["index.lifecycle.name"] = policy
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 200,
        "template": {
            "settings": settings,
            "mappings": {
                "dynamic": "strict",
                "properties": {
                    "timestamp": {"type": "date"},
                    "level": _KEYWORD,
                    "service": _KEYWORD,
                    "message": {"type": "text", "analyzer": "words"},
                    "job_id": _KEYWORD,
                    "connection_id": _KEYWORD,
                    "records_synced": {"type": "integer"},
                    "bytes_synced": {"type": "long"},
                    "id": _KEYWORD,
                    "run_id": _KEYWORD,
                    "asset": _KEYWORD,
                    "partition": _KEYWORD,
                },
            },
        },
    }


def lifecycle(keep_days: int) -> dict[str, Any]:
    """The policy: an index is deleted so many days after it was made, and one day more, since it holds a day."""
    delete = {"min_age": f"{keep_days + 1}d", "actions": {"delete": {}}}
    return {"phases": {"hot": {"actions": {}}, "delete": delete}}
