"""What the routes answer, over a history that is known."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse_tests.api.conftest import DAY, EARLIER, YESTERDAY, Api

V1 = "/api/v1"


def got(api: Api, path: str, **parameters: Any) -> Any:
    answer = api.client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def refusal(api: Api, path: str, **parameters: Any) -> tuple[int, str]:
    answer = api.client.get(path, params=parameters)
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["type"], body["status"]) == ("about:blank", answer.status_code)
    assert "\n" not in body["detail"]
    return answer.status_code, body["detail"]


def test_every_declared_dataset_is_listed_by_layer(api: Api) -> None:
    found = got(api, f"{V1}/datasets", limit=1000)
    assert found["total"] == len(found["items"]) == len(api.platform.graph.datasets)
    layers = [item["layer"] for item in found["items"]]
    order = ["landing", "bronze", "silver", "gold", "reflections", "serving"]
    assert list(dict.fromkeys(layers)) == order


def test_a_dataset_tells_rows_freshness_and_owner(api: Api) -> None:
    (item,) = [
        item
        for item in got(api, f"{V1}/datasets", layer="silver", state="pass")["items"]
        if item["key"] == "silver/stg_customers"
    ]
    assert item["rows"] == 12
    assert item["relation"] == "lake.silver.stg_customers"
    assert item["owner"].startswith("team:")
    assert 0 <= item["freshness"]["age_seconds"] < 300
    assert item["freshness"]["fail_after_seconds"] >= 60


def test_lists_are_filtered_and_paged(api: Api) -> None:
    all_of = [item["key"] for item in got(api, f"{V1}/datasets", layer="gold")["items"]]
    paged = [got(api, f"{V1}/datasets", layer="gold", limit=3, offset=at) for at in range(0, len(all_of), 3)]
    assert [item["key"] for page in paged for item in page["items"]] == all_of
    assert {page["total"] for page in paged} == {len(all_of)}
    owner = got(api, f"{V1}/datasets", owner="team:nobody")
    assert owner == {"items": [], "total": 0}


def test_a_dataset_has_columns_and_lineage(api: Api) -> None:
    orders = got(api, f"{V1}/datasets/gold/fct_orders")
    assert orders == got(api, f"{V1}/datasets/gold%2Ffct_orders")
    assert "silver/stg_orders" in orders["upstream"]
    assert "reflections/fct_orders/agg_daily_revenue" in orders["downstream"]
    assert {"name": "order_id", "type": "bigint"}.items() <= orders["columns"][0].items()
    deep = got(api, f"{V1}/datasets/gold/fct_orders", depth=10)
    assert "landing/shop/orders" in deep["upstream"]
    assert "serving/customer_analytics" in deep["downstream"]
    assert orders["partitions"]["column"] == "order_date"


def test_runs_are_newest_first_and_paged(api: Api) -> None:
    first = got(api, f"{V1}/runs", limit=2)
    assert [run["run_id"] for run in first["items"]] == [api.runs[2], api.runs[1]]
    rest = got(api, f"{V1}/runs", limit=2, cursor=first["next"])
    assert [run["run_id"] for run in rest["items"]] == [api.runs[0]]
    assert rest["next"] is None
    (failed,) = got(api, f"{V1}/runs", status="failure")["items"]
    assert (failed["run_id"], failed["status"], failed["partitions"]) == (api.runs[2], "failure", [DAY])
    assert got(api, f"{V1}/runs/{api.runs[2]}") == failed
    assert failed["seconds"] > 0


def test_partitions_tell_what_became_of_each(api: Api) -> None:
    found = got(api, f"{V1}/partitions", dataset="gold/fct_daily_revenue", first=EARLIER, last=DAY, limit=10)
    assert [(one["partition"], one["made"], one["outcome"]) for one in found["items"]] == [
        (DAY, False, "failed"),
        (YESTERDAY, True, "made"),
        (EARLIER, False, None),
    ]
    assert (found["total"], found["made"]) == (3, 1)
    assert found["missing"] > 2
    assert found["items"][1]["run_id"] == api.runs[1]


def test_syncs_tell_how_each_connection_stands(api: Api) -> None:
    (shop,) = [item for item in got(api, f"{V1}/syncs")["items"] if item["name"] == "shop"]
    assert shop["datasets"] == sorted(shop["datasets"])
    assert shop["last"]["status"] == "failed"
    assert shop["succeeded_at"] < shop["last"]["ended"]
    assert (shop["syncs_in_a_day"], shop["failed_in_a_day"], shop["rows_in_a_day"]) == (2, 1, 300)
    history = got(api, f"{V1}/syncs/shop")
    assert [sync["job_id"] for sync in history["items"]] == [2, 1]
    assert history["items"][0]["failure"] == "source: the log is gone"


def test_alerts_tell_what_fires_and_what_is_silenced(api: Api) -> None:
    found = got(api, f"{V1}/alerts")
    assert [one["key"] for one in found["firing"]] == ["AssetStale/gold/fct_orders"]
    assert [one["pattern"] for one in found["silences"]] == ["AssetStale/silver/*"]
    assert found["undelivered"] == []


def test_ready_says_which_dependency_is_down(api: Api) -> None:
    found = got(api, "/ready")
    up = {one["name"]: one["up"] for one in found["dependencies"]}
    assert up == {"dagster": True, "metadata": True, "lake": True, "dremio": False, "airbyte": False}
    assert found["status"] == "degraded"
    (dremio,) = [one for one in found["dependencies"] if one["name"] == "dremio"]
    assert "does not answer" in dremio["problem"]


@pytest.mark.parametrize(
    ("path", "parameters", "status", "words"),
    [
        ("/datasets/gold/nothing", {}, 404, "no dataset is named gold/nothing; GET /api/v1/datasets lists them"),
        ("/datasets", {"layer": "lead"}, 400, "Invalid enum value 'lead'"),
        ("/datasets", {"limit": "0"}, 400, "Expected `int` >= 1"),
        ("/datasets", {"colour": "red"}, 400, "unknown field `colour`; the parameters are layer, owner"),
        ("/datasets/gold/fct_orders", {"key": "x"}, 400, "parameter key belongs in the path"),
        ("/datasets", {"layer": ["gold", "silver"]}, 400, "parameter layer is given twice"),
        ("/partitions", {"dataset": "gold/dim_carriers"}, 400, "gold/dim_carriers has no partitions"),
        ("/partitions", {}, 400, "missing required field `dataset`"),
        ("/runs/00000000-0000-0000-0000-000000000000", {}, 404, "no run has the id"),
        ("/runs", {"cursor": "00000000-0000-0000-0000-000000000000"}, 400, "cursor: no run has the id"),
        ("/syncs/nobody", {}, 404, "no connection is named nobody"),
        ("/nothing", {}, 404, "GET /api/v1/nothing is not served; GET /openapi.json lists what is"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    api: Api, path: str, parameters: dict[str, Any], status: int, words: str
) -> None:
    code, detail = refusal(api, V1 + path, **parameters)
    assert code == status
    assert words in detail


def test_the_metrics_count_requests_by_route(api: Api) -> None:
    got(api, f"{V1}/alerts")
    refusal(api, f"{V1}/datasets/gold/nothing")
    text = api.client.get("/metrics").text
    counted = 'api_requests_total{method="GET",route="/api/v1/alerts",status="200"}'
    assert counted in text
    assert 'route="/api/v1/datasets/{key}",status="404"' in text
    assert 'api_request_duration_seconds_bucket{le="0.05",route="/api/v1/alerts"}' in text
