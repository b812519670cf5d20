"""Whom an audience would reach: how many, and a few people of whom each is told why they are in it or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, and_, not_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import count_recipients
from router.core.ask import Ask
from router.core.audience import And, Filter, Not, Or
from router.core.audience_words import say_audience
from router.core.errors import NotFound
from router.core.explaining import OBJECTIONS, verdict_sentence
from router.core.model import Member, Reason
from router.core.purse import NOTHING, decode
from router.core.routing import Deliver, route
from router.core.trace import read_trace
from router.launch import expiry_of
from router.plans import asked_groups, house_of, owed_by, plan_of, thread_of
from router.runtime import Runtime
from router.store.audience import compile_audience, service_scope
from router.store.debts import who_is_owed
from router.store.people import who_said_yes
from router.store.profiles import read_whole_person
from router.store.tables import member

EXAMPLES, OUTSIDE = 5, 2
"""So many examples, and so many of them of whom it does not reach; more or fewer where there are not enough."""
_WINDOW, _MOST_WINDOWS = 5_000, 20
"""Examples are looked for among so many members at a time, and in no more windows than this."""
_MOST_TAGS = 200


class Example(BaseModel):
    """One member as somebody who writes an audience may see them: no address."""

    model_config = ConfigDict(frozen=True)

    member: int
    name: str
    """First name, and the initial of the last."""
    place: str
    is_in: bool
    because: list[str]
    """What lets them in, or keeps them out."""
    can_be_reached: bool
    """Whether the ask could leave to them, as things stand now."""
    how: list[str]
    """By which channel, or why not."""


class Whom(BaseModel):
    """An audience as it is now."""

    model_config = ConfigDict(frozen=True)

    people: int
    """Members, and groups where it is posted in their chats; whether they can be reached or not."""
    words: str
    examples: list[Example]


async def look_at(
    runtime: Runtime, ask: Ask, *, campaign_id: int, seen: ColumnElement[bool], asked: int | None, now: datetime
) -> Whom:
    """Count the audience of an ask and show examples, `asked` first. `seen` says whose examples may be shown.

    Raises `NotFound` where `asked` is none of these.
    """
    async with runtime.store.read() as connection:
        people = await count_recipients(runtime, connection, ask)
        wanted = await _members(runtime, connection, ask, seen, asked)
        looker = _Looker(runtime, ask, campaign_id, now)
        examples = await looker.look(connection, wanted)
    return Whom(people=people, words=say_audience(service_scope(ask)), examples=examples)


async def known_tags(runtime: Runtime) -> list[str]:
    """The tags that there are, the first `_MOST_TAGS`: one look into the index for each."""
    query = text(
        "WITH RECURSIVE known(tag) AS (SELECT min(tag) FROM member_tag UNION ALL"
        " SELECT (SELECT min(tag) FROM member_tag WHERE tag > known.tag) FROM known WHERE known.tag IS NOT NULL)"
        " SELECT tag FROM known WHERE tag IS NOT NULL LIMIT :most"
    )
    async with runtime.store.read() as connection:
        return list((await connection.execute(query, {"most": _MOST_TAGS})).scalars())


async def _members(
    runtime: Runtime, connection: AsyncConnection, ask: Ask, seen: ColumnElement[bool], asked: int | None
) -> list[int]:
    living = and_(member.c.kind == "person", member.c.erased_at.is_(None), seen)
    mine: list[int] = []
    if asked is not None:
        if await connection.scalar(select(member.c.id).where(member.c.id == asked, living)) is None:
            raise NotFound(f"there is no member {asked}")
        mine.append(asked)
    audience = compile_audience(service_scope(ask), dialect=runtime.store.dialect)
    inside = await _some(connection, and_(living, audience), EXAMPLES)
    outside = await _some(connection, and_(living, not_(audience)), EXAMPLES)
    shown_outside = max(OUTSIDE, EXAMPLES - len(inside))
    mine += [*inside[: EXAMPLES - min(shown_outside, len(outside))], *outside[:shown_outside]]
    return list(dict.fromkeys(mine))


async def _some(connection: AsyncConnection, where: ColumnElement[bool], many: int) -> list[int]:
    """The first members that `where` lets in; fewer where there are none among the first."""
    found: list[int] = []
    last = -1
    for _ in range(_MOST_WINDOWS):
        ahead = select(member.c.id).where(member.c.id > last).order_by(member.c.id)
        end = await connection.scalar(ahead.offset(_WINDOW - 1).limit(1))
        query = select(member.c.id).where(member.c.id > last, where).order_by(member.c.id).limit(many - len(found))
        found += (await connection.scalars(query if end is None else query.where(member.c.id <= end))).all()
        if len(found) == many or end is None:
            break
        last = end
    return found


class _Looker:
    """Asks of single members what a launch would ask of them."""

    def __init__(self, runtime: Runtime, ask: Ask, campaign_id: int, now: datetime) -> None:
        self._runtime, self._ask, self._campaign_id, self._now = runtime, ask, campaign_id, now
        self._audience = service_scope(ask)

    async def look(self, connection: AsyncConnection, ids: Sequence[int]) -> list[Example]:
        """The examples, in the order of `ids`."""
        parts = _parts(self._audience)
        dialect = self._runtime.store.dialect
        columns = [compile_audience(part, dialect=dialect).label(f"part{place}") for place, part in enumerate(parts)]
        inside = compile_audience(self._audience, dialect=dialect).label("inside")
        rows = await connection.execute(select(member.c.id, inside, *columns).where(member.c.id.in_(ids)))
        judged = {row[0]: (bool(row[1]), list(map(bool, row[2:]))) for row in rows}
        people = await self._read(connection, [number for number in ids if number in judged])
        owed = await owed_by(connection, self._ask, self._campaign_id, now=self._now)
        waiting = await who_is_owed(connection, list(people), owed) if owed and people else set()
        outcomes = await self._route(connection, people)
        found = []
        for number, person in people.items():
            is_in, fits = judged[number]
            reached, how = outcomes[number]
            if number in waiting:
                reached, how = False, [_sentence(OBJECTIONS[Reason.REPORT_OWED])]
            found.append(
                Example(
                    member=number, name=f"{person.first_name} {person.last_name[:1]}".strip(), place=person.place,
                    is_in=is_in, because=_because(parts, fits, is_in), can_be_reached=reached, how=how,
                )
            )  # fmt: skip
        return found

    async def _read(self, connection: AsyncConnection, ids: Sequence[int]) -> dict[int, Member]:
        found = {}
        for number in ids:
            person = await read_whole_person(connection, number)
            if person is None:
                continue
            slots = await connection.scalar(
                text("SELECT slots FROM contact_budget WHERE holder = :holder"),
                {"holder": person.household_id or person.id},
            )
            found[number] = replace(person, purse=decode(slots or NOTHING))
        return found

    async def _route(
        self, connection: AsyncConnection, people: Mapping[int, Member]
    ) -> dict[int, tuple[bool, list[str]]]:
        """member → whether the ask could leave to them, and how or why not."""
        runtime, ask, now = self._runtime, self._ask, self._now
        starts_at = max(now, ask.starts_at or now)
        thread = await thread_of(connection, ask)
        plan = plan_of(
            runtime, ask, self._campaign_id, earliest=starts_at, expires_at=expiry_of(runtime, ask, starts_at),
            thread=thread,
        )  # fmt: skip
        if thread is not None:
            yes = await who_said_yes(connection, list(people), thread.campaign)
            people = {number: replace(person, said_yes=number in yes) for number, person in people.items()}
        if (groups := asked_groups(runtime, ask, plan)) is not None:
            people = await groups.tell(connection, people, now=now)
        found = {}
        for number, person in people.items():
            verdict = route(person, plan, house_of(runtime), now=now)
            how = [verdict_sentence(one) for one in read_trace(verdict.trace).verdicts]
            if not isinstance(verdict, Deliver) and not how:
                how = [_sentence(OBJECTIONS[verdict.reason])]
            found[number] = isinstance(verdict, Deliver), how
        return found


def _parts(audience: Filter) -> list[Filter]:
    """What an audience is made of, as its author put it side by side."""
    if isinstance(audience, And):
        return [inner for part in audience.of for inner in (_parts(part) if isinstance(part, And) else [part])]
    return list(audience.of) if isinstance(audience, Or) else [audience]


def _because(parts: Sequence[Filter], fits: Sequence[bool], is_in: bool) -> list[str]:
    """The parts that let a member in, or those that keep them out."""
    return [_belongs(part, fit) for part, fit in zip(parts, fits, strict=True) if fit == is_in]


def _belongs(part: Filter, fit: bool) -> str:
    if isinstance(part, Not):
        return _belongs(part.of, not fit)
    return f"{'one' if fit else 'none'} of the {say_audience(part).removeprefix('all ')}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
