"""The commands of ``outreach``, one module for each subject. Importing this enters them all.

group       the command itself, and what all commands need
processes   migrate, serve, web, worker
people      import, join                    campaigns   blast, approve … cancel, status
keys        keys (dns: what to publish, envfile: where secrets are kept)
join_codes  join-code add, list, show, close
tokens      token                           check       check
groups      group add, group list           demo        demo, sandbox
why         why                             simulate    simulate
calls       calls                           inbox       inbox show, claim, answer, done …
report_backs  report-back, owed, override, afterwards
events      events list, approve …, places
comparison  compare                         crm         webhook add, list, events, replay, close
"""

from __future__ import annotations

from router.cli import (
    calls,
    campaigns,
    check,
    comparison,
    crm,
    demo,
    events,
    groups,
    inbox,
    join_codes,
    keys,
    people,
    processes,
    report_backs,
    simulate,
    tokens,
    why,
)
from router.cli.group import err, outreach

__all__ = [
    "calls",
    "campaigns",
    "check",
    "comparison",
    "crm",
    "demo",
    "err",
    "events",
    "groups",
    "inbox",
    "join_codes",
    "keys",
    "outreach",
    "people",
    "processes",
    "report_backs",
    "simulate",
    "tokens",
    "why",
]
