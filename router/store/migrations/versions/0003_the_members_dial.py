"""The member's dial"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "member",
        sa.Column(
            "joined_by",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="the campaign through which they came",
        ),
    )
    op.add_column(
        "member",
        sa.Column(
            "dial",
            sa.String(length=12),
            server_default="everything",
            nullable=False,
            comment="how much of us they want",
        ),
    )
    op.add_column("member", sa.Column("paused_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("member") as batch_op:
        batch_op.drop_column("paused_until")
        batch_op.drop_column("dial")
        batch_op.drop_column("joined_by")
