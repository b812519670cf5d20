"""An idea is made: by a member, one at a time, in words that others can read and that somebody moderates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.model import Said, Who
from router.community.proposals.rows import NOTICE, lock_member
from router.core.proposal_rules import Hold
from router.core.proposing import find_fault, is_moderated, name_languages, same, tidy
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.notices import notify
from router.store.tables import proposal, to_ms

_REMEMBERED = 100
"""So many ideas of theirs are looked through for one that says the same."""


async def propose(
    runtime: Runtime, connection: AsyncConnection, who: Who, words: str, ids: Iterator[int], *, now: datetime
) -> Said:
    """Make an idea of these words. Uses two of `ids`. What is in the way is said; then nothing is made."""
    policy = runtime.policy.proposals
    person = await lock_member(connection, who.member_id)
    if person is None:
        return Said("proposals.members_only")
    idea = tidy(words)
    fault = find_fault(idea, policy)
    if fault is not None:
        return Said(f"proposals.{_here(fault.value, who)}", _numbers(runtime))
    if said := await _in_the_way(runtime, connection, who.member_id, idea, now=now):
        return said
    locale = who.locale or person.locale
    held = "" if is_moderated(locale, policy) else Hold.LANGUAGE.value
    values = {
        "id": next(ids), "member": who.member_id, "group": who.group_id, "text": idea, "locale": locale,
        "country": person.country, "place": person.place, "status": "held" if held else "open", "reason": held,
        "channel": who.channel, "address": who.address_id, "at": to_ms(now),
    }  # fmt: skip
    number = await _insert(connection, values)
    detail = {"group": who.group_id, "held": held}
    by = f"member {who.member_id}"
    await write_audit(
        connection, next(ids), who=by, what="proposal.make", subject=str(number), detail=detail, now=now
    )  # fmt: skip
    if held:
        sentence = f"idea {number} is in a language that nobody moderates: outreach proposal show {number}"
        await notify(connection, NOTICE, str(number), sentence, now=now)
        return Said("proposals.taken_held", {"number": number, **_numbers(runtime)}, number)
    return Said(f"proposals.{_here('taken', who)}", {"number": number, **_numbers(runtime)}, number)


async def _in_the_way(
    runtime: Runtime, connection: AsyncConnection, member_id: int, idea: str, *, now: datetime
) -> Said | None:
    """What else of theirs stands before this idea: the same, one that is held, one that is too young."""
    columns = (proposal.c.number, proposal.c.text, proposal.c.status, proposal.c.created_at)
    rows = (
        await connection.execute(
            select(*columns)
            .where(proposal.c.member_id == member_id)
            .order_by(proposal.c.created_at.desc())
            .limit(_REMEMBERED)
        )
    ).all()
    for row in rows:
        if same(row.text, idea):
            return Said("proposals.again", {"number": row.number}, row.number)
    for row in rows:
        if row.status == "held":
            return Said("proposals.waits", {"number": row.number}, row.number)
    days = runtime.policy.proposals.per_days
    if rows and now - rows[0].created_at < timedelta(days=days):
        return Said("proposals.too_soon", {"number": rows[0].number, "days": days}, rows[0].number)
    return None


async def _insert(connection: AsyncConnection, values: dict[str, Any]) -> int:
    """The row, with the next number. Whoever takes the same number at once waits here and finds the one after it."""
    statement = text(
        "INSERT INTO proposal (id, number, member_id, group_id, text, locale, country, place, status, reason, channel,"
        " address_id, created_at, changed_at)"
        " SELECT :id, coalesce(max(number), 0) + 1, :member, :group, :text, :locale, :country, :place, :status,"
        " :reason, :channel, :address, :at, :at FROM proposal WHERE true"
        " ON CONFLICT (number) DO NOTHING RETURNING number"
    )
    while (number := await connection.scalar(statement, values)) is None:
        pass
    return int(number)


def _here(phrase: str, who: Who) -> str:
    """The form of a phrase for where it is said: in a group by commands, elsewhere by words."""
    return f"{phrase}_group" if who.group_id and phrase in ("how", "taken") else phrase


def _numbers(runtime: Runtime) -> dict[str, object]:
    """What fills the phrases about an idea's words and its way."""
    policy = runtime.policy.proposals
    return {
        "shortest": policy.shortest, "longest": policy.longest, "languages": name_languages(policy),
        "group_seconds": policy.group_seconds, "public_seconds": policy.public_seconds,
    }  # fmt: skip
