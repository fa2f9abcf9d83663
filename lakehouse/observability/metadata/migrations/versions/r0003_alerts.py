"""What fires, what no sink has taken yet, silences, and what sources of alerts keep between looks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "open_alerts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("source", sa.String(50), nullable=False, comment="what looked, such as freshness"),
        sa.Column("alert", _JSON, nullable=False),
        sa.Column(
            "told", _JSON, nullable=False, comment="by sink the severity that it was told, and the route"
        ),
    )
    op.create_table(
        "undelivered_notifications",
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("sink", sa.String(255), nullable=False),
        sa.Column("route", sa.String(255), nullable=False),
        sa.Column("transition", sa.String(50), nullable=False, comment="firing or resolved"),
        sa.Column("alert", _JSON, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alert_silences",
        sa.Column("pattern", sa.String(1024), primary_key=True),
        sa.Column("until", sa.DateTime, nullable=False),
    )
    op.create_table(
        "kept_by_alerts",
        sa.Column("name", sa.String(50), primary_key=True),
        sa.Column("value", _JSON, nullable=False),
    )
