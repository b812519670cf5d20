"""Campaigns, their words, their audience's ranges and who has claimed what."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKeyConstraint, Index, Integer, SmallInteger, String, Table, text

from router.store.tables.base import Id, Instant, metadata

campaign = Table(
    "campaign",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("month", Integer, nullable=False, comment="yyyymm of its creation; part of every delivery's key"),
    Column("title", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("status", String(12), nullable=False),
    Column("epoch", Integer, nullable=False, server_default="1", comment="goes up with every edit, pause and resume"),
    Column("text_version", Integer, nullable=False, server_default="1"),
    Column("link", String(2000), nullable=False, server_default=""),
    Column("created_by", String(200), nullable=False),
    Column("approved_by", String(200)),
    Column("created_at", Instant, nullable=False),
    Column("launched_at", Instant),
    Column("starts_at", Instant, comment="nothing leaves before: the undo time and the schedule"),
    Column("expires_at", Instant, comment="nothing leaves after: the deadline and the time to live"),
    Column("finished_at", Instant),
    Column("pause_reason", String(400), nullable=False, server_default=""),
    Column("recipients", BigInteger, nullable=False, server_default="0", comment="counted at its launch"),
    Column("stage", SmallInteger, nullable=False, server_default="99", comment="batches up to this one may leave"),
    Column("stage_since", Instant),
    Column("goal_met_at", Instant),
    Column("raised_by", String(200), comment="who raised the budget to its ceiling for it"),
    Column("raised_reason", String(400), nullable=False, server_default=""),
    Column("raised_until", Instant),
    Column("reported_at", Instant, comment="when those who acted were told what came of it"),
    Column("report_due_at", Instant, comment="by when they must be; NULL: not reckoned yet"),
    Index("ix_campaign_status", "status"),
    Index(
        "ix_campaign_report_due_at",
        "report_due_at",
        postgresql_where=text("reported_at IS NULL"),
        sqlite_where=text("reported_at IS NULL"),
    ),
)

ask_version = Table(
    "ask_version",
    metadata,
    Column("campaign_id", Id, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", JSON, nullable=False, comment="core.ask.Ask"),
    Column("saved_by", String(200), nullable=False),
    Column("saved_at", Instant, nullable=False),
    ForeignKeyConstraint(["campaign_id"], ["campaign.id"]),
    comment="Every wording a campaign ever had. Append-only",
)

route_range = Table(
    "route_range",
    metadata,
    Column("campaign_id", Id, primary_key=True, autoincrement=False),
    Column("first_member", BigInteger, primary_key=True, autoincrement=False),
    Column("last_member", BigInteger, nullable=False, comment="inclusive"),
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("routed_at", Instant),
    comment="The audience cut into pieces; each is routed in one transaction, once",
)

ask_claim = Table(
    "ask_claim",
    metadata,
    Column("campaign_id", BigInteger, nullable=False),
    Column("member_id", BigInteger, comment="NULL where a later hop of the same member claims a further address"),
    Column("address_hash", String(22), nullable=False),
    Index("uq_ask_claim_member", "campaign_id", "member_id", unique=True),
    Index("uq_ask_claim_address", "campaign_id", "address_hash", unique=True),
    comment="One ask per person and per address. Not partitioned; survives merge and erasure",
)
