"""The platform's metrics, as the API serves them."""

from __future__ import annotations

from lakehouse.observability.metrics.exposition import CONTENT_TYPE
from lakehouse_tests.api.conftest import Api
from lakehouse_tests.embedded.airbyte.fixtures import eventually
from lakehouse_tests.observability.metrics.read import Samples, samples

UP = "lakehouse_metrics_source_up"


def look(api: Api) -> Samples:
    return samples(api.client.get("/metrics").text)


def test_they_tell_of_the_platform_beside_the_api_itself(api: Api) -> None:
    assert api.client.get("/metrics").headers["content-type"] == CONTENT_TYPE
    stored = ("datasets", "syncs", "partitions", "runs")
    eventually(lambda: all(look(api)[UP, name] == 1 for name in stored), 60)
    found = look(api)
    assert found[UP, "airbyte"] == found[UP, "dremio"] == 0
    state = ("lakehouse_asset_freshness_state", "silver/stg_customers", "silver", "team:commerce", "PASS")
    assert found[state] == 1
    assert ("airbyte_records_synced_total", "shop") in found
    assert found["api_requests_total", "GET", "/metrics", "200"] >= 2
