"""The counter, tokens, repeated requests, imports and the audit log."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, SmallInteger, String, Table, Text, text

from router.store.tables.base import Id, Instant, metadata

id_block = Table(
    "id_block",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    Column("next_id", BigInteger, nullable=False),
    comment="One row: the next number nobody has been given yet",
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("leased_until", BigInteger, nullable=False, comment="on the database's clock, ms"),
    comment="What only one process may do at a time: listen to an account, sweep",
)

sender = Table(
    "sender",
    metadata,
    Column("channel", String(20), primary_key=True),
    Column("account", String(64), primary_key=True),
    Column("name", String(64), primary_key=True, comment="number or name of a pool; '' where there is one"),
    Column("state", String(8), nullable=False, comment="closed | open | probing: a circuit breaker's words"),
    Column("reason", String(400), nullable=False, server_default=""),
    Column("until", BigInteger, comment="ms; when an open one is tried again"),
    Column("weight", Float, nullable=False, server_default="1", comment="its share of what its pool sends"),
    Column("updated_at", Instant, nullable=False),
    comment="Health of each account and sender, for all processes and for the operator",
)

notice = Table(
    "notice",
    metadata,
    Column("kind", String(40), primary_key=True, comment="unknown_code, sender, campaign …"),
    Column("subject", String(200), primary_key=True),
    Column("sentence", String(400), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("cleared_at", Instant),
    comment="What the operator should look at, each thing once",
)

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

organizer = Table(
    "organizer",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", String(80), nullable=False),
    Column("name_key", String(80), nullable=False, unique=True, comment="folded: what they sign in by"),
    Column("password_hash", String(200), nullable=False, comment="argon2id"),
    Column("role", String(10), nullable=False, comment="viewer | author | approver | admin"),
    Column(
        "audience",
        JSON(none_as_null=True),
        comment="core.audience.Filter: the only members they see and write to; NULL: all",
    ),
    Column("failures", SmallInteger, nullable=False, server_default="0", comment="wrong passwords in a row"),
    Column("wait_until", Instant, comment="no password counts before"),
    Column("created_by", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    comment="People who run the movement's asks, each with an account of their own",
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True, comment="SHA-256 of what the browser keeps"),
    Column("organizer_id", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("agent", String(200), nullable=False, server_default="", comment="which browser, in its own words"),
    Index("ix_session_organizer_id", "organizer_id"),
    comment="Browsers that somebody is signed in by",
)

invitation = Table(
    "invitation",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("name", String(80), nullable=False, server_default=""),
    Column("role", String(10), nullable=False),
    Column("audience", JSON(none_as_null=True)),
    Column("created_by", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    comment="One-time links by which somebody becomes an organizer",
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("token_id", Id, primary_key=True, autoincrement=False),
    Column("key", String(200), primary_key=True),
    Column("request_sha256", String(64), nullable=False, comment="of method, path and body"),
    Column("status", SmallInteger, comment="NULL while the first request is under way"),
    Column("body", Text, comment="core.sealing"),
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
    Column(
        "place", BigInteger, comment="in the chain, from 1 on without a gap; NULL for the second until it is sealed"
    ),
    Column("seal", String(43), comment="core.audit_chain: over this entry and the seal before"),
    Index("ix_audit_subject", "subject", "id"),
    Index("ix_audit_place", "place", unique=True),
    Index("ix_audit_unsealed", "id", postgresql_where=text("place IS NULL"), sqlite_where=text("place IS NULL")),
    comment="Who did what. Append-only",
)
