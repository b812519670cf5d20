"""Organizers, their sessions and invitations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_invitation")),
        comment="One-time links by which somebody becomes an organizer",
    )
    op.create_table(
        "organizer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_key", sa.String(length=80), nullable=False, comment="folded: what they sign in by"),
        sa.Column("password_hash", sa.String(length=200), nullable=False, comment="argon2id"),
        sa.Column("role", sa.String(length=10), nullable=False, comment="viewer | author | approver | admin"),
        sa.Column(
            "audience",
            sa.JSON(),
            nullable=True,
            comment="core.audience.Filter: the only members they see and write to; NULL: all",
        ),
        sa.Column(
            "failures", sa.SmallInteger(), server_default="0", nullable=False, comment="wrong passwords in a row"
        ),
        sa.Column("wait_until", sa.BigInteger(), nullable=True, comment="no password counts before"),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizer")),
        sa.UniqueConstraint("name_key", name=op.f("uq_organizer_name_key")),
        comment="People who run the movement's asks, each with an account of their own",
    )
    op.create_table(
        "session",
        sa.Column("token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of what the browser keeps"),
        sa.Column("organizer_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "agent", sa.String(length=200), server_default="", nullable=False, comment="which browser, in its own words"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session")),
        comment="Browsers that somebody is signed in by",
    )
    op.create_index("ix_session_organizer_id", "session", ["organizer_id"], unique=False)


def downgrade() -> None:
    op.drop_table("session")
    op.drop_table("organizer")
    op.drop_table("invitation")
