"""JOIN <code>, and the YES by which an address says that we may write to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import answer_back
from router.community.join_codes import Code, only_open_code, read_code
from router.community.joining import admit, consent_of, enter_stranger
from router.community.turn import ONCE, Answer, Turn, read_dialog, write_dialog
from router.core.channel import Inbound
from router.core.keywords_intent import YES, Intent
from router.core.model import ConsentState
from router.core.phrases import say
from router.owners import Owner, is_silenced, owners_of
from router.runtime import Runtime
from router.store.bulk import sql
from router.store.spendings import month_of
from router.store.tallies import Moves

JOIN = "join"


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else."""
    if turn.intent.kind == JOIN:
        return await _join(turn)
    if turn.intent.kind == YES and turn.intent.certain and opts_in(turn):
        return await _opt_in(turn)
    return None


def opts_in(turn: Turn) -> bool:
    """Whether a YES can be about our messages at all: nothing that we asked is open, neither an ask nor a question."""
    return not turn.dialog.step and (turn.asked is None or turn.asked.is_over(turn.now))


async def _join(turn: Turn) -> Answer | None:
    """A member writes JOIN, with or without a code."""
    asked = turn.asked
    if not turn.intent.value and asked and JOIN.upper() in asked.ask.keywords and not asked.is_over(turn.now):
        return None  # the open ask's own word
    code = await _meant(turn.connection, turn.intent)
    if turn.intent.value and (code is None or code.closed):
        return turn.say_once("joining.unknown") if turn.intent.certain else None
    words, welcome = await _admit(turn, turn.owner, code, f"{_name(code)} by {turn.channel}")
    return Answer(words=words) if welcome else turn.once(_name(code), words)


async def _opt_in(turn: Turn) -> Answer | None:
    """YES from an address that never agreed, or that a form named: now it has agreed itself."""
    state = await consent_of(turn.connection, turn.owner)
    if state not in (ConsentState.NONE, ConsentState.UNCONFIRMED):
        return None
    if await is_silenced(turn.connection, turn.event_hash, turn.channel):
        return None
    owner = await _who_was_asked(turn.connection, turn.owners, turn.channel) or turn.owner
    words, _ = await _admit(turn, owner, None, f"YES by {turn.channel}")
    return Answer(words=words)


async def _admit(turn: Turn, owner: Owner, code: Code | None, source: str) -> tuple[str, bool]:
    return await admit(
        turn.runtime, turn.connection, turn.channel, turn.event_hash, owner, turn.owners, code, turn.ids,
        source=source, wording=turn.event.text, now=turn.now,
    )  # fmt: skip


async def _who_was_asked(connection: AsyncConnection, owners: Sequence[Owner], channel: str) -> Owner | None:
    """Of a household the one whom a form named."""
    for owner in owners:
        waits = await connection.scalar(
            sql("SELECT 1 FROM joined WHERE member_id = :member AND channel = :channel AND welcomed_at IS NULL"),
            {"member": owner.member_id, "channel": channel},
        )
        if waits:
            return owner
    return None


async def welcome_stranger(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    meant: Intent,
    hash_: str,
    inbound_id: int,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> None:
    """JOIN <code> from an address that is nobody's yet: they become a member, with the consent that their word is.

    A code that is none, or closed, gets one friendly sentence. An everyday sentence that begins with "join" gets
    nothing.
    """
    code = await _meant(connection, meant)
    if code is not None and code.closed:
        code = None
    if code is None and not meant.certain:
        return
    await _let_in(
        runtime, connection, channel, account, event, hash_, code, inbound_id, ids, moves, locale=meant.locale, now=now
    )


async def join_by_link(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    hash_: str,
    inbound_id: int,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> bool:
    """Somebody opened a chat by a link with a code (``t.me/BOT?start=DINNERS``); False where it is no open one."""
    code = await read_code(connection, event.payload)
    if code is None or code.closed:
        return False
    await _let_in(runtime, connection, channel, account, event, hash_, code, inbound_id, ids, moves, locale="", now=now)
    return True


async def join_by_start(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    event: Inbound,
    hash_: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> bool:
    """START in answer to the question whether it was they who filled in a form; False where none waits for a word.

    Their consent is kept already. Some providers take YES for START, too.
    """
    owner = await _who_was_asked(connection, owners, channel)
    if owner is None:
        return False
    words, _ = await admit(
        runtime, connection, channel, hash_, owner, owners, None, ids, source=f"reply by {channel}",
        wording=event.text, now=now, agreed=True,
    )  # fmt: skip
    await answer_back(connection, channel, owner, ids, words, moves, now)
    return True


async def _let_in(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    hash_: str,
    code: Code | None,
    inbound_id: int,
    ids: Iterator[int],
    moves: Moves,
    *,
    locale: str,
    now: datetime,
) -> None:
    """Enter whoever is not there, admit them, and answer."""
    owners = await owners_of(connection, hash_, channel)
    source = f"{_name(code)} by {channel}"
    entered = False
    if not owners:
        found = await enter_stranger(
            runtime, connection, channel, account, event, hash_, code, ids, locale=locale, source=source, now=now
        )
        if found is None:
            return
        owner, entered = found
        owners = await owners_of(connection, hash_, channel)
        await connection.execute(
            sql("UPDATE inbound SET member_id = :member WHERE month = :month AND id = :id"),
            {"member": owner.member_id, "month": month_of(now), "id": inbound_id},
        )
    owner = owners[0]
    said, welcome = "joining.unknown", False
    if code is None:
        words = say(said, owner.locale, organization=runtime.settings.organization)
    else:
        said = _name(code)
        words, welcome = await admit(
            runtime, connection, channel, hash_, owner, owners, code, ids, source=source, wording=event.text, now=now,
            agreed=entered and not await is_silenced(connection, hash_, channel),
        )  # fmt: skip
    if not welcome:
        stands = await read_dialog(connection, owner.member_id, now=now)
        if stands.was_said(said, now):
            return
        await write_dialog(connection, owner.member_id, stands.saying(said, now), until=now + ONCE)
    await answer_back(connection, channel, owner, ids, words, moves, now)


async def _meant(connection: AsyncConnection, intent: Intent) -> Code | None:
    """The code that somebody wrote; without one the only code that is open."""
    return await (read_code(connection, intent.value) if intent.value else only_open_code(connection))


def _name(code: Code | None) -> str:
    return f"JOIN {code.code}" if code is not None else JOIN.upper()
