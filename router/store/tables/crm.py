"""What other systems are told: their addresses, and what waits to be told to each."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, SmallInteger, String, Table, Text, text, true

from router.store.tables.base import Id, Instant, metadata

hook = Table(
    "hook",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("url", String(3000), nullable=False, comment="core.sealing"),
    Column("secret", String(200), nullable=False, comment="core.sealing: whsec_…; signs what is sent there"),
    Column("kinds", String(200), nullable=False, comment="what it wants to hear of, with a space around each"),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("reason", String(400), nullable=False, server_default="", comment="why it is not"),
    Column("failures", SmallInteger, nullable=False, server_default="0", comment="in a row, of the whole address"),
    Column("rest_until", Instant, comment="it was out of reach; nothing is tried before"),
    Column("created_by", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
)

hook_event = Table(
    "hook_event",
    metadata,
    Column("id", Id, primary_key=True, comment="the database's own number: whatever writes one need not bring it"),
    Column("hook_id", BigInteger, nullable=False),
    Column("member_id", BigInteger, nullable=False, comment="told in order for each; 0: about nobody in particular"),
    Column("kind", String(24), nullable=False),
    Column("body", Text, nullable=False, comment="JSON, as it is sent and signed"),
    Column("status", String(8), nullable=False, comment="waiting | told | dead"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("not_before", Instant, nullable=False),
    Column("last_error", String(200), nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    Column("done_at", Instant),
    Index(
        "ix_hook_event_waiting", "hook_id", "member_id", "at", "id",
        postgresql_where=text("status = 'waiting'"), sqlite_where=text("status = 'waiting'"),
    ),
    Index("ix_hook_event_status", "hook_id", "status", "id"),
)  # fmt: skip
