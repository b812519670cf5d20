"""The tables of the ledger.

Moments are whole milliseconds since 1970 UTC (`Instant` turns them into aware datetimes where a row is read through
SQLAlchemy). Numbers of members, addresses, deliveries, batches and the rest come from one counter (`id_block`), so
that they are unique across tables and a batch is one unbroken run of delivery numbers.

A delivery's key begins with its campaign's month, so that PostgreSQL can partition by it.
"""

from __future__ import annotations

from router.store.tables.asks import ask_claim, ask_version, campaign, route_range
from router.store.tables.base import EPOCH, Instant, from_ms, metadata, to_ms
from router.store.tables.community import (
    call,
    call_line,
    call_slot,
    debt_override,
    dialog,
    event,
    join_code,
    joined,
    phoned,
    postcode,
    report_back,
    rsvp,
    thread,
    trusted_host,
)
from router.store.tables.crm import hook, hook_event
from router.store.tables.groups import group_answer, group_chat, group_member, group_post
from router.store.tables.messages import (
    ACTED,
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
from router.store.tables.proposals import (
    forward,
    forwarded,
    proposal,
    proposal_campaign,
    proposal_report,
    proposal_second,
    proposal_vote,
)

__all__ = [
    "ACTED",
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
    "call",
    "call_line",
    "call_slot",
    "campaign",
    "consent",
    "contact_budget",
    "debt_override",
    "delivery",
    "dialog",
    "event",
    "forward",
    "forwarded",
    "from_ms",
    "group_answer",
    "group_chat",
    "group_member",
    "group_post",
    "guard_stop",
    "hook",
    "hook_event",
    "id_block",
    "idempotency",
    "import_job",
    "import_problem",
    "inbound",
    "join_code",
    "joined",
    "lease",
    "member",
    "member_tag",
    "metadata",
    "notice",
    "parked_receipt",
    "phoned",
    "postcode",
    "proposal",
    "proposal_campaign",
    "proposal_report",
    "proposal_second",
    "proposal_vote",
    "reaction",
    "receipt",
    "reply_text",
    "report_back",
    "route_range",
    "rsvp",
    "sender",
    "spending",
    "suppression",
    "tally",
    "thread",
    "to_ms",
    "trusted_host",
]
