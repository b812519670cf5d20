"""Words of a campaign: saved, checked, changed, and where their links lead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import read_approval
from router.comparison import check_hold_out
from router.core.ask import Ask
from router.core.content import check_ask
from router.core.errors import BadInput, NotAllowed
from router.core.group_names import ONE_GROUP, read_group_names
from router.core.model import AskKind, CampaignStatus
from router.launch import expiry_of
from router.runtime import Runtime
from router.steps import keep_audit, lock_existing, not_editable
from router.store.audience import groups_of
from router.store.campaigns import lock_campaign, move_campaign, read_ask, write_ask
from router.store.notices import notify
from router.store.tables import campaign, member
from router.views import CampaignView, view_campaign

_S = CampaignStatus
NO_REPORT_HERE = (
    "a report-back is written about a campaign: outreach report-back CAMPAIGN FILE, or"
    " POST /api/v1/campaigns/{id}/report-back"
)
_FIXED_IN_REPORTS = ("kind", "about", "audience", "channels", "groups")
_FIXED_ONCE_LAUNCHED = (
    "kind",
    "about",
    "about_versions",
    "audience",
    "channels",
    "starts_at",
    "starts_at_local",
    "urgent",
    "purpose",
    "follows",
    "asks_permission",
    "alert",
    "tonight",
    "hold_out",
)


Along = Callable[[AsyncConnection, int], Awaitable[None]]
"""What is written in one transaction with a new campaign, whose number it gets."""


async def save_campaign(
    runtime: Runtime, ask: Ask, *, by: str, now: datetime, along: Along | None = None
) -> CampaignView:
    """Check an ask against everything that could fail later, and save it as a draft. Raises `BadInput`.

    A report-back is saved by `router.community.report_backs`, which writes what it is about `along` with it.
    """
    if ask.kind is AskKind.REPORT_BACK and along is None:
        raise BadInput(NO_REPORT_HERE, place="kind")
    await _check(runtime, ask, now)
    number, audit = await runtime.store.take_ids(2)

    async def work(connection: AsyncConnection) -> None:
        await write_draft(connection, number, audit, ask, by=by, now=now)
        if along is not None:
            await along(connection, number)

    await runtime.store.transact(work)
    return await view_campaign(runtime, number)


async def write_draft(
    connection: AsyncConnection, number: int, audit: int, ask: Ask, *, by: str, now: datetime
) -> None:
    """The rows of a checked draft, under the numbers of the campaign and of its audit."""
    await connection.execute(
        insert(campaign).values(
            id=number,
            month=now.year * 100 + now.month,
            title=ask.title,
            kind=ask.kind.value,
            status=_S.DRAFT.value,
            link=ask.link,
            created_by=by,
            created_at=now,
        )
    )
    await write_ask(connection, number, 1, ask, by=by, now=now)
    await keep_audit(connection, audit, number, "save", by, now, title=ask.title)


def check_words(runtime: Runtime, ask: Ask) -> None:
    """Refuse, with the place in the text, what could not be sent from this installation. Raises `BadInput`."""
    check_ask(ask, runtime.specs, organization=runtime.settings.organization, link=longest_link(runtime))


def longest_link(runtime: Runtime) -> str:
    """As long as a member's own link ever is."""
    return f"{runtime.settings.public_url.rstrip('/')}/a/{'x' * 24}"


async def _check(runtime: Runtime, ask: Ask, now: datetime) -> None:
    check_words(runtime, ask)
    if ask.kind is AskKind.REPLY:
        raise BadInput("replies are written by the router itself; choose another kind", place="kind")
    if ask.deadline is not None and ask.deadline <= now:
        raise BadInput("the deadline has passed; choose a later one", place="deadline")
    _check_currency(runtime, ask)
    await _check_groups(runtime, ask)
    await check_hold_out(runtime, ask)
    for place, other in (("about", ask.about), ("follows", ask.follows)):
        if other is None:
            continue
        async with runtime.store.read() as connection:
            if await lock_campaign(connection, other) is None:
                raise BadInput(f"there is no campaign {other}", place=place)


def _check_currency(runtime: Runtime, ask: Ask) -> None:
    """A spend limit binds what is paid for in its own currency, so all that costs anything must be."""
    if ask.spend_limit is None:
        return
    for channel in sorted(set(ask.channels) or set(runtime.channels)):
        rules = runtime.rules_of(channel)
        if rules.price and rules.currency != ask.spend_limit.currency:
            sentence = f"{channel} is paid for in {rules.currency}; give the limit in it, or leave the channel out"
            raise BadInput(sentence, place="spend_limit.currency")


