"""Answers in groups, asks from below, links passed on"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forward",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="whose link it is"),
        sa.Column("opened", sa.Integer(), server_default="0", nullable=False, comment="how often it was followed"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="first followed"),
        sa.PrimaryKeyConstraint("campaign_id", "member_id", name=op.f("pk_forward")),
        comment="Links by which members passed an ask on",
    )
    op.create_index("ix_forward_member_id", "forward", ["member_id"], unique=False)
    op.create_table(
        "forwarded",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "brought_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="the member who came by it"
        ),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="who passed it on"),
        sa.Column("joined", sa.BigInteger(), nullable=True, comment="they became a member by it"),
        sa.Column(
            "acted", sa.BigInteger(), nullable=True, comment="they did what it asks, as the page it leads to told us"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "brought_id", name=op.f("pk_forwarded")),
        comment="Who came by whose link; each counts for one only",
    )
    op.create_index("ix_forwarded_brought_id", "forwarded", ["brought_id"], unique=False)
    op.create_index("ix_forwarded_member_id", "forwarded", ["member_id", "campaign_id"], unique=False)
    op.create_table(
        "group_answer",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "person_hash", sa.String(length=22), nullable=False, comment="the keyed hash of the address that answered"
        ),
        sa.Column("group_id", sa.BigInteger(), nullable=False, comment="where they answered first"),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="yes | no | … as they said it last"),
        sa.Column("member_id", sa.BigInteger(), nullable=True, comment="who that is, where we know them"),
        sa.Column("month", sa.Integer(), nullable=False, comment="of the post"),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False, comment="the post that they answered"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "person_hash", name=op.f("pk_group_answer")),
        comment="One answer for each person and campaign, known to us or not",
    )
    op.create_index("ix_group_answer_group_id", "group_answer", ["campaign_id", "group_id", "kind"], unique=False)
    op.create_index("ix_group_answer_person_hash", "group_answer", ["person_hash"], unique=False)
    op.create_table(
        "group_chat",
        sa.Column(
            "group_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="a member of kind group",
        ),
        sa.Column(
            "steward_hash",
            sa.String(length=22),
            server_default="",
            nullable=False,
            comment="whose address may quiet us there",
        ),
        sa.Column(
            "steward_id", sa.BigInteger(), nullable=True, comment="the member whose address that is, where we know them"
        ),
        sa.Column("hour", sa.BigInteger(), nullable=True, comment="the hour that `answers` belongs to"),
        sa.Column(
            "answers",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="what we answered there within this hour",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name=op.f("pk_group_chat")),
        comment="What a group has beside what every member has",
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False, comment="came | spoke | link"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "member_id", name=op.f("pk_group_member")),
        comment="Members of whom we know that they are in a group; who leaves goes",
    )
    op.create_index("ix_group_member_member_id", "group_member", ["member_id"], unique=False)
    op.create_table(
        "group_post",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("address_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False, comment="who posted it, and alone can change it"),
        sa.Column("provider_id", sa.String(length=128), nullable=False, comment="the provider's name of the message"),
        sa.Column("text_version", sa.Integer(), nullable=False, comment="the words it left with"),
        sa.Column("variant", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "shown", sa.String(length=400), server_default="", nullable=False, comment="the tally that stands under it"
        ),
        sa.Column("edits", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "edit_at", sa.BigInteger(), nullable=True, comment="when it is to be brought up to date; NULL: it is"
        ),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "closed", sa.Boolean(), server_default=sa.false(), nullable=False, comment="its buttons are gone for good"
        ),
        sa.PrimaryKeyConstraint("month", "delivery_id", name=op.f("pk_group_post")),
        comment="Posts under which somebody answered",
    )
    op.create_index(
        "ix_group_post_open",
        "group_post",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text("NOT closed"),
        sqlite_where=sa.text("NOT closed"),
    )
    op.create_index(
        "ix_group_post_edit_at",
        "group_post",
        ["edit_at"],
        unique=False,
        postgresql_where=sa.text("edit_at IS NOT NULL"),
        sqlite_where=sa.text("edit_at IS NOT NULL"),
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="what people write: SECOND 7. From 1"),
        sa.Column("member_id", sa.BigInteger(), nullable=False, comment="who proposed it"),
        sa.Column(
            "group_id", sa.BigInteger(), server_default="0", nullable=False, comment="the group it was made in; 0: none"
        ),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("locale", sa.String(length=35), server_default="", nullable=False),
        sa.Column(
            "country",
            sa.String(length=2),
            server_default="",
            nullable=False,
            comment="its region: the proposer's, at first",
        ),
        sa.Column("place", sa.String(length=200), server_default="", nullable=False),
        sa.Column(
            "status",
            sa.String(length=10),
            nullable=False,
            comment="open | held (reported, or too new a crowd) | refused | removed | withdrawn | done",
        ),
        sa.Column(
            "stage", sa.String(length=8), server_default="", nullable=False, comment="'' | group | test | region | all"
        ),
        sa.Column(
            "campaign_id", sa.BigInteger(), server_default="0", nullable=False, comment="the ask of its present stage"
        ),
        sa.Column("stage_since", sa.BigInteger(), nullable=True),
        sa.Column(
            "next_at",
            sa.BigInteger(),
            nullable=True,
            comment="when the next step is looked at: an objection period ends, a test is over",
        ),
        sa.Column(
            "seconds",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="of distinct members, the proposer's not",
        ),
        sa.Column("reports", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "rule",
            sa.String(length=40),
            server_default="",
            nullable=False,
            comment="the published rule it was refused by",
        ),
        sa.Column(
            "reason",
            sa.String(length=400),
            server_default="",
            nullable=False,
            comment="in the words of who refused or held it",
        ),
        sa.Column(
            "objections", sa.Integer(), server_default="0", nullable=False, comment="seconds against its refusal"
        ),
        sa.Column(
            "channel", sa.String(length=20), server_default="", nullable=False, comment="where the proposer is told"
        ),
        sa.Column("address_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        sa.UniqueConstraint("number", name=op.f("uq_proposal_number")),
    )
    op.create_index("ix_proposal_member_id", "proposal", ["member_id", "created_at"], unique=False)
    op.create_index(
        "ix_proposal_next_at",
        "proposal",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("next_at IS NOT NULL"),
        sqlite_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_proposal_status", "proposal", ["status", "number"], unique=False)
    op.create_table(
        "proposal_campaign",
        sa.Column(
            "campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_proposal_campaign")),
        comment="The asks that a proposal became",
    )
    op.create_index("ix_proposal_campaign_proposal_id", "proposal_campaign", ["proposal_id"], unique=False)
    op.create_table(
        "proposal_report",
        sa.Column("proposal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address_hash", sa.String(length=22), nullable=False),
        sa.Column("reason", sa.String(length=400), server_default="", nullable=False, comment="in their words"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "member_id", name=op.f("pk_proposal_report")),
        sa.UniqueConstraint("proposal_id", "address_hash", name=op.f("uq_proposal_report_proposal_id_address_hash")),
        comment="Members who found that a proposal should not stand",
    )
    op.create_table(
        "proposal_second",
        sa.Column("proposal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("about", sa.String(length=8), nullable=False, comment="idea | refusal"),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "address_hash",
            sa.String(length=22),
            nullable=False,
            comment="of the phone it came from: one phone, one second",
        ),
        sa.Column("channel", sa.String(length=20), server_default="", nullable=False),
        sa.Column(
            "group_id", sa.BigInteger(), server_default="0", nullable=False, comment="the group it was said in; 0: none"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "about", "member_id", name=op.f("pk_proposal_second")),
        sa.UniqueConstraint(
            "proposal_id", "about", "address_hash", name=op.f("uq_proposal_second_proposal_id_about_address_hash")
        ),
    )
    op.create_index("ix_proposal_second_member_id", "proposal_second", ["member_id", "at"], unique=False)
    op.create_table(
        "proposal_vote",
        sa.Column("proposal_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("what", sa.String(length=8), nullable=False, comment="keep | remove | refuse"),
        sa.Column("by", sa.String(length=200), nullable=False, comment="organizer, folded"),
        sa.Column("rule", sa.String(length=40), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=400), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("proposal_id", "what", "by", name=op.f("pk_proposal_vote")),
        comment="What organizers hold of it; two of them decide. Votes go once they were carried out",
    )


def downgrade() -> None:
    op.drop_table("forwarded")
    op.drop_table("forward")
    op.drop_table("proposal_campaign")
    op.drop_table("proposal_vote")
    op.drop_table("proposal_report")
    op.drop_table("proposal_second")
    op.drop_table("proposal")
    op.drop_table("group_post")
    op.drop_table("group_answer")
    op.drop_table("group_member")
    op.drop_table("group_chat")
