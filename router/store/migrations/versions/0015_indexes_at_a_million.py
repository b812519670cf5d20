"""Indexes that the pages need at a million members"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


_INDEXES = (
    ("ix_action_deeds", "action", ("campaign_id", "kind", "currency", "member_id", "channel", "amount")),
    ("ix_audit_subject", "audit", ("subject", "id")),
    ("ix_thread_last_in_at", "thread", ("status", "last_in_at")),
)


_ACTED = "kind NOT IN ('click', 'no', 'refund')"


def _who_acted(*columns: str) -> None:
    """The index of those who acted, anew with these columns."""
    op.drop_index("ix_action_acted", table_name="action")
    op.create_index(
        "ix_action_acted",
        "action",
        list(columns),
        unique=False,
        postgresql_where=sa.text(_ACTED),
        sqlite_where=sa.text(_ACTED),
    )


def upgrade() -> None:
    for name, table, columns in _INDEXES:
        op.create_index(name, table, list(columns), unique=False)
    _who_acted("campaign_id", "member_id", "kind")


def downgrade() -> None:
    _who_acted("campaign_id", "member_id")
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
