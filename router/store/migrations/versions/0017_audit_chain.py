"""An audit that shows when a row was changed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_UNSEALED = sa.text("place IS NULL")


def upgrade() -> None:
    op.add_column(
        "audit",
        sa.Column(
            "place",
            sa.BigInteger(),
            comment="in the chain, from 1 on without a gap; NULL for the second until it is sealed",
        ),
    )
    op.add_column(
        "audit", sa.Column("seal", sa.String(43), comment="core.audit_chain: over this entry and the seal before")
    )
    op.create_index("ix_audit_place", "audit", ["place"], unique=True)
    op.create_index(
        "ix_audit_unsealed", "audit", ["id"], unique=False, postgresql_where=_UNSEALED, sqlite_where=_UNSEALED
    )


def downgrade() -> None:
    op.drop_index("ix_audit_unsealed", table_name="audit")
    op.drop_index("ix_audit_place", table_name="audit")
    with op.batch_alter_table("audit") as batch_op:
        batch_op.drop_column("seal")
        batch_op.drop_column("place")
