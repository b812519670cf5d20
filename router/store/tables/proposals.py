"""Asks from below: proposals, who seconded or reported them, what organizers decided; and links passed on."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, UniqueConstraint, text

from router.store.tables.base import Id, Instant, metadata

proposal = Table(
    "proposal",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False, unique=True, comment="what people write: SECOND 7. From 1"),
    Column("member_id", BigInteger, nullable=False, comment="who proposed it"),
    Column("group_id", BigInteger, nullable=False, server_default="0", comment="the group it was made in; 0: none"),
    Column("text", String(1000), nullable=False),
    Column("locale", String(35), nullable=False, server_default=""),
    Column("country", String(2), nullable=False, server_default="", comment="its region: the proposer's, at first"),
    Column("place", String(200), nullable=False, server_default=""),
    Column(
        "status", String(10), nullable=False,
        comment="open | held (reported, or too new a crowd) | refused | removed | withdrawn | done",
    ),
    Column("stage", String(8), nullable=False, server_default="", comment="'' | group | test | region | all"),
    Column("campaign_id", BigInteger, nullable=False, server_default="0", comment="the ask of its present stage"),
    Column("stage_since", Instant),
    Column("next_at", Instant, comment="when the next step is looked at: an objection period ends, a test is over"),
    Column("seconds", Integer, nullable=False, server_default="0", comment="of distinct members, the proposer's not"),
    Column("reports", Integer, nullable=False, server_default="0"),
    Column("rule", String(40), nullable=False, server_default="", comment="the published rule it was refused by"),
    Column("reason", String(400), nullable=False, server_default="", comment="in the words of who refused or held it"),
    Column("objections", Integer, nullable=False, server_default="0", comment="seconds against its refusal"),
    Column("channel", String(20), nullable=False, server_default="", comment="where the proposer is told"),
    Column("address_id", BigInteger),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("ix_proposal_member_id", "member_id", "created_at"),
    Index("ix_proposal_status", "status", "number"),
    Index(
        "ix_proposal_next_at",
        "next_at",
        postgresql_where=text("next_at IS NOT NULL"),
        sqlite_where=text("next_at IS NOT NULL"),
    ),
)  # fmt: skip

proposal_second = Table(
    "proposal_second",
    metadata,
    Column("proposal_id", BigInteger, primary_key=True, autoincrement=False),
    Column("about", String(8), primary_key=True, comment="idea | refusal"),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("address_hash", String(22), nullable=False, comment="of the phone it came from: one phone, one second"),
    Column("channel", String(20), nullable=False, server_default=""),
    Column("group_id", BigInteger, nullable=False, server_default="0", comment="the group it was said in; 0: none"),
    Column("at", Instant, nullable=False),
    UniqueConstraint("proposal_id", "about", "address_hash"),
    Index("ix_proposal_second_member_id", "member_id", "at"),
)

proposal_report = Table(
    "proposal_report",
    metadata,
    Column("proposal_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("address_hash", String(22), nullable=False),
    Column("reason", String(400), nullable=False, server_default="", comment="in their words"),
    Column("at", Instant, nullable=False),
    UniqueConstraint("proposal_id", "address_hash"),
    comment="Members who found that a proposal should not stand",
)

proposal_vote = Table(
    "proposal_vote",
    metadata,
    Column("proposal_id", BigInteger, primary_key=True, autoincrement=False),
    Column("what", String(8), primary_key=True, comment="keep | remove | refuse"),
    Column("by", String(200), primary_key=True, comment="organizer, folded"),
    Column("rule", String(40), nullable=False, server_default=""),
    Column("reason", String(400), nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    comment="What organizers hold of it; two of them decide. Votes go once they were carried out",
)

proposal_campaign = Table(
    "proposal_campaign",
    metadata,
    Column("campaign_id", Id, primary_key=True, autoincrement=False),
    Column("proposal_id", BigInteger, nullable=False),
    Column("stage", String(8), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_proposal_campaign_proposal_id", "proposal_id"),
    comment="The asks that a proposal became",
)

forward = Table(
    "forward",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False, comment="whose link it is"),
    Column("opened", Integer, nullable=False, server_default="0", comment="how often it was followed"),
    Column("at", Instant, nullable=False, comment="first followed"),
    Index("ix_forward_member_id", "member_id"),
    comment="Links by which members passed an ask on",
)

forwarded = Table(
    "forwarded",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("brought_id", BigInteger, primary_key=True, autoincrement=False, comment="the member who came by it"),
    Column("member_id", BigInteger, nullable=False, comment="who passed it on"),
    Column("joined", Instant, comment="they became a member by it"),
    Column("acted", Instant, comment="they did what it asks, as the page it leads to told us"),
    Column("at", Instant, nullable=False),
    Index("ix_forwarded_brought_id", "brought_id"),
    Index("ix_forwarded_member_id", "member_id", "campaign_id"),
    comment="Who came by whose link; each counts for one only",
)
