"""What people write to us: understood, kept, acted upon and, where nobody else does it, answered once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.binding import bind_address
from router.core.address import address_hash
from router.core.answers import ANSWERED, answer
from router.core.ask import Ask, Text
from router.core.channel import Inbound, OptOut
from router.core.join_links import read_join_token
from router.core.keywords import classify
from router.core.keywords_intent import Intent
from router.core.model import AskKind, CampaignStatus, DeliveryStatus, Lane
from router.dial import TURNS, turn_dial
from router.runtime import Runtime
from router.stops import covered, suppress
from router.store.batches import queue_alone
from router.store.budgets import note_answers
from router.store.bulk import in_numbers, insert_new_rows, numbers
from router.store.campaigns import write_ask
from router.store.tables import action, address, campaign, consent, inbound, to_ms
from router.store.tallies import Moves

IDS_PER_EVENT = 16
"""Numbers that one event may use: its row, consents of a household, an action, an answer and its campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody asked for silence: what must be cancelled once the suppression is committed."""

    address_hash: str
    channels: tuple[str, ...]


class Owner(NamedTuple):
    """Somebody whom an address belongs to."""

    member_id: int
    address_id: int
    locale: str
    account: str
    """The only account that can write to it, "" for any."""


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
    owners = await _owners(connection, hash_, channel)
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
            await _stop(runtime, connection, hash_, channel, owners, numbers_, "stop", f"reply by {channel}", now)
        case "start":
            await _start(runtime, connection, hash_, channel, owners, numbers_, event, now)
        case _ if intent in TURNS and meant.certain:
            days = await turn_dial(connection, [owner.member_id for owner in owners], meant, now=now)
        case _ if event.button or intent in _ANSWERS:
            await _act(runtime, connection, channel, owners, numbers_, intent, event, now)
    answers = intent in ANSWERED and (meant.certain or intent not in TURNS)
    if answers and not event.provider_answers and owners and not event.group:
        words = answer(
            intent,
            locale=owners[0].locale,
            organization=runtime.settings.organization,
            contact=runtime.settings.help_contact or runtime.settings.public_url,
            days=days,
        )
        await _answer(runtime, connection, channel, owners[0], numbers_, words, moves, now)
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
    owners = await _owners(connection, hash_, channel)
    await _stop(runtime, connection, hash_, channel, owners, iter(ids), reason, source, now)
    return _silence(runtime, hash_, channel)


def _silence(runtime: Runtime, hash_: str, channel: str) -> Silence:
    return Silence(address_hash=hash_, channels=tuple(covered(runtime, channel)))


async def _owners(connection: AsyncConnection, hash_: str, channel: str) -> list[Owner]:
    """Everybody who has this address on this channel; more than one is a household."""
    rows = await connection.execute(
        text(
            "SELECT a.member_id, a.id, m.locale, a.account FROM address a JOIN member m ON m.id = a.member_id"
            " WHERE a.hash = :hash AND a.channel = :channel ORDER BY a.member_id LIMIT 10"
        ),
        {"hash": hash_, "channel": channel},
    )
    return [Owner(*row) for row in rows]


async def _stop(
    runtime: Runtime,
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    reason: str,
    source: str,
    now: datetime,
) -> None:
    channels = await suppress(runtime, connection, hash_, channel, reason=reason, source=source, now=now)
    await _consent(connection, hash_, channels, owners, ids, "revoked", source, "", now)


async def _start(
    runtime: Runtime,
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    event: Inbound,
    now: datetime,
) -> None:
    for name in covered(runtime, channel):
        await connection.execute(
            text("DELETE FROM suppression WHERE address_hash = :hash AND channel = :channel"),
            {"hash": hash_, "channel": name},
        )
        runtime.signals.restore(hash_, name)
    await _consent(connection, hash_, [channel], owners, ids, "granted", f"reply by {channel}", event.text, now)


async def _consent(
    connection: AsyncConnection,
    hash_: str,
    channels: Sequence[str],
    owners: Sequence[Owner],
    ids: Iterator[int],
    state: str,
    source: str,
    wording: str,
    now: datetime,
) -> None:
    """Append the consent rows and bring the addresses' present state along."""
    for owner in owners:
        await connection.execute(
            insert(consent).values(
                id=next(ids),
                member_id=owner.member_id,
                channel=channels[0],
                address_hash=hash_,
                state=state,
                basis="consent",
                source=source[:400],
                wording=wording[:1_000],
                at=now,
                recorded_at=now,
            )
        )
    await connection.execute(
        update(address).where(address.c.hash == hash_, address.c.channel.in_(list(channels))).values(consent=state)
    )


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


