"""The newest outcome of a partition counts, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.outcome import NO_PARTITION, Outcome, PartitionOutcome
from lakehouse.observability.metadata.outcomes import (
    carried_out,
    end_backfill,
    newest_not_made,
    plan,
    recorded_runs,
    unended_backfills,
    write_outcomes,
)

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def outcome(
    partition: str, kind: Outcome, hour: int, asset: str = "gold/a", run_id: str = ""
) -> PartitionOutcome:
    ended = NOON + timedelta(hours=hour)
    return PartitionOutcome(run_id or str(uuid4()), asset, partition, kind, NOON, ended, 5, "backfill")


def test_the_newest_outcome_counts(metadata: MetadataDatabase) -> None:
    with metadata.transaction() as connection:
        write_outcomes(
            connection,
            [
                outcome("1", Outcome.FAILED, 1), outcome("1", Outcome.MADE, 2),
                outcome("2", Outcome.MADE, 1), outcome("2", Outcome.CHECK_FAILED, 2),
                outcome("3", Outcome.LEFT, 1),
                outcome(NO_PARTITION, Outcome.FAILED, 1, "gold/b"),
                outcome("1", Outcome.FAILED, 1, "gold/c"),
            ],
        )  # fmt: skip
        found = newest_not_made(connection, ["gold/a", "gold/b"], [])
    assert found == {"gold/a": {"2", "3"}, "gold/b": {NO_PARTITION}}


def test_a_plan_counts_until_it_is_carried_out_or_its_backfill_lives(metadata: MetadataDatabase) -> None:
    with metadata.transaction() as connection:
        wanted = {"gold/a": [f"2025-01-{day:02}" for day in range(1, 32)], "gold/b": []}
        id_ = plan(connection, "host:1:2.00", wanted, "backfill")
        assert unended_backfills(connection) == {id_: "host:1:2.00"}
        carried_out(connection, id_, ["gold/a"], ("2025-01-01", "2025-01-29"))
        assert newest_not_made(connection, wanted, []) == {
            "gold/a": {"2025-01-30", "2025-01-31"},
            "gold/b": {NO_PARTITION},
        }
        assert newest_not_made(connection, wanted, [id_]) == {}
        carried_out(connection, id_, ["gold/b"], (NO_PARTITION, NO_PARTITION))
        end_backfill(connection, id_)
        assert unended_backfills(connection) == {}
        assert newest_not_made(connection, wanted, []).keys() == {"gold/a"}
        write_outcomes(connection, [outcome("2025-01-30", Outcome.MADE, 24 * 3650)])
        assert newest_not_made(connection, wanted, []) == {"gold/a": {"2025-01-31"}}


def test_a_row_is_replaced_by_one_of_the_same_run(metadata: MetadataDatabase) -> None:
    run_id = str(uuid4())
    with metadata.transaction() as connection:
        many = [outcome(str(day), Outcome.FAILED, 1, run_id=run_id) for day in range(1200)]
        write_outcomes(connection, many)
        write_outcomes(connection, [outcome(str(day), Outcome.MADE, 1, run_id=run_id) for day in range(1199)])
        assert newest_not_made(connection, ["gold/a"], []) == {"gold/a": {"1199"}}
        assert recorded_runs(connection, [run_id, str(uuid4())]) == {run_id}


def test_all_or_nothing(metadata: MetadataDatabase) -> None:
    class BreaksOffError(Exception): ...

    run_id = str(uuid4())
    with pytest.raises(BreaksOffError), metadata.transaction() as connection:  # noqa: PT012
        write_outcomes(connection, [outcome("1", Outcome.MADE, 1, run_id=run_id)])
        raise BreaksOffError
    with metadata.transaction() as connection:
        assert recorded_runs(connection, [run_id]) == set()
