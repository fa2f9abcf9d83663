"""Reflections: built for real, used where they are right, never when they are stale."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse_tests.engine import Engine, running_engine

pytestmark = pytest.mark.slow
QUESTION = "SELECT day, SUM(amount) AS s, COUNT(*) AS c FROM lake.gold.sales GROUP BY day ORDER BY day"


def make_sales(engine: Engine) -> str:
    engine.rows(
        "CREATE TABLE lake.gold.sales AS SELECT * FROM (VALUES (DATE '2025-01-01', 'a', 1), (DATE '2025-01-01', 'b', 2), "
        "(DATE '2025-01-02', 'a', 4)) AS t(day, shop, amount)"
    )
    return str(engine.http.get("/api/v3/catalog/by-path/lake/gold/sales").json()["id"])


def reflect(engine: Engine, dataset: str, **changes: Any) -> dict[str, Any]:
    definition = {
        "entityType": "reflection",
        "type": "AGGREGATION",
        "name": "by_day",
        "datasetId": dataset,
        "enabled": True,
        "dimensionFields": [{"name": "day"}],
        "measureFields": [{"name": "amount", "measureTypeList": ["SUM", " COUNT"]}],
    }
    created: dict[str, Any] = engine.post("/api/v3/reflection", {**definition, **changes})
    return created


def wait(engine: Engine, reflection_id: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        found: dict[str, Any] = engine.http.get(f"/api/v3/reflection/{reflection_id}").json()
        if found["status"]["combinedStatus"] == status:
            return found
        assert time.monotonic() < deadline, found["status"]
        time.sleep(0.05)


def relationships(engine: Engine, sql: str) -> list[str]:
    return [use["relationship"] for use in engine.job(sql)["acceleration"]["reflectionRelationships"]]


def test_the_life_of_a_reflection(tmp_path: Path) -> None:
    with running_engine(tmp_path) as engine:
        dataset = make_sales(engine)
        before = engine.rows(QUESTION)
        reflection = reflect(engine, dataset)
        built = wait(engine, reflection["id"], "CAN_ACCELERATE")
        assert built["outputRecords"] == 2
        assert built["currentSizeBytes"] > 0
        assert relationships(engine, QUESTION) == ["CHOSEN"]
        assert engine.rows(QUESTION) == before
        assert relationships(engine, "SELECT shop, SUM(amount) FROM lake.gold.sales GROUP BY shop") == [
            "CONSIDERED"
        ]

        engine.rows("INSERT INTO lake.gold.sales VALUES (DATE '2025-01-03', 'c', 8)")
        assert relationships(engine, QUESTION) == [], "a stale reflection is no candidate"
        assert engine.rows(QUESTION)[-1] == ("2025-01-03", 8, 1)
        engine.post(f"/api/v3/catalog/{dataset}/refresh")
        assert wait(engine, reflection["id"], "CAN_ACCELERATE")["outputRecords"] == 3
        assert relationships(engine, QUESTION) == ["CHOSEN"]
        assert engine.rows(QUESTION)[-1] == ("2025-01-03", 8, 1)

        engine.stop()
        engine.start()
        assert relationships(engine, QUESTION) == ["CHOSEN"], "builds outlive a restart"

        engine.rows("DROP TABLE lake.gold.sales")
        assert make_sales(engine) == dataset
        assert relationships(engine, QUESTION) == [], "a new table is not what was reflected"
        assert len(engine.http.get(f"/api/v3/dataset/{dataset}/reflection").json()["data"]) == 1


def test_a_build_that_fails_gives_up_and_says_why(tmp_path: Path) -> None:
    with running_engine(tmp_path) as engine:
        dataset = make_sales(engine)
        reflection = reflect(engine, dataset)
        wait(engine, reflection["id"], "CAN_ACCELERATE")
        engine.rows("ALTER TABLE lake.gold.sales DROP COLUMN amount")
        engine.post(f"/api/v3/catalog/{dataset}/refresh")
        failed = wait(engine, reflection["id"], "FAILED")
        assert failed["status"]["refresh"] == "GIVEN_UP"
        assert "amount" in failed["status"]["lastFailure"]["message"]


def test_wrong_definitions_are_refused(engine: Engine) -> None:
    engine.rows("CREATE TABLE lake.gold.refusals AS SELECT 1 AS x")
    dataset = engine.http.get("/api/v3/catalog/by-path/lake/gold/refusals").json()["id"]
    for changes, message in (
        ({"dimensionFields": [{"name": "nope"}]}, "has no column nope"),
        ({"type": "OTHER"}, "type must be RAW or AGGREGATION"),
        ({"surprise": 1}, "unknown surprise"),
        (
            {"dimensionFields": [], "measureFields": [{"name": "x", "measureTypeList": ["MODE"]}]},
            "measure MODE",
        ),
    ):
        body = {"type": "AGGREGATION", "name": "r", "datasetId": dataset, **changes}
        answer = engine.http.post("/api/v3/reflection", json=body)
        assert answer.status_code == 400
        assert message in answer.json()["errorMessage"]
