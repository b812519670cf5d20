"""Two texts of one ask side by side, and those asked beside those held out. It shows; nothing stops or switches by it.

Everybody keeps what the lot gave them on every channel and hop, also where the ask has no second text for them: so the
two halves are alike in all but the words.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.comparing import Difference, Results, Share, difference, judge_hold_out, judge_texts, share
from router.core.errors import BadInput, NotAllowed, NotFound
from router.runtime import Runtime
from router.store.campaigns import CampaignRow, lock_campaign, read_ask
from router.store.months import check_kept
from router.store.tables import ACTED, to_ms

WATCHED = timedelta(days=30)
"""So long after its start an ask is taken to change what people do."""

_REACHED = "('sent', 'delivered', 'read', 'unknown')"
"""A message that reached somebody, or may have."""

_KINDS = f"CASE WHEN a.{ACTED} THEN 'acted' ELSE a.kind END"


class Texts(BaseModel):
    """The two texts of an ask: the first lines of one pair, what came of each, and how much they differ."""

    model_config = ConfigDict(frozen=True)

    lines: tuple[str, str]
    first: Results
    second: Results
    actions: Difference
    """By how much more people acted on the second."""
    opt_outs: Difference
    sentence: str


class HoldOut(BaseModel):
    """Who did anything at all for the movement, clicks and NO left out, in the time of the ask."""

    model_config = ConfigDict(frozen=True)

    until: datetime
    """Actions up to then are counted: for 30 days, or up to now."""
    asked: Share
    """Of those who were to get it, whatever came of the message: so they are like those left out by lot."""
    held_out: Share
    change: Difference
    sentence: str


class Comparison(BaseModel):
    """What can be learnt of one campaign."""

    model_config = ConfigDict(frozen=True)

    campaign: int
    title: str
    texts: Texts | None
    """None where it has one text."""
    hold_out: HoldOut | None
    """None where nobody is held out."""


async def compare(runtime: Runtime, campaign_id: int, *, now: datetime) -> Comparison:
    """Compare what a campaign's ask wants compared. Raises `NotFound`; `NotAllowed` where that is nothing."""
    async with runtime.store.read() as connection:
        campaign = await lock_campaign(connection, campaign_id)
        if campaign is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        ask = await read_ask(connection, campaign_id)
        if not ask.second and not ask.hold_out:
            raise NotAllowed(
                f"campaign {campaign_id} has one text and holds nobody out, so there is nothing to compare; give a new"
                " ask a second text, or hold_out = true"
            )
        await check_kept(connection, campaign)
    # A transaction of its own: the row of the campaign is not held meanwhile, so that it can be paused.
    async with runtime.store.read() as connection:
        return Comparison(
            campaign=campaign_id,
            title=ask.title,
            texts=await _texts(runtime, connection, campaign, ask) if ask.second else None,
            hold_out=await _hold_out(runtime, connection, campaign, now) if ask.hold_out else None,
        )


async def check_hold_out(runtime: Runtime, ask: Ask) -> None:
    """Refuse to hold people out where too few are members for it to say anything. Raises `BadInput`."""
    if not ask.hold_out:
        return
    above = runtime.policy.hold_out.members_above
    async with runtime.store.read() as connection:
        members = await connection.scalar(
            text("SELECT count(*) FROM (SELECT 1 AS one FROM member LIMIT :most) AS counted"), {"most": above + 1}
        )
    if int(members or 0) <= above:
        sentence = (
            f"holding people out says nothing in a movement of {members or 0:,}; it needs more than {above:,}, so take"
            " hold_out out"
        )
        raise BadInput(sentence, place="hold_out")


async def _texts(runtime: Runtime, connection: AsyncConnection, campaign: CampaignRow, ask: Ask) -> Texts:
    policy = runtime.policy.comparison
    which = {"id": campaign.id, "month": campaign.month}
    sent = await connection.execute(
        text(
            "SELECT variant, count(DISTINCT member_id) FROM delivery WHERE month = :month AND campaign_id = :id"
            f" AND status IN {_REACHED} GROUP BY variant"
        ),
        which,
    )
    did = await connection.execute(
        text(
            f"SELECT d.variant, {_KINDS}, count(DISTINCT a.member_id) FROM action a JOIN delivery d"
            " ON d.month = :month AND d.member_id = a.member_id AND d.campaign_id = a.campaign_id"
            f" WHERE a.campaign_id = :id AND d.status IN {_REACHED} GROUP BY 1, 2"
        ),
        which,
    )
    silenced = await connection.execute(
        text("SELECT variant, CAST(sum(count) AS bigint) FROM reaction WHERE campaign_id = :id GROUP BY variant"),
        which,
    )
    reached: dict[int, int] = dict(map(tuple, sent))
    counts: dict[tuple[int, str], int] = {(variant, kind): count for variant, kind, count in did}
    counts |= {(variant, "silenced"): count for variant, count in silenced}

    def results(variant: int) -> Results:
        acted, clicked, declined, opted_out = (
            share(counts.get((variant, kind), 0), reached.get(variant, 0), policy.confidence)
            for kind in ("acted", "click", "no", "silenced")
        )
        return Results(acted, clicked, declined, opted_out)

    first, second = results(0), results(1)
    return Texts(
        lines=_first_lines(ask),
        first=first,
        second=second,
        actions=difference(first.acted, second.acted),
        opt_outs=difference(first.opted_out, second.opted_out),
        sentence=judge_texts(first, second, policy),
    )


async def _hold_out(runtime: Runtime, connection: AsyncConnection, campaign: CampaignRow, now: datetime) -> HoldOut:
    policy = runtime.policy.comparison
    began = campaign.starts_at or now
    until = min(now, began + WATCHED)
    rows = "d.month = :month AND d.campaign_id = :id AND (d.status <> 'held' OR d.reason IN ('held_out', 'outranked'))"
    lot = "CASE WHEN d.reason = 'held_out' THEN 1 ELSE 0 END"
    which = {"id": campaign.id, "month": campaign.month}
    people = await connection.execute(
        text(
            f"SELECT {lot}, count(DISTINCT d.member_id) FROM delivery d JOIN member m ON m.id = d.member_id"
            f" WHERE {rows} AND m.kind = 'person' GROUP BY 1"
        ),
        which,
    )
    acted = await connection.execute(
        text(
            f"SELECT {lot}, count(DISTINCT d.member_id) FROM delivery d JOIN member m ON m.id = d.member_id"
            " JOIN action a ON a.member_id = d.member_id AND a.at >= :began AND a.at <= :until"
            f" AND a.{ACTED} WHERE {rows} AND m.kind = 'person' GROUP BY 1"
        ),
        {**which, "began": to_ms(began), "until": to_ms(until)},
    )
    of: dict[int, int] = dict(map(tuple, people))
    did: dict[int, int] = dict(map(tuple, acted))
    asked, held_out = (share(did.get(side, 0), of.get(side, 0), policy.confidence) for side in (0, 1))
    return HoldOut(
        until=until,
        asked=asked,
        held_out=held_out,
        change=difference(held_out, asked),
        sentence=judge_hold_out(asked, held_out, policy),
    )


def _first_lines(ask: Ask) -> tuple[str, str]:
    """The first lines of the first pair of texts that are compared."""
    place, locale, channel, second = next(one for one in ask.every_text() if one[0].startswith("second."))
    found = ask.words(locale, channel)
    assert found is not None, f"{place} was checked to have a first text when it was saved"
    return _line(found[1].text), _line(second.text)


def _line(words: str) -> str:
    return words.strip().partition("\n")[0]
