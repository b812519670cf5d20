"""The next rung for somebody, and for everybody who acted on an ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.audience import MAX_IDS, Acted, And, Filter, Members, Not, Or
from router.core.errors import NotFound
from router.core.ladder import Done, Rung, next_rung
from router.core.phrases import say
from router.runtime import Runtime
from router.store.bulk import in_numbers, numbers
from router.store.running import read_known_ask
from router.store.tables import ACTED, from_ms, to_ms

WELL_RATED = 4
"""From this rating on (1 to 5) somebody liked it; `config/ladder.toml` has the same number."""

_MOST_IDS = 1_000
"""Members in one part of an audience (`core.audience.Members`)."""


class NextGroup(BaseModel):
    """People of one ask who have the same next rung."""

    model_config = ConfigDict(frozen=True)

    did: str
    """The largest thing that they did: a kind of action."""
    well_rated: bool
    """Whether these are the ones who rated it 4 or 5."""
    people: int
    rung: Rung | None
    """What to invite them to next; null where they are best left in peace for now."""
    ask: dict[str, Any]
    """The beginning of that ask, ready to be completed: `wants`, `follows` and the `audience`."""


class NextSteps(BaseModel):
    """How many to invite to what next, the largest deed first."""

    model_config = ConfigDict(frozen=True)

    campaign_id: int
    people: int
    """Members who acted on it."""
    groups: list[NextGroup]


def next_step_words(
    runtime: Runtime,
    locale: str,
    done: Collection[Done],
    *,
    now: datetime,
    asked: Mapping[Rung, datetime] | None = None,
) -> str:
    """One sentence that may close a thank-you; "" where there is nothing to ask for now."""
    rung = next_rung(done, now=now, asked=asked, ladder=runtime.ladder)
    return "" if rung is None else say(f"ladder.{rung.value}", locale)


async def done_by(runtime: Runtime, connection: AsyncConnection, member_id: int, *, now: datetime) -> list[Done]:
    """What a member did, each kind of thing the last time that they did it, with what they thought of it."""
    rows = await connection.execute(
        text(
            "SELECT kind, max(at) AS at FROM action WHERE member_id = :member AND at > :since"
            f" AND {ACTED} GROUP BY kind"
        ),
        {"member": member_id, "since": to_ms(now - runtime.ladder.memory)},
    )
    last = {row.kind: from_ms(row.at) for row in rows}
    rating = await connection.scalar(
        text(
            "SELECT rating FROM rsvp WHERE member_id = :member AND status = 'came' AND rating IS NOT NULL"
            " ORDER BY changed_at DESC LIMIT 1"
        ),
        {"member": member_id},
    )
    return [Done(kind, at, int(rating or 0) if kind == Rung.ATTEND.done else 0) for kind, at in sorted(last.items())]


async def asked_of(
    runtime: Runtime, connection: AsyncConnection, member_id: int, *, now: datetime
) -> dict[Rung, datetime]:
    """What a member was asked to do in this month and the last, and when."""
    month = now.year * 12 + now.month - 1
    months = [(month - back) // 12 * 100 + (month - back) % 12 + 1 for back in range(2)]
    rows = await connection.execute(
        text(
            "SELECT d.campaign_id, c.text_version, max(d.sent_at) AS at FROM delivery d"
            f" JOIN campaign c ON c.id = d.campaign_id WHERE d.month {in_numbers(connection, 'months')}"
            " AND d.member_id = :member AND c.kind = 'ask' AND d.sent_at IS NOT NULL"
            " GROUP BY d.campaign_id, c.text_version"
        ),
        {"months": numbers(connection, months), "member": member_id},
    )
    asked: dict[Rung, datetime] = {}
    for row in rows.all():
        ask = await read_known_ask(runtime.store, connection, row.campaign_id, row.text_version)
        asked[ask.wants] = max(from_ms(row.at), asked.get(ask.wants, from_ms(0)))
    return asked


async def words_for(
    runtime: Runtime, connection: AsyncConnection, member_id: int, locale: str, *, now: datetime
) -> str:
    """`next_step_words` for one member, by all that the ledger knows of them."""
    done = await done_by(runtime, connection, member_id, now=now)
    asked = await asked_of(runtime, connection, member_id, now=now)
    return next_step_words(runtime, locale, done, now=now, asked=asked)


async def next_steps(runtime: Runtime, campaign_id: int, *, now: datetime) -> NextSteps:
    """How many of those who acted on a campaign to invite to what next. Raises `NotFound`.

    Everybody counts once, with the largest thing that they did on it. What they did elsewhere, and the contact budget,
    are looked at when the ask is routed.
    """
    async with runtime.store.read() as connection:
        if await connection.scalar(text("SELECT 1 FROM campaign WHERE id = :id"), {"id": campaign_id}) is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        pleased = await _pleased(connection, campaign_id)
        kinds = await connection.scalars(
            text(f"SELECT DISTINCT kind FROM action WHERE campaign_id = :id AND {ACTED}"),
            {"id": campaign_id},
        )
        there = sorted(kinds)
        known = [step.after for step in runtime.ladder.steps if step.after and not step.rated]
        order = [kind for kind in dict.fromkeys([*known, *there]) if kind in there]
        counts = await _count(connection, campaign_id, order, pleased) if order else {}
    groups = []
    if pleased:
        came, named = Rung.ATTEND.done, _named(pleased)
        groups.append(_group(runtime, campaign_id, came, len(pleased), named, rated=WELL_RATED, now=now))
    for place, kind in enumerate(order):
        if people := counts.get(place, 0):
            audience = _only(campaign_id, kind, order[:place], pleased)
            groups.append(_group(runtime, campaign_id, kind, people, audience, rated=0, now=now))
    return NextSteps(campaign_id=campaign_id, people=sum(group.people for group in groups), groups=groups)


async def _pleased(connection: AsyncConnection, campaign_id: int) -> list[int]:
    """Who came and rated it well; so many as an audience can name."""
    rows = await connection.execute(
        text(
            "SELECT DISTINCT r.member_id FROM rsvp r JOIN event e ON e.id = r.event_id"
            " JOIN action a ON a.campaign_id = e.campaign_id AND a.member_id = r.member_id AND a.kind = 'came'"
            " JOIN member m ON m.id = r.member_id WHERE e.campaign_id = :id AND r.status = 'came'"
            " AND r.rating >= :well AND m.kind = 'person' AND m.erased_at IS NULL ORDER BY r.member_id LIMIT :most"
        ),
        {"id": campaign_id, "well": WELL_RATED, "most": MAX_IDS},
    )
    return list(rows.scalars())


async def _count(
    connection: AsyncConnection, campaign_id: int, order: Sequence[str], without: Sequence[int]
) -> dict[int, int]:
    """Place in `order` → how many did that on the campaign, and nothing that stands before it."""
    cases = " ".join(f"WHEN :kind{place} THEN {place}" for place in range(len(order)))
    rows = await connection.execute(
        text(
            f"SELECT best, count(*) AS n FROM (SELECT a.member_id, min(CASE a.kind {cases} END) AS best FROM action a"
            f" JOIN member m ON m.id = a.member_id WHERE a.campaign_id = :id AND a.{ACTED}"
            f" AND m.kind = 'person' AND m.erased_at IS NULL AND NOT a.member_id {in_numbers(connection, 'without')}"
            " GROUP BY a.member_id) AS largest GROUP BY best"
        ),
        {
            "id": campaign_id, "without": numbers(connection, without),
            **{f"kind{place}": kind for place, kind in enumerate(order)},
        },
    )  # fmt: skip
    return {row.best: row.n for row in rows}


def _group(
    runtime: Runtime, campaign_id: int, kind: str, people: int, audience: Filter, *, rated: int, now: datetime
) -> NextGroup:
    rung = next_rung([Done(kind, now, rated)], now=now, ladder=runtime.ladder)
    ask: dict[str, Any] = {"follows": campaign_id, "audience": audience.model_dump(mode="json", exclude_none=True)}
    if rung is not None:
        ask["wants"] = rung.value
    return NextGroup(did=kind, well_rated=bool(rated), people=people, rung=rung, ask=ask)


def _only(campaign_id: int, kind: str, above: Sequence[str], without: Sequence[int]) -> Filter:
    """Who did this on the campaign and nothing larger, but for some people."""
    parts: list[Filter] = [Acted(op="acted", campaign=campaign_id, kind=kind)]
    if above:
        larger = Or(op="or", of=[Acted(op="acted", campaign=campaign_id, kind=one) for one in above])
        parts.append(Not(op="not", of=larger))
    if without:
        parts.append(Not(op="not", of=_named(without)))
    return parts[0] if len(parts) == 1 else And(op="and", of=parts)


def _named(members: Sequence[int]) -> Filter:
    """These members, one by one."""
    parts = [
        Members(op="members", ids=list(members[start : start + _MOST_IDS]))
        for start in range(0, len(members), _MOST_IDS)
    ]
    return parts[0] if len(parts) == 1 else Or(op="or", of=list(parts))
