"""Channels, groups, senders, notices"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False, comment="on the database's clock, ms"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
        comment="What only one process may do at a time: listen to an account, sweep",
    )
    op.create_table(
        "notice",
        sa.Column("kind", sa.String(length=40), nullable=False, comment="unknown_code, sender, campaign …"),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("sentence", sa.String(length=400), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("pk_notice")),
        comment="What the operator should look at, each thing once",
    )
    op.create_table(
        "sender",
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column(
            "name", sa.String(length=64), nullable=False, comment="number or name of a pool; '' where there is one"
        ),
        sa.Column(
            "state", sa.String(length=8), nullable=False, comment="closed | open | probing: a circuit breaker's words"
        ),
        sa.Column("reason", sa.String(length=400), server_default="", nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True, comment="ms; when an open one is tried again"),
        sa.Column("weight", sa.Float(), server_default="1", nullable=False, comment="its share of what its pool sends"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "account", "name", name=op.f("pk_sender")),
        comment="Health of each account and sender, for all processes and for the operator",
    )
    with op.batch_alter_table("address") as address:
        address.alter_column("value", type_=sa.String(length=2000), existing_nullable=False)
        address.add_column(
            sa.Column(
                "account",
                sa.String(length=64),
                server_default="",
                nullable=False,
                comment="the only account that can write to it",
            )
        )
        address.add_column(
            sa.Column("last_inbound_at", sa.BigInteger(), nullable=True, comment="ms; when they last wrote from it")
        )
        address.add_column(
            sa.Column(
                "failures",
                sa.SmallInteger(),
                server_default="0",
                nullable=False,
                comment="out of reach so often in a row …",
            )
        )
        address.add_column(sa.Column("failing_since", sa.BigInteger(), nullable=True, comment="… since then, ms"))
    op.add_column(
        "batch",
        sa.Column(
            "account",
            sa.String(length=64),
            server_default="",
            nullable=False,
            comment="who must send it; '': any account",
        ),
    )

    op.add_column(
        "member",
        sa.Column(
            "kind",
            sa.String(length=8),
            server_default="person",
            nullable=False,
            comment="person | group: a chat that is asked",
        ),
    )


def downgrade() -> None:
    with op.batch_alter_table("member") as batch_op:
        batch_op.drop_column("kind")
    with op.batch_alter_table("batch") as batch_op:
        batch_op.drop_column("account")
    with op.batch_alter_table("address") as batch_op:
        batch_op.drop_column("failing_since")
        batch_op.drop_column("failures")
        batch_op.drop_column("last_inbound_at")
        batch_op.drop_column("account")
        batch_op.alter_column("value", type_=sa.String(length=400), existing_nullable=False)
    op.drop_table("sender")
    op.drop_table("notice")
    op.drop_table("lease")
