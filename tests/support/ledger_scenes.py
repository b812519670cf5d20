"""The sizes in which the ledger model is searched, and in which of them the lack of each rule shows.

Faults are in the order of `ledger_state.FAULTS`: crash, expiry, lost answer, refusal, time-out, failure, stop, cancel,
database crash. A number says how often each may happen, at any moment.
"""

from __future__ import annotations

from tests.support.ledger_state import Scene

TWICE = "a member gets one ask twice"
STUCK = "something is stuck"
AFTER_STOP = "a send starts after STOP was answered"
MISCOUNTED = "the budget is not what was spent"

ONE = Scene("one message, all faults", routed=True, faults=(1, 1, 1, 1, 0, 0, 1, 0, 0))
SLOW = Scene("a slow worker", routed=True, faults=(1, 1, 1, 1, 1, 0, 0, 0, 0))
TWO = Scene("two messages in a batch", members=2, routed=True, faults=(1, 1, 0, 0, 0, 0, 0, 0, 0))
COMPETING = Scene("two campaigns, one slot", campaigns=2, cap=1, faults=(0, 0, 0, 0, 0, 0, 0, 1, 0))
SHARED = Scene("two records of one address", members=2, shared=True, faults=(0, 0, 0, 0, 0, 0, 1, 0, 0))
FALLING = Scene("a second channel", hops=2, routed=True, faults=(0, 0, 0, 0, 1, 2, 0, 0, 0))
RESTARTED = Scene("the database dies", routed=True, faults=(0, 1, 0, 0, 0, 0, 0, 1, 1))

SMALL = (ONE, SLOW, TWO, COMPETING, SHARED, FALLING, RESTARTED)
"""What ``make test`` searches."""

LARGE = (
    Scene("one message, everything", routed=True, faults=(2, 1, 1, 1, 1, 1, 1, 1, 0)),
    Scene("two messages, STOP, refusal", members=2, routed=True, faults=(1, 1, 0, 1, 0, 0, 1, 0, 0)),
    Scene("two messages, one at a time", members=2, most=1, routed=True, faults=(1, 1, 1, 0, 1, 0, 0, 1, 0)),
    Scene("two campaigns, two members", members=2, campaigns=2, cap=1, faults=(1, 0, 0, 0, 0, 0, 0, 0, 0)),
    Scene("routing, then a slow worker", campaigns=2, cap=1, faults=(1, 1, 0, 0, 0, 0, 1, 1, 0)),
    Scene("a second channel, everything", hops=2, routed=True, faults=(1, 1, 0, 1, 1, 2, 1, 0, 0)),
)
"""What ``make chaos`` searches as well."""

NEEDED: dict[str, tuple[Scene, str]] = {
    "1 range lock": (COMPETING, "a member has two outcomes of one ask"),
    "2 one claim for each address": (SHARED, TWICE),
    "3 lease is compared": (ONE, AFTER_STOP),
    "4 intent before send": (RESTARTED, TWICE),
    "5 read after a lost answer": (SLOW, STUCK),
    "6 intent looks again": (ONE, AFTER_STOP),
    "7 outcome of my claim": (SLOW, TWICE),
    "7 receipts stay": (SLOW, "an outcome takes the place of a receipt"),
    "8 send window": (ONE, AFTER_STOP),
    "9 takeover never sends": (TWO, TWICE),
    "9 takeover settles": (TWO, STUCK),
    "10 reopen": (TWO, STUCK),
    "11 close with proof": (TWO, STUCK),
    "12 one hop": (FALLING, TWICE),
    "12 unknown never falls back": (FALLING, TWICE),
    "13 early receipts": (TWO, STUCK),
    "14 forward only": (FALLING, TWICE),
    "15 unknown keeps its slot": (SLOW, MISCOUNTED),
    "15 refunded once": (FALLING, MISCOUNTED),
    "16 budget is locked": (COMPETING, "a member is over budget"),
    "18 STOP waits": (ONE, AFTER_STOP),
    "20 durable intent": (RESTARTED, TWICE),
}
"""Rule → a scene in which something goes wrong without it, and what."""

UNSEEN = {
    "18 STOP cancels": "what stays queued is disposed of by the next claim (rule 6), only later",
}
"""Rules whose lack these sizes do not show, and why."""
