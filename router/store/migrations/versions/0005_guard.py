"""What the guard stopped"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guard_stop",
        sa.Column(
            "campaign_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="the campaign's when the guard stopped it"),
        sa.Column(
            "baseline",
            sa.Text(),
            nullable=True,
            comment="JSON {what: [bad, of]} when somebody resumed it: counted from there on",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_guard_stop")),
        comment="Campaigns that the guard stopped",
    )


def downgrade() -> None:
    op.drop_table("guard_stop")
