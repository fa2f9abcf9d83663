"""Totals of metrics, which only grow, with how far their source was read."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "metric_totals",
        sa.Column("source", sa.String(50), primary_key=True),
        sa.Column("cursor", _JSON, nullable=False),
        sa.Column("totals", _JSON, nullable=False, comment="metric, values of its labels, total or buckets"),
    )
    op.create_index("sync_history_by_start", "sync_history", ["connection", "started"])
