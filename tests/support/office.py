"""Organizers for tests: somebody in a role, signed in, with what their browser would send."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from router.core.audience import Filter
from router.core.roles import Role
from router.office.invitations import accept, invite
from router.office.organizers import Organizer
from router.office.sessions import read_session, sign_in
from router.runtime import Runtime

PASSWORD = "four words in a row"


class Entered(NamedTuple):
    """Somebody who is signed in."""

    organizer: Organizer
    token: str
    csrf: str
    headers: dict[str, str]
    """What their browser sends along: the cookie."""


async def come_in(
    runtime: Runtime, role: Role = Role.ADMIN, *, name: str = "", audience: Filter | None = None, now: datetime
) -> Entered:
    """Invite somebody, let them accept and sign in."""
    link = await invite(runtime, role=role, audience=audience, by="tests", now=now)
    who = await accept(runtime, link, name=name or f"Ada {role.value}", password=PASSWORD, now=now)
    assert who is not None
    return await entered(runtime, who, now=now)


async def entered(runtime: Runtime, who: Organizer, *, now: datetime) -> Entered:
    """The same for somebody who is there."""
    token = await sign_in(runtime, who, agent="tests", now=now)
    session = await read_session(runtime, token, now=now)
    assert session is not None
    name = "__Host-outreach" if runtime.settings.public_url.startswith("https://") else "outreach"
    return Entered(who, token, session.csrf, {"Cookie": f"{name}={token}"})
