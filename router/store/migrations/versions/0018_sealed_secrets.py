"""Room for webhooks' addresses and secrets as they are sealed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# What is sealed is a third longer and 52 characters more: 2,000 become 2,716, and 38 become 100.
_COLUMNS = (
    ("url", 2000, 3000, None, "core.sealing"),
    ("secret", 100, 200, "whsec_…; signs what is sent there", "core.sealing: whsec_…; signs what is sent there"),
)


def upgrade() -> None:
    with op.batch_alter_table("hook") as batch_op:
        for name, old, new, said, says in _COLUMNS:
            batch_op.alter_column(
                name,
                existing_type=sa.String(old),
                type_=sa.String(new),
                existing_nullable=False,
                existing_comment=said,
                comment=says,
            )
    with op.batch_alter_table("idempotency") as batch_op:
        batch_op.alter_column("body", existing_type=sa.Text(), existing_nullable=True, comment="core.sealing")


def downgrade() -> None:
    """For a ledger where nothing is sealed yet: an older program cannot open what is."""
    with op.batch_alter_table("idempotency") as batch_op:
        batch_op.alter_column(
            "body", existing_type=sa.Text(), existing_nullable=True, existing_comment="core.sealing", comment=None
        )
    with op.batch_alter_table("hook") as batch_op:
        for name, old, new, said, says in _COLUMNS:
            batch_op.alter_column(
                name,
                existing_type=sa.String(new),
                type_=sa.String(old),
                existing_nullable=False,
                existing_comment=says,
                comment=said,
            )
