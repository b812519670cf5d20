"""What other systems are told"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hook",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False, comment="whsec_…; signs what is sent there"),
        sa.Column(
            "kinds",
            sa.String(length=200),
            nullable=False,
            comment="what it wants to hear of, with a space around each",
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("reason", sa.String(length=400), server_default="", nullable=False, comment="why it is not"),
        sa.Column(
            "failures",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="in a row, of the whole address",
        ),
        sa.Column("rest_until", sa.BigInteger(), nullable=True, comment="it was out of reach; nothing is tried before"),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook")),
    )
    op.create_table(
        "hook_event",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="the database's own number: whatever writes one need not bring it",
        ),
        sa.Column("hook_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "member_id",
            sa.BigInteger(),
            nullable=False,
            comment="told in order for each; 0: about nobody in particular",
        ),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON, as it is sent and signed"),
        sa.Column("status", sa.String(length=8), nullable=False, comment="waiting | told | dead"),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(length=200), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_event")),
    )
    op.create_index(
        "ix_hook_event_waiting",
        "hook_event",
        ["hook_id", "member_id", "at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
        sqlite_where=sa.text("status = 'waiting'"),
    )
    op.create_index("ix_hook_event_status", "hook_event", ["hook_id", "status", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("hook_event")
    op.drop_table("hook")
