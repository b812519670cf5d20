"""Links by which a member joins a channel that they alone can open: notifications in a browser, a chat with a bot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text

from router.core.errors import NotFound
from router.core.join_links import join_token
from router.runtime import Runtime
from router.settings import channel_settings


async def join_links(
    runtime: Runtime, member_id: int, *, days: int, now: datetime, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """channel → this member's link, good for so many `days`; only channels that are set up. Raises `NotFound`.

    Whoever has the link can have an address of their own written to in the member's name: it goes to the member only.
    """
    async with runtime.store.read() as connection:
        there = await connection.scalar(
            text("SELECT 1 FROM member WHERE id = :id AND erased_at IS NULL AND kind = 'person'"), {"id": member_id}
        )
    if there is None:
        raise NotFound(f"there is no member {member_id}")
    return links_of(runtime, member_id, days=days, now=now, environment=environment)


def links_of(
    runtime: Runtime, member_id: int, *, days: int = 7, now: datetime, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The same for a member that is known to be there."""
    token = join_token(runtime.key, member_id, now + timedelta(days=days))
    links = {}
    if "webpush" in runtime.channels:
        links["webpush"] = f"{runtime.settings.public_url.rstrip('/')}/push/{token}"
    for account in runtime.channels.get("telegram", {}):
        found = channel_settings(runtime.specs["telegram"], environment, account=account)
        if bot := found.get("username", "").strip().removeprefix("@"):
            # https://core.telegram.org/bots/features#deep-linking
            links.setdefault("telegram", f"https://t.me/{bot}?start={token}")
    return links
