"""What people write to us: understood, kept, acted upon and, where nobody else does it, answered once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import answer_back
from router.binding import bind_address
from router.community.dialogue import converse, find_asked, offered
from router.community.group_chats.hearing import hear_in_group
from router.community.group_chats.linking import come_from_group, take_answers_along
from router.community.group_chats.turn import GroupTurn, find_group
from router.community.joining_answers import join_by_link, join_by_start, welcome_stranger
from router.community.turn import Turn, read_dialog
from router.core.address import address_hash
from router.core.answers import ANSWERED, NO_CHANNEL, answer
from router.core.bot_commands import in_private_words
from router.core.channel import Inbound, OptOut
from router.core.join_links import read_join_token
from router.core.keywords import classify
from router.core.keywords_intent import CHANNEL, Intent
from router.core.model import DeliveryRef
from router.dial import TURNS, WISHES, prefer_channel, turn_dial
from router.joining import links_of
from router.owners import Owner, grant_consent, owners_of, revoke_consent
from router.runtime import Runtime
from router.stops import COMPLAINT, covered
from router.store.budgets import note_answers
from router.store.bulk import sql
from router.store.heard import Heard, keep_heard
from router.store.spendings import month_of
from router.store.tables import to_ms
from router.store.tallies import Moves

IDS_PER_EVENT = 64
"""Numbers that one event may use: its row, consents of a household, an action, an answer and its campaign, messages
that are passed on to several guests (`community.masked.AT_ONCE`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody asked for silence: what must be cancelled once the suppression is committed."""

    address_hash: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """Members said what they wish: what waits for them must follow once that is committed."""

    members: tuple[int, ...]
    channels: bool
    """Whether it may have to go to another channel."""


After = Silence | Wished
"""What is to be done once the event is committed."""


async def apply_inbound(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    ids: range,
    moves: Moves,
    *,
    now: datetime,
) -> After | None:
    """Keep what somebody wrote and do what it says, once however often the provider delivers it."""
    numbers_ = iter(ids)
    written = event.text
    if not event.group:
        event = replace(event, text=in_private_words(written))
    hash_ = address_hash(runtime.key, runtime.specs[channel].address_kind, event.sender)
    joined = None
    if event.payload and not event.group:
        joined = await _follow_link(runtime, connection, channel, account, event, numbers_, now)
    owners = await owners_of(connection, hash_, channel)
    if owners and not event.group:
        await _heard(connection, hash_, channel, event.at)
        await note_answers(connection, {owner.member_id: event.at for owner in owners})
    asked = None
    if event.delivery is not None if event.group else owners:
        asked = await find_asked(runtime, connection, channel, owners, event, now=now)
    meant = _meant(runtime, event, owners, offered(asked.ask if asked else None))
    intent = meant.kind
    days = 0
    number = next(numbers_)
    heard = Heard(
        number, month_of(now), channel, account, event.event_id[:200], hash_, owners[0].member_id if owners else None,
        written[:10_000], intent, to_ms(event.at),
    )  # fmt: skip
    after = _after(runtime, hash_, channel, meant, owners, joined)
    if not await keep_heard(connection, heard):
        return after
    match intent:
        case "stop":
            await revoke_consent(
                runtime, connection, hash_, channel, owners, numbers_, moves, "stop", f"reply by {channel}", now,
                event.delivery,
            )  # fmt: skip
        case _ if event.group:
            group = await find_group(runtime, connection, channel, event.group)
            if group is not None:
                turn_there = GroupTurn(
                    runtime=runtime, connection=connection, channel=channel, account=account, event=event,
                    inbound_id=number, group=group, person_hash=hash_, owners=owners, intent=meant, asked=asked,
                    ids=numbers_, moves=moves, now=now,
                )  # fmt: skip
                await hear_in_group(turn_there)
        case "start":
            await grant_consent(runtime, connection, hash_, channel, owners, numbers_, event, now)
            joins = await join_by_link(
                runtime, connection, channel, account, event, hash_, number, numbers_, moves, now=now
            ) or await join_by_start(runtime, connection, channel, event, hash_, owners, numbers_, moves, now=now)
            if joins or await come_from_group(
                runtime, connection, channel, account, event, hash_, owners, number, numbers_, moves, now=now
            ):
                intent = "join"
        case _ if intent in TURNS and meant.certain:
            days = await turn_dial(connection, [owner.member_id for owner in owners], meant, now=now)
        case _ if intent == CHANNEL and meant.certain:
            able = await prefer_channel(connection, [owner.member_id for owner in owners], meant.value, now=now)
            if not able.intersection(owner.member_id for owner in owners[:1]):
                intent = NO_CHANNEL
        case "join" if not owners:
            await welcome_stranger(
                runtime, connection, channel, account, event, meant, hash_, number, numbers_, moves, now=now
            )
        case _ if owners and (intent not in ANSWERED or (intent in WISHES and not meant.certain)):
            owner = next((one for one in owners if asked and one.member_id == asked.member_id), owners[0])
            stands = await read_dialog(connection, owner.member_id, now=now)
            turn = Turn(
                runtime=runtime, connection=connection, channel=channel, account=account, event=event,
                inbound_id=number, owner=owner, owners=owners, intent=meant, asked=asked, dialog=stands, ids=numbers_,
                moves=moves, now=now,
            )  # fmt: skip
            await converse(turn)
    if meant.kind in ("start", "join") and runtime.specs[channel].groups and not event.group:
        await take_answers_along(connection, channel, hash_, numbers_, moves, prefer=joined, now=now)
    answers = intent in ANSWERED and (meant.certain or intent not in WISHES)
    if answers and not event.provider_answers and owners and not event.group:
        words = answer(
            intent,
            locale=owners[0].locale,
            organization=runtime.settings.organization,
            contact=_where(runtime, owners[0], intent, meant, now),
            days=days,
            channel=meant.value,
        )
        await answer_back(connection, channel, owners[0], numbers_, words, moves, now)
    return after


def _meant(runtime: Runtime, event: Inbound, owners: Sequence[Owner], words: Sequence[str]) -> Intent:
    """What the provider itself understood; else our reading, given the `words` that the last ask offered; for a
    button always the keyword that it carries."""
    if event.keyword is not None:
        return Intent(event.keyword.value)
    meant = classify(event.text, owners[0].locale if owners else None, table=runtime.keywords, offered=words)
    if event.button and meant.kind == "none":
        return Intent(event.text.strip().lower()[:20])
    return meant


def _after(
    runtime: Runtime, hash_: str, channel: str, meant: Intent, owners: Sequence[Owner], joined: int | None
) -> After | None:
    """What is to be done once this is committed, each time that the event is told."""
    if meant.kind == "stop":
        return _silence(runtime, hash_, channel)
    wished = meant.kind in WISHES and meant.certain
    members = {owner.member_id for owner in owners if wished} | ({joined} if joined is not None else set())
    if not members:
        return None
    return Wished(members=tuple(sorted(members)), channels=meant.kind == CHANNEL or joined is not None)


def _where(runtime: Runtime, owner: Owner, intent: str, meant: Intent, now: datetime) -> str:
    """Where help is; or, where we lack an address, the member's own link by which they give it."""
    if intent == NO_CHANNEL and (link := links_of(runtime, owner.member_id, now=now).get(meant.value)):
        return link
    return runtime.settings.help_contact or runtime.settings.public_url


async def apply_opt_out(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    event: OptOut,
    ids: range,
    moves: Moves,
    *,
    now: datetime,
) -> Silence:
    """A complaint or an unsubscribe that the provider passes on."""
    hash_ = address_hash(runtime.key, runtime.specs[channel].address_kind, event.address)
    reason, source = COMPLAINT if event.complaint else "unsubscribe", f"{channel} provider"
    return await silence(
        runtime, connection, hash_, channel, ids, moves, reason=reason, source=source, now=now, about=event.delivery
    )


async def silence(
    runtime: Runtime,
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    ids: range,
    moves: Moves,
    *,
    reason: str,
    source: str,
    now: datetime,
    about: DeliveryRef | None = None,
) -> Silence:
    """Suppress an address and write down who revoked what; `about` is the message that was too much, where known."""
    owners = await owners_of(connection, hash_, channel)
    await revoke_consent(runtime, connection, hash_, channel, owners, iter(ids), moves, reason, source, now, about)
    return _silence(runtime, hash_, channel)


def _silence(runtime: Runtime, hash_: str, channel: str) -> Silence:
    return Silence(address_hash=hash_, channels=tuple(covered(runtime, channel)))


async def _follow_link(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    ids: Iterator[int],
    now: datetime,
) -> int | None:
    """Somebody opened a chat with us by their own link (``t.me/BOT?start=TOKEN``): it is theirs from now on."""
    member_id = read_join_token(runtime.key, event.payload, now)
    if member_id is None:
        return None
    bound = await bind_address(
        runtime, connection, member_id, channel, account, event.sender, ids,
        source=f"opened the chat on {channel} by their own link", wording=event.text, now=now,
    )  # fmt: skip
    return member_id if bound else None


async def _heard(connection: AsyncConnection, hash_: str, channel: str, at: datetime) -> None:
    """They wrote from there just now: it works, and the provider lets us answer freely for a while."""
    await connection.execute(
        sql(
            "UPDATE address SET last_inbound_at = :at, failures = 0, failing_since = NULL"
            " WHERE hash = :hash AND channel = :channel"
        ),
        {"at": to_ms(at), "hash": hash_, "channel": channel},
    )
