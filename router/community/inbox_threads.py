"""The inbox as organizers see it: who waits, and one thread with all that was said, across channels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.inbox import CLAIMED, OPEN
from router.community.suggestions import Suggestion, suggest
from router.core.errors import BadInput, NotFound
from router.runtime import Runtime
from router.store.bulk import in_numbers, numbers, sql
from router.store.campaigns import read_ask
from router.store.tables import from_ms

MOST_MESSAGES = 200
"""Of a thread so many are read, the latest."""

_SNIPPET = 200
"""Characters of a message that the list shows."""

_LATE = 10**15
"""Later than any moment, in ms: who waits for nothing comes after everybody who waits."""

_MONTHS = 12
"""So many months of our answers are read."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ThreadView(_View):
    """One thread, as the list shows it."""

    member_id: int
    name: str
    locale: str
    status: str
    """open, claimed or done."""
    claimed_by: str | None
    claimed_at: datetime | None
    channel: str
    """Where they wrote last, and are answered."""
    waiting: int
    """Messages of theirs without an answer."""
    waiting_since: datetime | None
    messages: int
    """Messages of theirs so far. Whoever answers says that they have read so many; what came since stays waiting."""
    last_in_at: datetime
    last_out_at: datetime | None
    campaign_id: int
    """The ask that they wrote about; 0 where that is not known."""
    campaign: str
    """Its title."""
    suggestion: Suggestion
    """What they probably meant, and a ready answer."""
    text: str
    """The beginning of the message that the suggestion is about."""


class Said(_View):
    """One message of a thread."""

    at: datetime
    by: str
    """``member``, ``router``, or the organizer who wrote it."""
    channel: str
    text: str
    status: str
    """Of ours: queued, sent, delivered …; of theirs what was understood: ``yes``, ``none`` …"""


class LastAsk(_View):
    """What they were asked last, before or after they wrote."""

    campaign_id: int
    title: str
    channel: str
    status: str
    text: str
    """The words as their author wrote them, in the member's language."""


class ThreadPage(_View):
    """Threads, those who wait longest first, then the others, the latest first."""

    threads: list[ThreadView]
    next: str
    """What to give as ``after`` for the next page; "" where there is none."""


class OneThread(_View):
    """A thread with all that was said, oldest first."""

    thread: ThreadView
    last_ask: LastAsk | None
    said: list[Said]


async def list_threads(
    runtime: Runtime, *, status: str = "", mine: str = "", limit: int = 50, after: str = ""
) -> ThreadPage:
    """Threads of one `status`, or all that are not done; only those that organizer `mine` has, where given."""
    statuses = (status,) if status else (OPEN, CLAIMED)
    where = [f"t.status IN ({', '.join(f':status{place}' for place in range(len(statuses)))})", "m.erased_at IS NULL"]
    values: dict[str, Any] = {f"status{place}": name for place, name in enumerate(statuses)} | {"limit": limit + 1}
    if mine:
        where.append("lower(t.claimed_by) = lower(:mine)")
        values["mine"] = mine.strip()
    order = f"CASE WHEN t.waiting > 0 THEN t.waiting_since ELSE {_LATE} - t.last_in_at END"
    if after:
        values["at"], values["member"] = _cursor(after)
        where.append(f"({order} > :at OR ({order} = :at AND t.member_id > :member))")
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                sql(
                    f"SELECT {_COLUMNS}, {order} AS place FROM {_FROM}"
                    f" WHERE {' AND '.join(where)} ORDER BY place, t.member_id LIMIT :limit"
                ),
                values,
            )
        ).all()
    page = rows[:limit]
    more = len(rows) > limit
    return ThreadPage(
        threads=[_view(runtime, row) for row in page],
        next=f"{page[-1].place}-{page[-1].member_id}" if more else "",
    )


