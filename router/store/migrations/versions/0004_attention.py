"""Attention: traces, stages, reactions, spending, goals"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("trace", sa.Text(), server_default="", nullable=False, comment="core.trace"))
    op.add_column(
        "delivery",
        sa.Column("variant", sa.SmallInteger(), server_default="0", nullable=False, comment="1: the ask's second text"),
    )
    op.add_column(
        "batch",
        sa.Column(
            "stage", sa.SmallInteger(), server_default="0", nullable=False, comment="leaves once its campaign is there"
        ),
    )
    op.add_column("address", sa.Column("answers", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "address", sa.Column("answered_at", sa.BigInteger(), nullable=True, comment="ms; the last answer or action")
    )
    op.add_column(
        "address",
        sa.Column(
            "alerts", sa.Boolean(), server_default=sa.false(), nullable=False, comment="agreed to alerts at any hour"
        ),
    )
    op.add_column(
        "action", sa.Column("amount", sa.BigInteger(), server_default="0", nullable=False, comment="minor units")
    )
    op.add_column("action", sa.Column("currency", sa.String(length=3), server_default="", nullable=False))
    op.add_column(
        "campaign",
        sa.Column("recipients", sa.BigInteger(), server_default="0", nullable=False, comment="counted at its launch"),
    )
    op.add_column(
        "campaign",
        sa.Column(
            "stage", sa.SmallInteger(), server_default="99", nullable=False, comment="batches up to this one may leave"
        ),
    )
    op.add_column("campaign", sa.Column("stage_since", sa.BigInteger(), nullable=True))
    op.add_column("campaign", sa.Column("goal_met_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "campaign",
        sa.Column(
            "raised_by", sa.String(length=200), nullable=True, comment="who raised the budget to its ceiling for it"
        ),
    )
    op.add_column("campaign", sa.Column("raised_reason", sa.String(length=400), server_default="", nullable=False))
    op.add_column("campaign", sa.Column("raised_until", sa.BigInteger(), nullable=True))
    op.create_table(
        "reaction",
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False, comment="opt_out | complaint"),
        sa.Column("variant", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "channel", "kind", "variant", name=op.f("pk_reaction")),
        comment="How many wanted silence after which campaign",
    )
    op.create_table(
        "spending",
        sa.Column("month", sa.Integer(), nullable=False, comment="yyyymm of the sending"),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False, comment="millionths"),
        sa.PrimaryKeyConstraint("month", "campaign_id", "currency", name=op.f("pk_spending")),
        comment="What was spent on sending. Kept with the moves, last in each transaction",
    )


def downgrade() -> None:
    op.drop_table("spending")
    op.drop_table("reaction")
    for table, columns in (
        (
            "campaign",
            ("raised_until", "raised_reason", "raised_by", "goal_met_at", "stage_since", "stage", "recipients"),
        ),
        ("action", ("currency", "amount")),
        ("address", ("alerts", "answered_at", "answers")),
        ("batch", ("stage",)),
        ("delivery", ("variant", "trace")),
    ):
        with op.batch_alter_table(table) as batch_op:
            for column in columns:
                batch_op.drop_column(column)
