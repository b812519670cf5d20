"""What people write to us: understood, kept, acted upon and, where nobody else does it, answered once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import answer_back
from router.binding import bind_address
from router.core.address import address_hash
from router.core.answers import ANSWERED, answer
from router.core.channel import Inbound, OptOut
from router.core.join_links import read_join_token
from router.core.keywords import classify
from router.core.keywords_intent import Intent
from router.deeds import act_on
from router.dial import TURNS, turn_dial
from router.owners import Owner, grant_consent, owners_of, revoke_consent
from router.runtime import Runtime
from router.stops import covered
from router.store.budgets import note_answers
from router.store.bulk import insert_new_rows
from router.store.tables import inbound, to_ms
from router.store.tallies import Moves

IDS_PER_EVENT = 16
"""Numbers that one event may use: its row, consents of a household, an action, an answer and its campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody asked for silence: what must be cancelled once the suppression is committed."""

    address_hash: str
    channels: tuple[str, ...]


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
) -> Silence | None:
    """Keep what somebody wrote and do what it says, once however often the provider delivers it."""
    numbers_ = iter(ids)
    hash_ = address_hash(runtime.key, runtime.specs[channel].address_kind, event.sender)
    if event.payload and not event.group:
        await _follow_link(runtime, connection, channel, account, event, numbers_, now)
    owners = await owners_of(connection, hash_, channel)
    if owners and not event.group:
        await _heard(connection, hash_, channel, event.at)
        await note_answers(connection, {owner.member_id: event.at for owner in owners})
    meant = _meant(runtime, event, owners)
    intent = meant.kind
    days = 0
    row = (
        next(numbers_), channel, account, event.event_id[:200], hash_, owners[0].member_id if owners else None,
        event.text[:10_000], intent, to_ms(event.at),
    )  # fmt: skip
    columns = ("id", "channel", "account", "event_id", "sender_hash", "member_id", "text", "intent", "at")
    if not await insert_new_rows(connection, inbound, columns, [row], returning="id"):
        return _silence(runtime, hash_, channel) if intent == "stop" else None
    match intent:
        case "stop":
            await revoke_consent(
                runtime, connection, hash_, channel, owners, numbers_, "stop", f"reply by {channel}", now
            )
        case "start":
            await grant_consent(runtime, connection, hash_, channel, owners, numbers_, event, now)
        case _ if intent in TURNS and meant.certain:
            days = await turn_dial(connection, [owner.member_id for owner in owners], meant, now=now)
        case _ if event.button or intent in _ANSWERS:
            await act_on(runtime, connection, channel, owners, numbers_, intent, event, now)
    answers = intent in ANSWERED and (meant.certain or intent not in TURNS)
    if answers and not event.provider_answers and owners and not event.group:
        words = answer(
            intent,
            locale=owners[0].locale,
            organization=runtime.settings.organization,
            contact=runtime.settings.help_contact or runtime.settings.public_url,
            days=days,
        )
        await answer_back(connection, channel, owners[0], numbers_, words, moves, now)
    return _silence(runtime, hash_, channel) if intent == "stop" else None


_ANSWERS = ("yes", "no", "number", "postcode", "amount")
"""Intents that answer an ask. Others (WHY, JOIN, PROPOSE …) are kept with what was written, for what will read them."""


def _meant(runtime: Runtime, event: Inbound, owners: Sequence[Owner]) -> Intent:
    """What the provider itself understood; else our reading; for a button always the keyword that it carries."""
    if event.keyword is not None:
        return Intent(event.keyword.value)
    meant = classify(event.text, owners[0].locale if owners else None, table=runtime.keywords)
    if event.button and meant.kind == "none":
        return Intent(event.text.strip().lower()[:20])
    return meant


async def apply_opt_out(
    runtime: Runtime, connection: AsyncConnection, channel: str, event: OptOut, ids: range, *, now: datetime
) -> Silence:
    """A complaint or an unsubscribe that the provider passes on."""
    hash_ = address_hash(runtime.key, runtime.specs[channel].address_kind, event.address)
    reason = "complaint" if event.complaint else "unsubscribe"
    return await silence(runtime, connection, hash_, channel, ids, reason=reason, source=f"{channel} provider", now=now)


async def silence(
    runtime: Runtime,
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    ids: range,
    *,
    reason: str,
    source: str,
    now: datetime,
) -> Silence:
    """Suppress an address and write down who revoked what."""
    owners = await owners_of(connection, hash_, channel)
    await revoke_consent(runtime, connection, hash_, channel, owners, iter(ids), reason, source, now)
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
) -> None:
    """Somebody opened a chat with us by their own link (``t.me/BOT?start=TOKEN``): it is theirs from now on."""
    member_id = read_join_token(runtime.key, event.payload, now)
    if member_id is not None:
        await bind_address(
            runtime, connection, member_id, channel, account, event.sender, ids,
            source=f"opened the chat on {channel} by their own link", wording=event.text, now=now,
        )  # fmt: skip


async def _heard(connection: AsyncConnection, hash_: str, channel: str, at: datetime) -> None:
    """They wrote from there just now: it works, and the provider lets us answer freely for a while."""
    await connection.execute(
        text(
            "UPDATE address SET last_inbound_at = :at, failures = 0, failing_since = NULL"
            " WHERE hash = :hash AND channel = :channel"
        ),
        {"at": to_ms(at), "hash": hash_, "channel": channel},
    )