async def _act(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    kind: str,
    event: Inbound,
    now: datetime,
) -> None:
    """A keyword that answers an ask is an action on the message it answers, or on the last that reached them here."""
    if not owners:
        return
    member_id = owners[0].member_id
    if event.delivery is not None:
        answered = await _answered(runtime, connection, channel, owners, event)
        if answered is not None:
            campaign_id, member_id = answered
            # The same button pressed twice is one answer.
            name = f"{campaign_id}:{member_id}:{kind}"
            row = (next(ids), member_id, campaign_id, kind, "button", name, to_ms(event.at))
            await insert_new_rows(connection, action, _ACTION, [row], returning="id")
        return  # a message that went to somebody else is answered by nobody
    months = [now.year * 100 + now.month, (now.year * 12 + now.month - 2) // 12 * 100 + (now.month - 2) % 12 + 1]
    campaign_id = await connection.scalar(
        text(
            "SELECT campaign_id FROM delivery WHERE member_id = :member"
            f" AND month {in_numbers(connection, 'months')} AND channel = :channel"
            " AND status IN ('sent', 'delivered', 'read', 'unknown', 'sending') ORDER BY id DESC LIMIT 1"
        ),
        {"member": member_id, "months": numbers(connection, months), "channel": channel},
    )
    row = (next(ids), member_id, campaign_id or 0, kind, "keyword", event.event_id[:200], to_ms(event.at))
    await insert_new_rows(connection, action, _ACTION, [row], returning="id")


_ACTION = ("id", "member_id", "campaign_id", "kind", "source", "external_id", "at")


async def _answered(
    runtime: Runtime, connection: AsyncConnection, channel: str, owners: Sequence[Owner], event: Inbound
) -> tuple[int, int] | None:
    """The campaign whose message this answers, and who of the owners answers; None where it went to somebody else."""
    assert event.delivery is not None
    row = (
        await connection.execute(
            text(
                "SELECT d.campaign_id, d.member_id, a.hash FROM delivery d LEFT JOIN address a ON a.id = d.address_id"
                " WHERE d.month = :month AND d.id = :id"
            ),
            {"month": event.delivery.month, "id": event.delivery.id},
        )
    ).one_or_none()
    if row is None:
        return None
    if event.group:
        chat = address_hash(runtime.key, runtime.specs[channel].address_kind, event.group)
        return (row.campaign_id, owners[0].member_id) if row.hash == chat else None
    return next(((row.campaign_id, owner.member_id) for owner in owners if owner.member_id == row.member_id), None)


async def _answer(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    owner: Owner,
    ids: Iterator[int],
    words: str,
    moves: Moves,
    now: datetime,
) -> None:
    """Put an answer into the reply lane: a delivery of this month's standing campaign, with words of its own."""
    month = now.year * 100 + now.month
    campaign_id = await _standing_campaign(connection, month, next(ids), now)
    member_id, address_id = owner.member_id, owner.address_id
    hop = await connection.scalar(
        text(
            "SELECT count(*) FROM delivery WHERE month = :month AND member_id = :member AND campaign_id = :campaign"
            " AND channel = :channel"
        ),
        {"month": month, "member": member_id, "campaign": campaign_id, "channel": channel},
    )
    number = await queue_alone(
        connection,
        (next(ids), next(ids)),
        month=month,
        campaign_id=campaign_id,
        member_id=member_id,
        channel=channel,
        account=owner.account,
        address_id=address_id,
        hop=int(hop or 0),
        lane=int(Lane.REPLY),
        at=to_ms(now),
        costs=False,
    )
    await connection.execute(
        text("INSERT INTO reply_text (month, delivery_id, text, asked_at) VALUES (:month, :id, :text, :at)"),
        {"month": month, "id": number, "text": words, "at": to_ms(now)},
    )
    moves.add(campaign_id, channel, DeliveryStatus.QUEUED)


async def _standing_campaign(connection: AsyncConnection, month: int, fresh_id: int, now: datetime) -> int:
    """The campaign whose deliveries are the answers of this month."""
    found = await connection.scalar(
        text("SELECT min(id) FROM campaign WHERE kind = 'reply' AND month = :month"), {"month": month}
    )
    if found is not None:
        return int(found)
    await connection.execute(
        insert(campaign).values(
            id=fresh_id,
            month=month,
            title="Replies",
            kind=AskKind.REPLY.value,
            status=CampaignStatus.RUNNING.value,
            created_by="router",
            approved_by="router",
            created_at=now,
            launched_at=now,
            starts_at=now,
        )
    )
    ask = Ask(title="Replies", kind=AskKind.REPLY, texts={"en": {"default": Text(text="Reply")}})
    await write_ask(connection, fresh_id, 1, ask, by="router", now=now)
    return fresh_id
