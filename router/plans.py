"""A campaign made ready for the decision: what routing, preview and fallback must know of it."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from router.asked_groups import AskedGroups
from router.core.ask import Ask
from router.core.attention import BudgetAsk, Thread
from router.core.goals import NOBODY, Peace
from router.core.group_first import wait_of
from router.core.model import AskKind, Lane
from router.core.routing import House, Plan
from router.core.staging import shares_of
from router.goals import peace_in
from router.runtime import Runtime
from router.store.audience import audience_of, groups_of
from router.store.campaigns import CampaignRow, lock_campaign, read_ask
from router.store.debts import is_overridden, overdue_campaigns

_MOST_UNITS = 3
"""Segments that a text rarely exceeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A campaign made ready for routing: what `core.routing.route` must know, and whom to ask about."""

    campaign: CampaignRow
    plan: Plan
    where: ColumnElement[bool]
    lane: Lane
    ask: Ask
    shares: tuple[float, ...] = ()
    """The stages in which it leaves (`core.staging.assign`)."""
    scarce: bool = False
    """Not everybody may be reached, so that it matters who is asked first."""
    peace: Peace = NOBODY
    """Who is left in peace because a goal was met."""
    owed: tuple[int, ...] = ()
    """Campaigns whose people are not asked for anything new before they were told what came of those."""
    groups: AskedGroups | None = None
    """The groups that hear of it first; None where everybody is asked at once."""
    most: int = 1_000
    """At most so many member numbers at one turn."""


async def prepare(runtime: Runtime, connection: AsyncConnection, campaign: CampaignRow) -> Route | None:
    """A launched campaign, made ready; None where it has not been launched."""
    if campaign.starts_at is None or campaign.expires_at is None:
        return None
    ask = await read_ask(connection, campaign.id, campaign.text_version)
    plan = plan_of(
        runtime,
        ask,
        campaign.id,
        earliest=campaign.starts_at,
        expires_at=campaign.expires_at,
        thread=await thread_of(connection, ask),
        raised=campaign.raised_until is not None and runtime.clock() < campaign.raised_until,
    )
    return Route(
        campaign=campaign,
        plan=plan,
        where=audience_of(ask, dialect=runtime.store.dialect),
        lane=lane_of(ask),
        ask=ask,
        shares=shares_of(runtime.policy.guard, ask, campaign.recipients, campaign.starts_at),
        scarce=_is_scarce(runtime, ask, campaign, plan.channels),
        peace=await peace_in(connection, campaign, ask),
        owed=await owed_by(connection, ask, campaign.id, now=runtime.clock()),
        groups=asked_groups(runtime, ask, plan, campaign),
    )


def asked_groups(runtime: Runtime, ask: Ask, plan: Plan, campaign: CampaignRow | None = None) -> AskedGroups | None:
    """The groups that hear of an ask before their members are written to; None where everybody is asked at once."""
    if plan.group_wait is None:
        return None
    return AskedGroups(groups_of(ask, dialect=runtime.store.dialect), plan, house_of(runtime), campaign)


def _is_scarce(runtime: Runtime, ask: Ask, campaign: CampaignRow, channels: Set[str]) -> bool:
    """Whether a goal or a limit may end it, or a channel could not carry it all before its deadline."""
    if ask.stop_at_goal or ask.spend_limit is not None:
        return True
    if ask.deadline is None or campaign.starts_at is None:
        return False
    seconds = (ask.deadline - campaign.starts_at).total_seconds()
    slowest = min((rate for name in channels if (rate := runtime.rules_of(name).rate)), default=math.inf)
    return not campaign.recipients or campaign.recipients * _MOST_UNITS > slowest * seconds


async def owed_by(connection: AsyncConnection, ask: Ask, campaign_id: int, *, now: datetime) -> tuple[int, ...]:
    """The overdue report-backs that stand in the way of an ask: none for what is urgent, owed or a next step."""
    if ask.kind.is_service or ask.is_urgent or ask.purpose.is_owed or ask.follows is not None or ask.asks_permission:
        return ()
    overdue = tuple(number for number in await overdue_campaigns(connection, now=now) if number != campaign_id)
    return () if overdue and await is_overridden(connection, campaign_id) else overdue


async def thread_of(connection: AsyncConnection, ask: Ask) -> Thread | None:
    """The thread of the campaign that an ask follows, while that campaign's deadline lies ahead."""
    if ask.follows is None:
        return None
    followed = await lock_campaign(connection, ask.follows)
    if followed is None or followed.expires_at is None:
        return None
    return Thread(campaign=followed.id, until=followed.expires_at)


def plan_of(
    runtime: Runtime,
    ask: Ask,
    campaign_id: int,
    *,
    earliest: datetime,
    expires_at: datetime,
    thread: Thread | None = None,
    raised: bool = False,
) -> Plan:
    """The plan of an ask on the channels of this installation. `campaign_id` is 0 where it is not saved yet.

    `thread` is that of the campaign it follows, `raised` whether a second approver raised the budget for it.
    """
    open_channels = set(runtime.channels)
    allowed = open_channels & set(ask.channels) if ask.channels else open_channels
    worded = {channel: runtime.specs[channel] for channel in allowed if ask.words(ask.default_locale, channel)}
    return Plan(
        kind=ask.kind,
        budget=BudgetAsk(
            campaign=campaign_id,
            priority=ask.priority,
            deadline=ask.deadline,
            urgent=ask.is_urgent,
            answerable=ask.is_answerable,
            unseen=frozenset(name for name, spec in worded.items() if not (ask.link or spec.inbound or spec.buttons)),
            free=ask.kind.is_service,
            permission=ask.asks_permission,
            override=raised,
            thread=thread,
        ),
        purpose=ask.purpose,
        alert=ask.alert,
        order=tuple(step.channel for step in ask.waterfall),
        # What is urgent does not look at the price.
        cost={} if ask.is_urgent else {name: runtime.rules_of(name).price for name in worded},
        channels=frozenset(name for name, spec in worded.items() if spec.people),
        group_channels=frozenset(name for name, spec in worded.items() if spec.groups),
        windows={
            name: timedelta(seconds=spec.window_seconds)
            for name, spec in worded.items()
            if spec.templates and not _has_templates(ask, name)
        },
        barred={name: tuple(rules.no_asks_to) for name in worded if (rules := runtime.rules_of(name)).no_asks_to},
        earliest=earliest,
        expires_at=expires_at,
        starts_at_local=ask.starts_at_local,
        group_wait=wait_of(ask, runtime.policy.groups.first),
    )


def _has_templates(ask: Ask, channel: str) -> bool:
    """Whether everybody's words on this channel name an approved text."""
    found = [ask.words(locale, channel, variant) for locale in ask.texts for variant in (0, 1)]
    return all(words is not None and words[1].template for words in found)


def house_of(runtime: Runtime) -> House:
    """The rules that routing obeys."""
    return House(budget=runtime.policy.budget_rules, quiet_hours=runtime.quiet_hours)


def lane_of(ask: Ask) -> Lane:
    """Which queue an ask waits in."""
    if ask.kind is AskKind.REPLY:
        return Lane.REPLY
    return Lane.URGENT if ask.is_urgent or ask.kind.is_pressing else Lane.NORMAL
