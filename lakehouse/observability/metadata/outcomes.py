"""The table `partition_outcomes`: outcomes of runs, and what backfills plan to make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa

from lakehouse.observability.metadata.outcome import NO_PARTITION, Outcome, PartitionOutcome
from lakehouse.observability.metadata.records import put
from lakehouse.observability.metadata.tables import backfills, partition_outcomes

_KEYS_A_QUERY = 500


def write_outcomes(connection: sa.Connection, outcomes: Iterable[PartitionOutcome]) -> None:
    """Put them in; those of the same run, asset and partition are replaced."""
    put(connection, partition_outcomes, (asdict(outcome) for outcome in outcomes))


def recorded_runs(connection: sa.Connection, run_ids: Collection[str]) -> set[str]:
    """Those of the runs that have outcomes."""
    found = partition_outcomes.c.run_id
    return set(connection.execute(sa.select(found).where(found.in_(run_ids)).distinct()).scalars())


def newest_not_made(
    connection: sa.Connection, assets: Collection[str], alive: Collection[str]
) -> dict[str, set[str]]:
    """Partitions by asset whose newest outcome is any other than made; the plans of `alive` backfills do not count."""
    table = partition_outcomes.c
    found: dict[str, set[str]] = {}
    names = sorted(assets)
    for at in range(0, len(names), _KEYS_A_QUERY):
        newest_first = sa.func.coalesce(table.ended, table.started).desc()
        ranked = (
            sa.select(
                table.asset,
                table.partition,
                table.outcome,
                sa.func.row_number()
                .over(partition_by=(table.asset, table.partition), order_by=newest_first)
                .label("place"),
            )
            .where(table.asset.in_(names[at : at + _KEYS_A_QUERY]))
            .where(sa.or_(table.outcome != Outcome.PLANNED, table.run_id.not_in(alive)))
            .subquery()
        )
        query = sa.select(ranked.c.asset, ranked.c.partition).where(
            ranked.c.place == 1, ranked.c.outcome != Outcome.MADE
        )
        for asset, partition in connection.execute(query):
            found.setdefault(asset, set()).add(partition)
    return found


def plan(connection: sa.Connection, process: str, wanted: Mapping[str, Collection[str]], why: str) -> str:
    """Record what a backfill is about to make, partitions by asset; gives its id."""
    id_, now = str(uuid4()), datetime.now(UTC)
    put(connection, backfills, [{"backfill_id": id_, "process": process, "started": now, "ended": None}])
    write_outcomes(
        connection,
        (
            PartitionOutcome(id_, asset, partition, Outcome.PLANNED, now, None, None, why)
            for asset, partitions in wanted.items()
            for partition in partitions or (NO_PARTITION,)
        ),
    )
    return id_


def carried_out(connection: sa.Connection, id_: str, assets: Collection[str], days: tuple[str, str]) -> None:
    """A run has tried these assets and partitions: they are no longer a plan."""
    table = partition_outcomes.c
    connection.execute(
        sa.delete(partition_outcomes).where(
            table.run_id == id_, table.asset.in_(assets), table.partition.between(*days)
        )
    )


def end_backfill(connection: sa.Connection, id_: str) -> None:
    """What it did not come to was left out, as of its beginning: others may have made it since."""
    ended = sa.update(backfills).where(backfills.c.backfill_id == id_)
    connection.execute(ended.values(ended=datetime.now(UTC)))
    left = sa.update(partition_outcomes).where(partition_outcomes.c.run_id == id_)
    connection.execute(left.values(outcome=Outcome.LEFT.value))


def unended_backfills(connection: sa.Connection) -> dict[str, str]:
    """The process of each backfill that has not said that it ended."""
    query = sa.select(backfills.c.backfill_id, backfills.c.process).where(backfills.c.ended.is_(None))
    return {row.backfill_id: row.process for row in connection.execute(query)}
