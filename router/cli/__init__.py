"""The commands of ``outreach``, one module for each subject. Importing this enters them all.

group       the command itself, and what all commands need
processes   migrate, serve, web, worker
people      import, join                    campaigns   blast, approve … cancel, status
keys        keys (dns: what to publish, envfile: where secrets are kept)
tokens      token                           check       check
groups      group add, group list           demo        demo, sandbox
why         why                             simulate    simulate
comparison  compare
"""

from __future__ import annotations

from router.cli import campaigns, check, comparison, demo, groups, keys, people, processes, simulate, tokens, why
from router.cli.group import err, outreach

__all__ = [
    "campaigns",
    "check",
    "comparison",
    "demo",
    "err",
    "groups",
    "keys",
    "outreach",
    "people",
    "processes",
    "simulate",
    "tokens",
    "why",
]
