"""The few groups among a million members have an index of their own"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_GROUPS = sa.text("kind = 'group'")


def upgrade() -> None:
    op.create_index("ix_member_groups", "member", ["id"], unique=False, postgresql_where=_GROUPS, sqlite_where=_GROUPS)


def downgrade() -> None:
    op.drop_index("ix_member_groups", table_name="member")