async def read_thread(runtime: Runtime, member_id: int) -> OneThread:
    """A member's thread with what they wrote, what we wrote back, and the last ask they got. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                sql(f"SELECT {_COLUMNS} FROM {_FROM} WHERE t.member_id = :id AND m.erased_at IS NULL"),
                {"id": member_id},
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"member {member_id} has no thread in the inbox; GET /api/v1/inbox lists those there are")
        said = [*await _theirs(connection, member_id), *await _ours(connection, member_id)]
        last = await _last_ask(connection, member_id, row.locale)
    said.sort(key=lambda one: one.at)
    return OneThread(thread=_view(runtime, row), last_ask=last, said=said[-MOST_MESSAGES:])


_COLUMNS = (
    "t.member_id, t.status, t.channel, t.campaign_id, t.suggestion, t.value, t.messages, t.waiting, t.waiting_since,"
    " t.last_in_at, t.last_out_at, t.claimed_by, t.claimed_at, m.first_name, m.last_name, m.locale, c.title, i.text"
)
_FROM = (
    "thread t JOIN member m ON m.id = t.member_id LEFT JOIN campaign c ON c.id = t.campaign_id"
    " LEFT JOIN inbound i ON i.month = t.inbound_month AND i.id = t.inbound_id"
)


def _cursor(after: str) -> tuple[int, int]:
    place, _, member = after.partition("-")
    if not (place.isdecimal() and member.isdecimal() and len(place) <= 16 and len(member) <= 18):
        raise BadInput("is no page of this list; give what the page before had as next", place="after")
    return int(place), int(member)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _view(runtime: Runtime, row: Any) -> ThreadView:
    organization = runtime.settings.organization
    return ThreadView(
        member_id=row.member_id,
        name=f"{row.first_name} {row.last_name}".strip(),
        locale=row.locale,
        status=row.status,
        claimed_by=row.claimed_by,
        claimed_at=_moment(row.claimed_at),
        channel=row.channel,
        waiting=row.waiting,
        waiting_since=_moment(row.waiting_since),
        messages=row.messages,
        last_in_at=from_ms(row.last_in_at),
        last_out_at=_moment(row.last_out_at),
        campaign_id=row.campaign_id,
        campaign=row.title or "",
        suggestion=suggest(
            row.suggestion, row.value, locale=row.locale, organization=organization, title=row.title or ""
        ),
        text=(row.text or "")[:_SNIPPET],
    )


async def _theirs(connection: AsyncConnection, member_id: int) -> list[Said]:
    """What they wrote, from any of their addresses; what a household wrote is in the book of its first member."""
    rows = await connection.execute(
        sql(
            "SELECT i.at, i.channel, i.text, i.intent FROM inbound i WHERE i.member_id IN"
            " (SELECT b.member_id FROM address a JOIN address b ON b.hash = a.hash WHERE a.member_id = :id)"
            " AND i.sender_hash IN (SELECT hash FROM address WHERE member_id = :id)"
            " ORDER BY i.at DESC, i.id DESC LIMIT :most"
        ),
        {"id": member_id, "most": MOST_MESSAGES},
    )
    return [
        Said(at=from_ms(row.at), by="member", channel=row.channel, text=row.text, status=row.intent)
        for row in reversed(rows.all())
    ]


async def _ours(connection: AsyncConnection, member_id: int) -> list[Said]:
    """What we wrote to them in conversation, whether a person did or the router."""
    rows = await connection.execute(
        sql(
            'SELECT r.asked_at, r.text, r."by", d.channel, d.status FROM delivery d'
            " JOIN reply_text r ON r.month = d.month AND r.delivery_id = d.id"
            f" WHERE d.member_id = :id AND d.month {in_numbers(connection, 'months')}"
            f" AND r.month {in_numbers(connection, 'months')}"
            " ORDER BY d.month DESC, r.asked_at DESC, d.id DESC LIMIT :most"
        ),
        {"id": member_id, "months": numbers(connection, await _months(connection)), "most": MOST_MESSAGES},
    )
    return [
        Said(at=from_ms(row.asked_at), by=row.by or "router", channel=row.channel, text=row.text, status=row.status)
        for row in reversed(rows.all())
    ]


async def _months(connection: AsyncConnection) -> Sequence[int]:
    """The latest months in which anything was sent: part of every delivery's key."""
    rows = await connection.execute(
        sql("SELECT DISTINCT month FROM campaign ORDER BY month DESC LIMIT :most"), {"most": _MONTHS}
    )
    return rows.scalars().all()


async def _last_ask(connection: AsyncConnection, member_id: int, locale: str) -> LastAsk | None:
    row = (
        await connection.execute(
            sql(
                "SELECT c.id, c.title, c.text_version, d.channel, d.status, d.variant FROM delivery d"
                " JOIN campaign c ON c.id = d.campaign_id"
                f" WHERE d.member_id = :id AND d.month {in_numbers(connection, 'months')} AND c.kind <> 'reply'"
                " AND d.status IN ('sent', 'delivered', 'read', 'unknown', 'sending')"
                " ORDER BY d.sent_at DESC NULLS LAST, d.id DESC LIMIT 1"
            ),
            {"id": member_id, "months": numbers(connection, await _months(connection))},
        )
    ).one_or_none()
    if row is None:
        return None
    ask = await read_ask(connection, row.id, row.text_version)
    words = ask.words(locale, row.channel, row.variant)
    said = "" if words is None else words[1].text
    return LastAsk(campaign_id=row.id, title=row.title, channel=row.channel, status=row.status, text=said)
