"""What we announced before it lets us message more"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ANNOUNCED = sa.text("status = 'announced'")


def upgrade() -> None:
    op.create_table(
        "policy_value",
        sa.Column("key", sa.String(200), nullable=False, comment="policy.budget.overall.week"),
        sa.Column("value", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_policy_value")),
        comment="The rules in force of those that let us message more or less; the others hold as the files have them",
    )
    op.create_table(
        "policy_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("old", sa.Text(), nullable=True, comment="JSON; NULL: there was none"),
        sa.Column("new", sa.Text(), nullable=True, comment="JSON; NULL: it goes away"),
        sa.Column(
            "status", sa.String(10), nullable=False, comment="announced | in_force | withdrawn | refused | dropped"
        ),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "ended_at",
            sa.BigInteger(),
            nullable=True,
            comment="when it took effect, was withdrawn, refused, or a refused one dropped",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_change")),
        comment="Rules that let us message more, from the moment they were announced",
    )
    op.create_index(
        "uq_policy_change_key", "policy_change", ["key"], unique=True,
        postgresql_where=_ANNOUNCED, sqlite_where=_ANNOUNCED,
    )  # fmt: skip
    op.create_index("ix_policy_change_status", "policy_change", ["status", "effective_at"])
    op.create_table(
        "policy_voice",
        sa.Column("change_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stance", sa.String(8), nullable=False, comment="second | object"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", "member_id", name=op.f("pk_policy_voice")),
        comment="What members hold of an announced change; the last word counts",
    )
    op.create_index("ix_policy_voice_member_id", "policy_voice", ["member_id"])


def downgrade() -> None:
    op.drop_table("policy_voice")
    op.drop_table("policy_change")
    op.drop_table("policy_value")
