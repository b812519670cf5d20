"""Who people are, where they can be reached, what they agreed to and how much they were asked."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
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

from router.store.tables.base import Id, Instant, metadata

member = Table(
    "member",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False, server_default="person", comment="person | group: a chat that is asked"),
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
    Column("joined_by", BigInteger, nullable=False, server_default="0", comment="the campaign through which they came"),
    Column("dial", String(12), nullable=False, server_default="everything", comment="how much of us they want"),
    Column("paused_until", Instant),
    Column("erased_at", Instant),
    Column(
        "door_epoch", Integer, nullable=False, server_default="0",
        comment="links to their own page carry it: one more, and all older ones are void",
    ),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_member_household_id", "household_id"),
    # Byte by byte, as SQLite sorts anyway: so the beginning of a name is a range of the index.
    Index("ix_member_name_key", "name_key", postgresql_ops={"name_key": "varchar_pattern_ops"}),
    Index("ix_member_groups", "id", postgresql_where=text("kind = 'group'"), sqlite_where=text("kind = 'group'")),
)  # fmt: skip

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
    Column("value", String(2000), nullable=False, comment="normalised; '' once erased"),
    Column("hash", String(22), nullable=False, comment="keyed hash of kind and value, see core/address.py"),
    Column("state", String(10), nullable=False, server_default="active"),
    Column("consent", String(12), nullable=False, server_default="none", comment="what the consent rows amount to"),
    Column("rank", SmallInteger, nullable=False, server_default="0", comment="the member's order of preference"),
    Column("account", String(64), nullable=False, server_default="", comment="the only account that can write to it"),
    Column("last_inbound_at", BigInteger, comment="ms; when they last wrote from it"),
    Column("failures", SmallInteger, nullable=False, server_default="0", comment="out of reach so often in a row …"),
    Column("failing_since", BigInteger, comment="… since then, ms"),
    Column("answers", Integer, nullable=False, server_default="0"),
    Column("answered_at", BigInteger, comment="ms; the last answer or action"),
    Column("alerts", Boolean, nullable=False, server_default=false(), comment="agreed to alerts at any hour"),
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
    Column("slots", Text, nullable=False, server_default="[]", comment="core.purse.encode, 30 days"),
    comment="What each person has been asked of late: one row read, not a count over history",
)
