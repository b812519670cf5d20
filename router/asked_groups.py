"""The groups in whose chats an ask is posted: who of our members is in them, and when they hear of it there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import DeliveryStatus, Member
from router.core.purse_patterns import of_pattern
from router.core.routing import Deliver, House, Plan, route
from router.core.waterfall import LIVE
from router.store.bulk import in_numbers, numbers
from router.store.campaigns import CampaignRow
from router.store.people import read_members_by_id
from router.store.profiles import read_slots
from router.store.tables import from_ms, group_member, member, to_ms


@dataclass(frozen=True, slots=True)
class AskedGroups:
    """The groups of one ask, made ready with it.

    What is decided about a group is kept as long as the ask's plan is: `router.plans.Route` is made anew whenever its
    campaign changes.
    """

    where: ColumnElement[bool]
    """Which rows of `tables.member` they are (`store.audience.groups_of`)."""
    plan: Plan
    house: House
    campaign: CampaignRow | None = None
    """None where the ask has not been launched."""
    _known: dict[int, int | None] = field(default_factory=dict)

    async def asked_at(
        self, connection: AsyncConnection, members: Iterable[int], *, now: datetime
    ) -> Mapping[int, int]:
        """member → when the first group of theirs is asked, in ms; who is in none of these groups is left out.

        A group that put us out, or that is not asked for whatever reason, counts for nobody.
        """
        links = await self._links(connection, members)
        await self._decide(connection, {group for _, group in links} - self._known.keys(), now)
        found: dict[int, int] = {}
        for person, group in links:
            at = self._known.get(group)
            if at is not None:
                found[person] = min(at, found.get(person, at))
        return found

    async def tell(
        self, connection: AsyncConnection, people: Mapping[int, Member], *, now: datetime
    ) -> Mapping[int, Member]:
        """These members, each with the moment when a group of theirs is asked."""
        asked_at = await self.asked_at(connection, people, now=now)
        told = {number: replace(people[number], group_asked_at=from_ms(at)) for number, at in asked_at.items()}
        return {**people, **told}

    async def _links(self, connection: AsyncConnection, members: Iterable[int]) -> list[Any]:
        theirs = text(f"group_member.member_id {in_numbers(connection, 'ids')}")
        query = (
            select(group_member.c.member_id, group_member.c.group_id)
            .join(member, member.c.id == group_member.c.group_id)
            .where(theirs.bindparams(ids=numbers(connection, members)), self.where)
        )
        return list((await connection.execute(query)).all())

    async def _decide(self, connection: AsyncConnection, groups: set[int], now: datetime) -> None:
        """The same decision that each of these gets, or got already, when its own turn comes."""
        if not groups:
            return
        routed = await self._routed(connection, groups)
        self._known.update(routed)
        chats = await read_members_by_id(connection, groups - routed.keys())
        slots = await read_slots(connection, chats)
        for number, chat in chats.items():
            purse = of_pattern(slots.get(number, ""))
            verdict = route(replace(chat, purse=purse), self.plan, self.house, now=now)
            self._known[number] = to_ms(verdict.not_before) if isinstance(verdict, Deliver) else None

    async def _routed(self, connection: AsyncConnection, groups: set[int]) -> dict[int, int | None]:
        """Those that the ask was queued for or held back from, and when it goes or went there."""
        if self.campaign is None:
            return {}
        rows = await connection.execute(
            text(
                "SELECT member_id, status, not_before FROM delivery WHERE month = :month"
                f" AND member_id {in_numbers(connection, 'ids')} AND campaign_id = :campaign"
            ),
            {"month": self.campaign.month, "ids": numbers(connection, groups), "campaign": self.campaign.id},
        )
        moments: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            moments[row.member_id] += [row.not_before] if DeliveryStatus(row.status) in LIVE else []
        return {number: min(some, default=None) for number, some in moments.items()}
