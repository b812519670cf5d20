"""Where people read of ideas, and where a member proposes and seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from router.core.join_links import ideas_token
from router.runtime import Runtime

PROPOSE_DAYS = 7
"""So long a member's own page of ideas works."""


def ideas_link(runtime: Runtime) -> str:
    """The page on which everybody reads them."""
    return f"{runtime.settings.public_url.rstrip('/')}/ideas"


def idea_link(runtime: Runtime, number: int) -> str:
    """The page of one."""
    return f"{ideas_link(runtime)}/{number}"


def propose_link(runtime: Runtime, address_id: int, *, now: datetime) -> str:
    """The page on which the owner of an address proposes, seconds and reports: for them alone, never for a group.

    It names the address and not the member, because one phone counts once.
    """
    token = ideas_token(runtime.key, address_id, now + timedelta(days=PROPOSE_DAYS))
    return f"{runtime.settings.public_url.rstrip('/')}/propose/{token}"
