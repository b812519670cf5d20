"""``/why`` and ``/quiet``: why a group gets asks, and how it gets none for a while."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from router.community.group_chats.membership import is_steward, let_in_at
from router.community.group_chats.speaking import answer, answer_once
from router.community.group_chats.turn import GroupTurn
from router.community.turn import member_of
from router.community.welcome import how_often
from router.core.bot_commands import Command, quiet_days
from router.core.event_words import day_of
from router.core.keywords_values import LONGEST_PAUSE
from router.dial import PAUSE_DAYS, quiet_group
from router.store.campaigns import write_audit


async def explain(turn: GroupTurn, command: Command) -> None:
    """When we were let in, by which tags asks find this group, how often at most; never who let us in."""
    group = await member_of(turn.connection, turn.group.id)
    found = await turn.connection.execute(
        text("SELECT tag FROM member_tag WHERE member_id = :group ORDER BY tag LIMIT 20"), {"group": turn.group.id}
    )
    tags = ", ".join(found.scalars())
    since = day_of(await let_in_at(turn.connection, turn.group.id), group.zone, turn.group.locale)
    phrase = "commands.why" if tags else "commands.why_untagged"
    values = {"tags": tags} if tags else {}
    await answer(turn, turn.say(phrase, date=since, often=how_often(turn.runtime), **values))


async def be_quiet(turn: GroupTurn, command: Command) -> None:
    """Its steward has no asks posted there until a day, or again from now on; nobody else can."""
    if not await is_steward(turn.connection, turn.group.id, turn.person_hash, turn.owners):
        await answer_once(turn, "commands.not_steward", turn.say("commands.not_steward"))
        return
    span = command.text
    days = quiet_days(span, turn.group.locale, turn.runtime.keywords, turn.now.date(), otherwise=PAUSE_DAYS)
    if days is None:
        await answer_once(turn, "commands.how_quiet", turn.say("commands.how_quiet", most=LONGEST_PAUSE))
        return
    until = turn.now + timedelta(days=days)
    await quiet_group(turn.connection, turn.group.id, until, now=turn.now)
    await write_audit(
        turn.connection, next(turn.ids), who="its steward", what="group.quiet", subject=str(turn.group.id),
        detail={"days": days}, now=turn.now,
    )  # fmt: skip
    if not days:
        await answer(turn, turn.say("commands.loud"))
        return
    group = await member_of(turn.connection, turn.group.id)
    await answer(turn, turn.say("commands.quiet", date=day_of(until, group.zone, turn.group.locale)))
