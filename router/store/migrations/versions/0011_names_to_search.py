"""Members are found by the beginning of their name"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_member_name_key", "member", ["name_key"], unique=False, postgresql_ops={"name_key": "varchar_pattern_ops"}
    )


def downgrade() -> None:
    op.drop_index("ix_member_name_key", table_name="member")
