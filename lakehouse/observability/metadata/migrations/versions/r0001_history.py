"""Run history of dbt, syncs and the state of connections, outcomes of partitions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "dbt_run_history",
        sa.Column("run_id", sa.Uuid, primary_key=True, comment="dbt's invocation id"),
        sa.Column("project_name", sa.String(255)),
        sa.Column("started_at", sa.DateTime),
        sa.Column("completed_at", sa.DateTime),
        sa.Column("status", sa.String(50)),
        sa.Column("models_run", sa.Integer),
        sa.Column("tests_run", sa.Integer),
        sa.Column("metadata", _JSON, comment="Dagster's run id, the window of days, what failed"),
    )
    op.create_table(
        "airbyte_state",
        sa.Column("connection_id", sa.Uuid, primary_key=True),
        sa.Column("state", _JSON, nullable=False),
        sa.Column("updated_at", sa.DateTime, server_default=sa.func.current_timestamp()),
    )
    op.create_table(
        "sync_history",
        sa.Column("connection", sa.String(255), primary_key=True, comment="its name"),
        sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("started", sa.DateTime, primary_key=True),
        sa.Column("ended", sa.DateTime),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("failure", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "partition_outcomes",
        sa.Column("run_id", sa.Uuid, primary_key=True),
        sa.Column("asset", sa.String(512), primary_key=True, comment="its key, with slashes"),
        sa.Column(
            "partition", sa.String(255), primary_key=True, comment="empty for an asset without partitions"
        ),
        sa.Column("outcome", sa.String(50), nullable=False),
        sa.Column("started", sa.DateTime),
        sa.Column("ended", sa.DateTime),
        sa.Column("rows", sa.BigInteger),
        sa.Column("why", sa.String(50), nullable=False),
    )
    op.create_index("partition_outcomes_by_asset", "partition_outcomes", ["asset", "partition", "ended"])
    op.create_index("partition_outcomes_by_end", "partition_outcomes", ["ended"])
