"""A declared dashboard in Superset: imported when it is not there as declared, every chart asked anew."""

from __future__ import annotations

import time
from typing import Any

import dagster as dg

from lakehouse.catalog.boards import DeclaredBoard
from lakehouse.clients.flight import password_of
from lakehouse.clients.superset.bundle import bundle_of
from lakehouse.clients.superset.client import SupersetClient
from lakehouse.clients.superset.open import opened
from lakehouse.settings import Settings


def publish(settings: Settings, declared: DeclaredBoard) -> dict[str, Any]:
    """Import, warm, and open as a browser would.

    Returns:
        Metadata: whether it was imported, seconds to fill the cache, seconds to open the dashboard after that and the
        share of charts that came from the cache then, and the rows of every chart.

    Raises:
        ServiceDownError, ServiceRefusedError, TransientError: Superset is down or refuses, or a chart's query fails.
    """
    bundle = bundle_of(declared, settings, password_of(settings.dremio))
    with SupersetClient(settings.superset) as superset:
        imported = superset.publish(bundle)
        charts = superset.charts(bundle.slug)
        started = time.monotonic()
        opened(superset, charts, force=True)
        filled = time.monotonic()
        answers = opened(superset, charts)
        ended = time.monotonic()
        url = f"{superset.url}/superset/dashboard/{bundle.slug}/"
    return {
        "superset": dg.MetadataValue.url(url),
        "superset/imported": imported,
        "superset/warm_up_seconds": round(filled - started, 3),
        "load_seconds": round(ended - filled, 3),
        "cache_hit_rate": sum(answer.cached for answer in answers.values()) / len(answers),
        **{f"chart rows/{title}": answer.rows for title, answer in answers.items()},
    }
