"""The tables of the metadata database; SPECIFICATION, "Storage", names `airbyte_state` and `dbt_run_history`.

What is changed here needs a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

REVISION = "0004"
"""The newest migration."""


class Moment(sa.TypeDecorator[datetime]):
    """A `timestamp` without a zone that holds UTC; Python sees a datetime with the zone."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value else None


metadata = sa.MetaData()
_JSON: sa.types.TypeEngine[Any] = sa.JSON().with_variant(JSONB(), "postgresql")

dbt_run_history = sa.Table(
    "dbt_run_history",
    metadata,
    sa.Column("run_id", sa.Uuid(as_uuid=False), primary_key=True, comment="dbt's invocation id"),
    sa.Column("project_name", sa.String(255)),
    sa.Column("started_at", Moment),
    sa.Column("completed_at", Moment),
    sa.Column("status", sa.String(50)),
    sa.Column("models_run", sa.Integer),
    sa.Column("tests_run", sa.Integer),
    sa.Column("metadata", _JSON, comment="Dagster's run id, the window of days, what failed"),
)

airbyte_state = sa.Table(
    "airbyte_state",
    metadata,
    sa.Column("connection_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("state", _JSON, nullable=False),
    sa.Column("updated_at", Moment, server_default=sa.func.current_timestamp()),
)

sync_history = sa.Table(
    "sync_history",
    metadata,
    sa.Column("connection", sa.String(255), primary_key=True, comment="its name"),
    # An Airbyte that was made anew counts its jobs from 1 again.
    sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("started", Moment, primary_key=True),
    sa.Column("ended", Moment),
    sa.Column("status", sa.String(50), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("failure", sa.Text, nullable=False, server_default=""),
    sa.Index("sync_history_by_start", "connection", "started"),
)

partition_outcomes = sa.Table(
    "partition_outcomes",
    metadata,
    sa.Column("run_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("asset", sa.String(512), primary_key=True, comment="its key, with slashes"),
    sa.Column("partition", sa.String(255), primary_key=True, comment="empty for an asset without partitions"),
    sa.Column("outcome", sa.String(50), nullable=False),
    sa.Column("started", Moment),
    sa.Column("ended", Moment),
    sa.Column("rows", sa.BigInteger),
    sa.Column("why", sa.String(50), nullable=False),
    sa.Index("partition_outcomes_by_asset", "asset", "partition", "ended"),
    sa.Index("partition_outcomes_by_end", "ended"),
)

backfills = sa.Table(
    "backfills",
    metadata,
    sa.Column("backfill_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("process", sa.Text, nullable=False, comment="host, process id, and when the process began"),
    sa.Column("started", Moment, nullable=False),
    sa.Column("ended", Moment),
)

open_alerts = sa.Table(
    "open_alerts",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("source", sa.String(50), nullable=False, comment="what looked, such as freshness"),
    sa.Column("alert", _JSON, nullable=False),
    sa.Column("told", _JSON, nullable=False, comment="by sink the severity that it was told, and the route"),
)

undelivered_notifications = sa.Table(
    "undelivered_notifications",
    metadata,
    # Never used again: what a killed process has sent, the next one sends under the same number.
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("sink", sa.String(255), nullable=False),
    sa.Column("route", sa.String(255), nullable=False),
    sa.Column("transition", sa.String(50), nullable=False, comment="firing or resolved"),
    sa.Column("alert", _JSON, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sqlite_autoincrement=True,
)

alert_silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("pattern", sa.String(1024), primary_key=True),
    sa.Column("until", Moment, nullable=False),
)

kept_by_alerts = sa.Table(
    "kept_by_alerts",
    metadata,
    sa.Column("name", sa.String(50), primary_key=True),
    sa.Column("value", _JSON, nullable=False),
)

metric_totals = sa.Table(
    "metric_totals",
    metadata,
    sa.Column("source", sa.String(50), primary_key=True),
    sa.Column("cursor", _JSON, nullable=False),
    sa.Column("totals", _JSON, nullable=False, comment="metric, values of its labels, total or buckets"),
)
