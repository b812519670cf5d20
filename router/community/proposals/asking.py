"""The ask that an idea becomes: in which words, and to whom."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.pages_links import idea_link
from router.core.ask import Ask
from router.core.audience import (
    Acted,
    And,
    Everyone,
    Filter,
    HasChannel,
    InGroup,
    InPlace,
    Members,
    Not,
    Or,
    Received,
)
from router.core.content_render import clean
from router.core.lot import draw
from router.core.phrases import LANGUAGES
from router.core.proposal_stages import Stage
from router.core.proposal_words import texts_of, title_of
from router.runtime import Runtime
from router.store.audience import compile_audience
from router.store.tables import member, proposal_campaign, proposal_second

PRIORITY = -1
"""Of two asks that compete for somebody's attention, the one of organizers, who answer for it, goes first."""

_PRIME: Final = 2**31 - 1
"""The lot orders members by (a · number + b) modulo this prime, so a draw is one look at the region's members."""

_AT_ONCE = 1_000
"""Members that one part of an audience names."""

_MOST = 10 * _AT_ONCE

_NOBODY: Final = Not(op="not", of=Everyone())


async def ask_of(runtime: Runtime, connection: AsyncConnection, about: Row[Any], stage: Stage) -> Ask:
    """The ask of this stage, not checked yet."""
    place = clean(about.place, 60)
    phrase = "ask_group" if stage is Stage.GROUP else "ask_place" if place else "ask"
    values = {
        "organization": runtime.settings.organization, "text": clean(about.text, 1_000), "place": place,
        "number": about.number, "link": idea_link(runtime, about.number),
    }  # fmt: skip
    language = about.locale.partition("-")[0].lower()
    return Ask(
        title=title_of(about.number, about.text),
        texts=texts_of(f"ideas.{phrase}", values),
        default_locale=language if language in LANGUAGES else LANGUAGES[0],
        priority=PRIORITY,
        audience=await _audience(runtime, connection, about, stage),
        groups=[f"group:{about.group_id}"] if stage is Stage.GROUP else [],
    )


def region_of(about: Row[Any]) -> InPlace | None:
    """Where an idea's neighbours are; None where nobody knows."""
    country = about.country if re.fullmatch("[A-Z]{2}", about.country) else None
    place = clean(about.place, 200).strip() or None
    return InPlace(op="place", country=country, place=place) if country or place else None


async def _audience(runtime: Runtime, connection: AsyncConnection, about: Row[Any], stage: Stage) -> Filter:
    """Whom this stage asks: not who proposed it, and nobody who was asked by an earlier one."""
    earlier = (
        await connection.execute(
            select(proposal_campaign.c.campaign_id)
            .where(proposal_campaign.c.proposal_id == about.id)
            .order_by(proposal_campaign.c.campaign_id)
        )
    ).scalars()
    fresh: list[Filter] = [Not(op="not", of=Members(op="members", ids=[about.member_id]))]
    fresh += [_not_asked_by(campaign_id) for campaign_id in earlier]
    match stage:
        case Stage.GROUP:
            return _all_of(InGroup(op="in_group", group=about.group_id), *fresh)
        case Stage.TEST:
            return await _by_lot(runtime, connection, about, _all_of(region_of(about) or Everyone(), *fresh))
        case Stage.REGION:
            return _all_of(region_of(about) or Everyone(), *fresh)
        case _:
            return _all_of(*fresh)


def _not_asked_by(campaign_id: int) -> Filter:
    """Whom an ask neither reached nor had an answer from, be it in a group."""
    answered: list[Filter] = [Acted(op="acted", campaign=campaign_id, kind=kind) for kind in ("yes", "no")]
    return Not(op="not", of=Or(op="or", of=[Received(op="received", campaign=campaign_id), *answered]))


def _all_of(*parts: Filter) -> Filter:
    return And(op="and", of=list(parts))


async def _by_lot(runtime: Runtime, connection: AsyncConnection, about: Row[Any], among: Filter) -> Filter:
    """So many of these people, whom we may write to and whose mind is not known yet, each as likely as the other."""
    a, b = (draw(runtime.key, "idea", about.id, name) for name in ("a", "b"))
    reachable: list[Filter] = [HasChannel(op="has_channel", channel=name) for name in sorted(runtime.channels)]
    if not reachable:
        return _NOBODY
    seconded = exists().where(
        proposal_second.c.proposal_id == about.id,
        proposal_second.c.about == "idea",
        proposal_second.c.member_id == member.c.id,
    )
    turn = (member.c.id % _PRIME * (1 + int(a * (_PRIME - 1))) + int(b * _PRIME)) % _PRIME
    drawn = (
        await connection.execute(
            select(member.c.id)
            .where(
                compile_audience(_all_of(among, Or(op="or", of=reachable)), dialect=runtime.store.dialect),
                ~seconded,
            )
            .order_by(turn, member.c.id)
            .limit(min(runtime.policy.proposals.test_members, _MOST))
        )
    ).scalars()
    ids = sorted(drawn)
    some: list[Filter] = [Members(op="members", ids=ids[at : at + _AT_ONCE]) for at in range(0, len(ids), _AT_ONCE)]
    return Or(op="or", of=some) if len(some) > 1 else some[0] if some else _NOBODY
