"""Backfills, whose plans are among the outcomes until they are carried out."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backfills",
        sa.Column("backfill_id", sa.Uuid, primary_key=True),
        sa.Column("process", sa.Text, nullable=False, comment="host, process id, and when the process began"),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("ended", sa.DateTime),
    )
