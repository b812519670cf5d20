"""The tables of the ledger.

Moments are whole milliseconds since 1970 UTC (`Instant` turns them into aware datetimes where a row is read through
SQLAlchemy). Numbers of members, addresses, deliveries, batches and the rest come from one counter (`id_block`), so
that they are unique across tables and a batch is one unbroken run of delivery numbers.

A delivery's key begins with its campaign's month, so that PostgreSQL can partition by it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """An aware datetime as milliseconds since 1970 UTC."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Milliseconds since 1970 UTC as an aware datetime."""
    return EPOCH + timedelta(milliseconds=ms)


class Instant(TypeDecorator[datetime]):
    """A moment, stored as milliseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_ms(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite makes a rowid alias of an INTEGER primary key only."""

id_block = Table(
    "id_block",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("next_id", BigInteger, nullable=False),
    comment="One row: the next number nobody has been given yet",
)

# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────

member = Table(
    "member",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("first_name", String(200), nullable=False, server_default=""),
    Column("last_name", String(200), nullable=False, server_default=""),
    Column("name_key", String(400), nullable=False, server_default="", comment="folded name, for merging"),
    Column("locale", String(35), nullable=False, server_default=""),
    Column("zone", String(64), nullable=False, server_default="", comment="IANA name"),
    Column("zone_source", String(16), nullable=False, server_default="", comment="given | postcode | phone | country"),
    Column("country", String(2), nullable=False, server_default=""),
    Column("postcode", String(20), nullable=False, server_default=""),
    Column("place", String(200), nullable=False, server_default=""),
    Column("attributes", JSON, nullable=False, server_default="{}"),
    Column("household_id", BigInteger),
    Column("external_id", String(200), unique=True, comment="the organization's own key for this person"),
    Column("joined_at", Instant, nullable=False),
    Column("erased_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_member_household_id", "household_id"),
)

member_tag = Table(
    "member_tag",
    metadata,
    Column("tag", String(200), primary_key=True, comment="lower case"),
    Column("member_id", BigInteger, primary_key=True),
    Index("ix_member_tag_member_id", "member_id"),
)

address = Table(
    "address",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("value", String(400), nullable=False, comment="normalised; '' once erased"),
    Column("hash", String(22), nullable=False, comment="keyed hash of kind and value, see core/address.py"),
    Column("state", String(10), nullable=False, server_default="active"),
    Column("consent", String(12), nullable=False, server_default="none", comment="what the consent rows amount to"),
    Column("rank", SmallInteger, nullable=False, server_default="0", comment="the member's order of preference"),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("member_id", "channel", "hash"),
    Index("ix_address_hash", "hash"),
)

consent = Table(
    "consent",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("address_hash", String(22), nullable=False),
    Column("purpose", String(40), nullable=False, server_default="asks"),
    Column("state", String(12), nullable=False, comment="granted | revoked | unconfirmed"),
    Column("basis", String(24), nullable=False, server_default="consent"),
    Column("source", String(400), nullable=False, comment="form, file or inbound message it came from"),
    Column("wording", Text, nullable=False, server_default="", comment="what the person agreed to, word for word"),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index("ix_consent_member_id", "member_id"),
    comment="Append-only",
)

attestation = Table(
    "attestation",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("basis", String(24), nullable=False),
    Column("source", String(400), nullable=False),
    Column("dated", String(10), nullable=False, comment="when the basis came to be, ISO date"),
    Column("file_sha256", String(64), nullable=False),
    Column("attested_by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Column("signature", String(64), nullable=False, comment="HMAC of the above under the installation's key"),
    comment="An admin's word for the legal basis of an imported file. Append-only",
)

suppression = Table(
    "suppression",
    metadata,
    Column("address_hash", String(22), primary_key=True),
    Column("channel", String(20), primary_key=True),
    Column("reason", String(40), nullable=False, comment="stop | unsubscribe | complaint | provider | import"),
    Column("source", String(400), nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    comment="Who must not be written to. Survives erasure, import, merge and restore; only START removes a row",
)

contact_budget = Table(
    "contact_budget",
    metadata,
    Column("holder", Id, primary_key=True, autoincrement=False, comment="household if there is one, else member"),
    Column("slots", Text, nullable=False, server_default="[]", comment="JSON [[ms, delivery id, channel], …], 30 days"),
    comment="What each person has been asked of late: one row read, not a count over history",
)

# ── asks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    Index("ix_campaign_status", "status"),
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

# ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────────

batch = Table(
    "batch",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("month", Integer, nullable=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False, comment="inclusive; all its deliveries lie between, and no others"),
    Column("open", Boolean, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("owner", String(64)),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("leased_until", BigInteger, nullable=False, server_default="0", comment="on the database's clock, ms"),
    Index(
        "ix_batch_open", "channel", "lane", "not_before", "id", postgresql_where=text("open"), sqlite_where=text("open")
    ),
    Index("ix_batch_campaign_id", "campaign_id"),
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
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("channel", String(20), nullable=False),
    Column("account", String(64), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("sender_hash", String(22), nullable=False),
    Column("member_id", BigInteger),
    Column("text", Text, nullable=False),
    Column("intent", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("channel", "account", "event_id"),
    Index("ix_inbound_member_id", "member_id"),
    comment="What people wrote to us",
)

reply_text = Table(
    "reply_text",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    comment="The words of a delivery of the standing Replies campaign, each its own",
)

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
    UniqueConstraint("source", "external_id"),
    Index("ix_action_campaign_id", "campaign_id", "member_id"),
    Index("ix_action_member_id", "member_id"),
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

# ── the office ────────────────────────────────────────────────────────────────────────────────────────────────────

api_token = Table(
    "api_token",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True, comment="SHA-256 of the token"),
    Column("scopes", String(400), nullable=False, comment="separated by spaces"),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("token_id", Id, primary_key=True, autoincrement=False),
    Column("key", String(200), primary_key=True),
    Column("request_sha256", String(64), nullable=False, comment="of method, path and body"),
    Column("status", SmallInteger, comment="NULL while the first request is under way"),
    Column("body", Text),
    Column("at", Instant, nullable=False),
)

import_job = Table(
    "import_job",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("file_name", String(400), nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("options", JSON, nullable=False),
    Column("status", String(12), nullable=False, comment="running | finished | failed"),
    Column("rows_done", BigInteger, nullable=False, comment="rows before this one are in the ledger"),
    Column("report", JSON, nullable=False, comment="counts so far"),
    Column("started_by", String(200), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Index("ix_import_job_file_sha256", "file_sha256"),
)

import_problem = Table(
    "import_problem",
    metadata,
    Column("import_id", Id, primary_key=True, autoincrement=False),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("column", String(200), primary_key=True),
    Column("sentence", String(400), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("what", String(80), nullable=False, comment="campaign.launch, import.attest …"),
    Column("subject", String(200), nullable=False),
    Column("detail", JSON, nullable=False),
    comment="Who did what. Append-only",
)
