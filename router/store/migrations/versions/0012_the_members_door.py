"""The member's own door: links to it can be made void"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "member",
        sa.Column(
            "door_epoch",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="links to their own page carry it: one more, and all older ones are void",
        ),
    )


def downgrade() -> None:
    with op.batch_alter_table("member") as batch_op:
        batch_op.drop_column("door_epoch")
