"""The counter, tokens, repeated requests, imports and the audit log."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, SmallInteger, String, Table, Text

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