async def _check_groups(runtime: Runtime, ask: Ask) -> None:
    """A group that is named by its number must be one. A tag that no group has yet may get one before the launch."""
    names = read_group_names(ask.groups)
    if wrong := next((tag for tag in names.tags if tag.startswith(ONE_GROUP)), ""):
        raise BadInput(f"{wrong} names no group; give its number, as in {ONE_GROUP}42", place="groups")
    if not names.numbers:
        return
    query = select(member.c.id).where(member.c.id.in_(names.numbers), groups_of(ask, dialect=runtime.store.dialect))
    async with runtime.store.read() as connection:
        known = set((await connection.scalars(query)).all())
    if unknown := [number for number in names.numbers if number not in known]:
        raise BadInput(f"there is no group {unknown[0]}; `outreach group list` shows them all", place="groups")


async def edit_campaign(runtime: Runtime, campaign_id: int, ask: Ask, *, by: str, now: datetime) -> CampaignView:
    """New words for a draft or a paused campaign; who has it already is not written to again."""
    await _check(runtime, ask, now)
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await lock_existing(connection, campaign_id)
        if row.status not in (_S.DRAFT, _S.APPROVED, _S.PAUSED):
            raise NotAllowed(not_editable(row))
        old = await read_ask(connection, campaign_id)
        if AskKind.REPORT_BACK in (old.kind, ask.kind):
            # It costs no budget and pays a debt, so whom it goes to is not for its author to say.
            fixed = [name for name in _FIXED_IN_REPORTS if getattr(old, name) != getattr(ask, name)]
            if fixed:
                raise BadInput(f"cannot change in a report-back, nor make one; {NO_REPORT_HERE}", place=fixed[0])
        changed = [name for name in _FIXED_ONCE_LAUNCHED if getattr(old, name) != getattr(ask, name)]
        changed += ["second"] if _places(old) != _places(ask) else []
        if row.starts_at is not None and changed:
            raise BadInput("cannot change once a campaign was launched; cancel it and launch another", place=changed[0])
        version = row.text_version + 1
        await write_ask(connection, campaign_id, version, ask, by=by, now=now)
        # What was approved, and what the budget was raised for, was the old wording.
        status = _S.PAUSED if row.status is _S.PAUSED else _S.DRAFT
        values: dict[str, Any] = {"text_version": version, "title": ask.title, "link": ask.link, "raised_until": None}
        if row.status is not _S.PAUSED or row.recipients > runtime.policy.launch.approval_above:
            values["approved_by"] = None
        if row.starts_at is not None:
            values["expires_at"] = expiry_of(runtime, ask, row.starts_at)
        await move_campaign(connection, campaign_id, (row.status,), status, **values)
        if row.status is _S.PAUSED and "approved_by" in values:
            asked = await read_approval(runtime, connection, campaign_id, recipients=row.recipients)
            sentence = (
                f"Campaign {campaign_id} was changed by {by} while it is paused; before it goes on {asked.missing}"
            )
            await notify(connection, "campaign", str(campaign_id), sentence, now=now)
        await keep_audit(connection, audit, campaign_id, "edit", by, now, version=version)

    await runtime.store.transact(work)
    return await view_campaign(runtime, campaign_id)


def _places(ask: Ask) -> set[str]:
    """Where an ask has second texts: their words may be mended after a launch, but not who gets a second text."""
    return {place for place, _, _, _ in ask.every_text() if place.startswith("second.")}


async def set_link(runtime: Runtime, campaign_id: int, link: str, *, by: str, now: datetime) -> CampaignView:
    """Send the campaign's links elsewhere from now on, in any state: the links that went out stay the same."""
    async with runtime.store.read() as connection:
        ask = await read_ask(connection, campaign_id)
    if not ask.link:
        raise BadInput("this campaign's words have no link to lead anywhere", place="link")
    check_words(runtime, ask.model_copy(update={"link": link}))
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await lock_existing(connection, campaign_id)
        await connection.execute(update(campaign).where(campaign.c.id == campaign_id).values(link=link))
        await keep_audit(connection, audit, campaign_id, "link", by, now, link=link)

    await runtime.store.transact(work)
    return await view_campaign(runtime, campaign_id)
