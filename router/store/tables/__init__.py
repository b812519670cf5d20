"""The tables of the ledger.

Moments are whole milliseconds since 1970 UTC (`Instant` turns them into aware datetimes where a row is read through
SQLAlchemy). Numbers of members, addresses, deliveries, batches and the rest come from one counter (`id_block`), so
that they are unique across tables and a batch is one unbroken run of delivery numbers.

A delivery's key begins with its campaign's month, so that PostgreSQL can partition by it.
"""

from __future__ import annotations

from router.store.tables.asks import ask_claim, ask_version, campaign, route_range
from router.store.tables.base import EPOCH, Instant, from_ms, metadata, to_ms
from router.store.tables.messages import (
    action,
    attempt,
    batch,
    delivery,
    guard_stop,
    inbound,
    parked_receipt,
    reaction,
    receipt,
    reply_text,
    spending,
    tally,
)
from router.store.tables.office import (
    api_token,
    audit,
    id_block,
    idempotency,
    import_job,
    import_problem,
    lease,
    notice,
    sender,
)
from router.store.tables.people import address, attestation, consent, contact_budget, member, member_tag, suppression

__all__ = [
    "EPOCH",
    "Instant",
    "action",
    "address",
    "api_token",
    "ask_claim",
    "ask_version",
    "attempt",
    "attestation",
    "audit",
    "batch",
    "campaign",
    "consent",
    "contact_budget",
    "delivery",
    "from_ms",
    "guard_stop",
    "id_block",
    "idempotency",
    "import_job",
    "import_problem",
    "inbound",
    "lease",
    "member",
    "member_tag",
    "metadata",
    "notice",
    "parked_receipt",
    "reaction",
    "receipt",
    "reply_text",
    "route_range",
    "sender",
    "spending",
    "suppression",
    "tally",
    "to_ms",
]
