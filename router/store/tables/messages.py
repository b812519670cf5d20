"""Batches and deliveries, what came of them, and what people wrote and did."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from router.core.debt import NOT_ACTING
from router.store.tables.base import Id, Instant, metadata

batch = Table(
    "batch",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("month", Integer, nullable=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("account", String(64), nullable=False, server_default="", comment="who must send it; '': any account"),
    Column("lane", SmallInteger, nullable=False),
    Column("stage", SmallInteger, nullable=False, server_default="0", comment="leaves once its campaign is there"),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False, comment="inclusive; all its deliveries lie between, and no others"),
    Column("open", Boolean, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("owner", String(64)),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("leased_until", BigInteger, nullable=False, server_default="0", comment="on the database's clock, ms"),
    Column("waits", Boolean, nullable=False, server_default=false(), comment="for room in the inbox"),
    Column("released_at", Instant, comment="when there was room for it"),
    Index(
        "ix_batch_open", "channel", "lane", "not_before", "id", postgresql_where=text("open"), sqlite_where=text("open")
    ),
    Index("ix_batch_campaign_id", "campaign_id"),
    Index("ix_batch_waits", "campaign_id", postgresql_where=text("waits"), sqlite_where=text("waits")),
    Index(
        "ix_batch_released_at",
        "released_at",
        postgresql_where=text("released_at IS NOT NULL"),
        sqlite_where=text("released_at IS NOT NULL"),
    ),
)

delivery = Table(
    "delivery",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("member_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False, comment="'' where it was held before a channel was chosen"),
    Column(
        "hop", SmallInteger, nullable=False, server_default="0", comment="0, then one more for each fallback or retry"
    ),
    Column("address_id", BigInteger),
    Column("status", String(10), nullable=False),
    Column("reason", String(20)),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("not_before", BigInteger, nullable=False, server_default="0", comment="ms"),
    Column("claim_id", BigInteger, comment="the claim that may send it, or did"),
    Column("claimed_at", BigInteger, comment="ms, database clock"),
    Column("text_version", Integer, comment="the words it left with"),
    Column("sent_at", BigInteger, comment="ms"),
    Column("done_at", BigInteger, comment="ms; when the last receipt moved it"),
    Column("costs", Boolean, nullable=False, server_default=false(), comment="holds a slot of the contact budget"),
    Column("trace", Text, nullable=False, server_default="", comment="core.trace"),
    Column("variant", SmallInteger, nullable=False, server_default="0", comment="1: the ask's second text"),
    UniqueConstraint("month", "member_id", "campaign_id", "channel", "hop"),
    sqlite_with_rowid=False,
    comment="One campaign, one member, one channel, one hop",
)

attempt = Table(
    "attempt",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("account", String(64), nullable=False, server_default=""),
    Column("outcome", String(10), nullable=False, comment="sent | not_sent | refused | unknown"),
    Column("failure", String(24)),
    Column("code", String(40), nullable=False, server_default=""),
    Column("provider_id", String(128), nullable=False, server_default=""),
    Column("at", BigInteger, nullable=False, comment="ms"),
    Index("ix_attempt_provider_id", "provider_id"),
    sqlite_with_rowid=False,
    comment="Every try to hand a delivery to a provider. Append-only",
)

receipt = Table(
    "receipt",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String(200), primary_key=True),
    Column("status", String(10), nullable=False),
    Column("code", String(40), nullable=False, server_default=""),
    Column("moved", Boolean, nullable=False, comment="whether it moved the delivery; contradictory ones are evidence"),
    Column("at", BigInteger, nullable=False, comment="ms"),
)

parked_receipt = Table(
    "parked_receipt",
    metadata,
    Column("channel", String(20), primary_key=True),
    Column("event_id", String(200), primary_key=True),
    Column("provider_id", String(128), nullable=False),
    Column("status", String(10), nullable=False),
    Column("failure", String(24)),
    Column("code", String(40), nullable=False, server_default=""),
    Column("at", BigInteger, nullable=False),
    Column("parked_at", BigInteger, nullable=False),
    Index("ix_parked_receipt_provider_id", "provider_id"),
    comment="Receipts that match no delivery yet; a sweep tries again",
)

inbound = Table(
    "inbound",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False, comment="yyyymm of its arrival"),
    Column("channel", String(20), nullable=False),
    Column("account", String(64), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("sender_hash", String(22), nullable=False),
    Column("member_id", BigInteger),
    Column("text", Text, nullable=False),
    Column("intent", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_inbound_member_id", "member_id"),
    comment="What people wrote to us",
)

inbound_claim = Table(
    "inbound_claim",
    metadata,
    Column("channel", String(20), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("event_id", String(200), primary_key=True),
    Column("month", Integer, nullable=False, comment="of the row in inbound"),
    comment="What a provider told us, each thing once, over all months. Not partitioned",
)

reply_text = Table(
    "reply_text",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("kind", String(8), nullable=False, server_default="answer", comment="router.answering.Saying"),
    Column("until", Instant, comment="afterwards it is of no use any more"),
    Column("by", String(200), nullable=False, server_default="", comment="the organizer who wrote it; '': the router"),
    comment="The words of a delivery of the standing Replies campaign, each its own",
)

ACTED = f"kind NOT IN {NOT_ACTING}"
"""SQL: they did something, word for word as in the condition of the migrated index."""

action = Table(
    "action",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, nullable=False),
    Column("campaign_id", BigInteger, nullable=False, comment="0 where it belongs to none"),
    Column("kind", String(40), nullable=False),
    Column("source", String(40), nullable=False, comment="link | keyword | api"),
    Column("external_id", String(200), nullable=False, comment="the same action told twice counts once"),
    Column("at", Instant, nullable=False),
    Column("amount", BigInteger, nullable=False, server_default="0", comment="minor units"),
    Column("currency", String(3), nullable=False, server_default=""),
    Column("channel", String(20), nullable=False, server_default="", comment="by which it came; '' where not by one"),
    Column("address_id", BigInteger, comment="from which it came"),
    UniqueConstraint("source", "external_id"),
    Index("ix_action_campaign_id", "campaign_id", "member_id"),
    Index("ix_action_member_id", "member_id"),
    Index("ix_action_deeds", "campaign_id", "kind", "currency", "member_id", "channel", "amount"),
    Index(
        "ix_action_acted",
        "campaign_id",
        "member_id",
        "kind",  # so that nothing else has to be read: without it SQLite takes ix_action_deeds and reads all clicks
        postgresql_where=text(ACTED),
        sqlite_where=text(ACTED),
    ),
)

tally = Table(
    "tally",
    metadata,
    Column("campaign_id", Id, primary_key=True, autoincrement=False),
    Column("channel", String(20), primary_key=True),
    Column("status", String(10), primary_key=True),
    Column("reason", String(20), primary_key=True, comment="'' where there is none"),
    Column("count", BigInteger, nullable=False),
    comment="How many deliveries of a campaign stand where. Kept with the moves, last in each transaction",
)

reaction = Table(
    "reaction",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(20), primary_key=True),
    Column("kind", String(12), primary_key=True, comment="opt_out | complaint"),
    Column("variant", SmallInteger, primary_key=True, autoincrement=False, server_default="0"),
    Column("count", BigInteger, nullable=False),
    comment="How many wanted silence after which campaign",
)

guard_stop = Table(
    "guard_stop",
    metadata,
    Column("campaign_id", Id, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False, comment="the campaign's when the guard stopped it"),
    Column("baseline", Text, comment="JSON {what: [bad, of]} when somebody resumed it: counted from there on"),
    Column("at", Instant, nullable=False),
    comment="Campaigns that the guard stopped",
)

spending = Table(
    "spending",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False, comment="yyyymm of the sending"),
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("currency", String(3), primary_key=True),
    Column("micros", BigInteger, nullable=False, comment="millionths"),
    comment="What was spent on sending. Kept with the moves, last in each transaction",
)

curve = Table(
    "curve",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(20), primary_key=True),
    Column("at", Instant, primary_key=True, autoincrement=False, comment="the end of a piece of time"),
    Column("gone", BigInteger, nullable=False, comment="handed over"),
    Column("delivered", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    comment="How far a campaign had come on a channel by when, counted from its beginning",
)

dropped_month = Table(
    "dropped_month",
    metadata,
    Column("kind", String(12), primary_key=True, comment="messages | answers | received"),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False, comment="rows that went"),
    Column("at", Instant, nullable=False),
    Column("by", String(200), nullable=False),
    comment="What was kept as long as it should be, and is gone",
)
