"""Why a member got a campaign's message, or did not: what was decided, what came of it, what they had been asked.

model     what the API answers
ledger    read from the tables
answer    put together, and in sentences
"""

from __future__ import annotations

from router.why.answer import explain, why
from router.why.ledger import find_member
from router.why.model import Why

__all__ = ["Why", "explain", "find_member", "why"]
