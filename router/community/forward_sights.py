"""What is seen of an ask that was passed on: by whoever follows the link, and by the member whose link it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from router.community.forwarding import Passed, forward_link
from router.community.giving import read_total
from router.core.ask import ANY_CHANNEL, Ask
from router.core.errors import NotFound
from router.core.forward_links import forward_token
from router.core.giving import with_ref
from router.core.ladder import Rung
from router.core.model import CampaignStatus, DeliveryRef, Member
from router.letters import renderer_of
from router.runtime import Runtime
from router.store.tables import ACTED, to_ms

_FORMS = (Rung.SIGN, Rung.GIVE)
"""What is done in a form that the ask leads to: its page is told by whose link somebody came, and may tell us."""

_MOST_SHOWN = 100
"""Asks on a member's page."""


class AskSight(NamedTuple):
    """An ask as somebody sees it who was not asked."""

    title: str
    words: str
    locale: str
    """The one of `words`."""
    link: str
    """Where it leads; "" where there is nowhere to go without being a member."""
    is_over: bool
    was_cancelled: bool


class Brought(BaseModel):
    """What came of one member's link to one ask."""

    model_config = ConfigDict(frozen=True)

    campaign_id: int
    title: str
    link: str
    """To pass on."""
    opened: int
    """How often it was followed, as far as it can be told that a person did."""
    joined: int
    """People who became members by it."""
    acted: int
    """People who did what it asks."""
    is_over: bool


async def see_ask(runtime: Runtime, passed: Passed, locale: str, *, now: datetime) -> AskSight:
    """An ask in somebody's language, addressed to nobody."""
    ask = passed.ask
    channel = passed.channel if ask.words(locale, ANY_CHANNEL) is None else ANY_CHANNEL
    plain = replace(
        next(iter(runtime.specs.values())),
        name=channel, counts_segments=False, subject=False, html=False, media=False, templates=False, buttons=0,
    )  # fmt: skip
    link = _public_link(runtime, passed)
    renderer = renderer_of(runtime, ask)
    if renderer.shows_total and (total := await read_total(runtime, passed.campaign_id, locale, now=now)):
        renderer.reached = total.progress.reached
    rendered = renderer.render(
        Member(id=0, locale=locale), channel, plain, link=link, unsubscribe_url="", variant=passed.variant,
        forward=forward_link(runtime, passed.ref),
    )  # fmt: skip
    return AskSight(
        title=ask.title,
        words=rendered.text.strip(),
        locale=rendered.locale,
        link=link,
        is_over=passed.is_over(now),
        was_cancelled=passed.status is CampaignStatus.CANCELLED,
    )


async def what_they_brought(runtime: Runtime, member_id: int, *, now: datetime, also: int = 0) -> list[Brought]:
    """What came of each link of a member that was followed, the newest ask first, and of the ask `also`.

    It names nobody and compares them with nobody. Raises `NotFound` where there is no such member.
    """
    async with runtime.store.read() as connection:
        there = await connection.scalar(
            text("SELECT 1 FROM member WHERE id = :id AND erased_at IS NULL AND kind = 'person'"), {"id": member_id}
        )
        if there is None:
            raise NotFound(f"there is no member {member_id}")
        rows = await connection.execute(
            text(
                "SELECT c.id, c.title, c.month, c.status, c.expires_at, coalesce(f.opened, 0) AS opened,"
                " (SELECT min(d.id) FROM delivery d WHERE d.month = c.month AND d.member_id = :member"
                " AND d.campaign_id = c.id) AS delivery,"
                " (SELECT count(joined) FROM forwarded w WHERE w.campaign_id = c.id AND w.member_id = :member)"
                " AS joined,"
                # Newcomers may do it by reply, at an event, in a group: their deeds say so.
                " (SELECT count(*) FROM forwarded w WHERE w.campaign_id = c.id AND w.member_id = :member"
                " AND (w.acted IS NOT NULL OR (w.joined IS NOT NULL AND EXISTS (SELECT 1 FROM action a"
                f" WHERE a.campaign_id = c.id AND a.member_id = w.brought_id AND a.{ACTED})))) AS acted"
                " FROM campaign c LEFT JOIN forward f ON f.campaign_id = c.id AND f.member_id = :member"
                " WHERE c.id IN (SELECT campaign_id FROM forward WHERE member_id = :member"
                " UNION SELECT campaign_id FROM forwarded WHERE member_id = :member) OR c.id = :also"
                " ORDER BY c.id DESC LIMIT :most"
            ),
            {"member": member_id, "also": also, "most": _MOST_SHOWN},
        )
        return [
            Brought(
                campaign_id=row.id,
                title=row.title,
                link=forward_link(runtime, DeliveryRef(row.month, row.delivery)),
                opened=row.opened,
                joined=row.joined,
                acted=row.acted,
                is_over=row.status == "cancelled" or (row.expires_at is not None and row.expires_at <= to_ms(now)),
            )
            for row in rows
            if row.delivery is not None
        ]


def _public_link(runtime: Runtime, passed: Passed) -> str:
    """Where an ask leads, for somebody without a link of their own; the page of a form is told by whom they came."""
    ask: Ask = passed.ask
    if ask.link.rstrip("/") == f"{runtime.settings.public_url.rstrip('/')}/host":
        return ""
    if ask.link and ask.wants in _FORMS:
        return with_ref(ask.link, forward_token(runtime.key, passed.ref), "via")
    return ask.link
