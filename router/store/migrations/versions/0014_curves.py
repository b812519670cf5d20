"""How a campaign went, minute by minute"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "curve",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False, comment="the end of a piece of time"),
        sa.Column("gone", sa.BigInteger(), nullable=False, comment="handed over"),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "channel", "at", name=op.f("pk_curve")),
        comment="How far a campaign had come on a channel by when, counted from its beginning",
    )


def downgrade() -> None:
    op.drop_table("curve")
