"""Somebody joins by their own word, from the address itself: no second confirmation is needed (FACTS.md 4.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.binding import bind_address
from router.community.join_codes import Code, give_tags
from router.community.welcome import code_of, mark_welcomed, welcome_words
from router.core.channel import Inbound
from router.core.model import ConsentState
from router.core.phrases import say
from router.owners import Owner, agree, is_silenced, owners_of
from router.records.members import take_in
from router.records.pages import lock
from router.records.ready import Reading, prepare
from router.records.record import ConsentRecord, MemberRecord
from router.runtime import Runtime
from router.store.tables import to_ms

_FIELDS = {"sms": "phone", "whatsapp": "whatsapp", "telegram": "telegram", "slack": "slack"}
"""channel → where a record names the address that somebody writes from. Who writes by another is known already."""


async def admit(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    hash_: str,
    owner: Owner,
    owners: Sequence[Owner],
    code: Code | None,
    ids: Iterator[int],
    *,
    source: str,
    wording: str,
    now: datetime,
    agreed: bool = False,
) -> tuple[str, bool]:
    """Let `owner` in with the consent that their words are; returns what they are answered, and if it is a welcome.

    The consent is the address's, so it counts for all `owners` of it. `agreed` where it was kept a moment ago. Where
    they said STOP before, nothing changes and the answer says how to come back.
    """
    organization = runtime.settings.organization
    if await is_silenced(connection, hash_, channel):
        return say("joining.stopped", owner.locale, organization=organization), False
    before = await code_of(connection, owner.member_id, channel)
    came_by = code or before
    fresh = await mark_welcomed(connection, owner.member_id, channel, code.code if code else "", now=now)
    if not agreed and (fresh or await consent_of(connection, owner) is not ConsentState.GRANTED):
        await agree(connection, hash_, channel, owners, ids, source=source, wording=wording, now=now)
        await connection.execute(
            text("UPDATE address SET state = 'active' WHERE hash = :hash AND channel = :channel"),
            {"hash": hash_, "channel": channel},
        )
    if came_by is not None:
        await give_tags(connection, owner.member_id, came_by)
    if fresh:
        return welcome_words(runtime, owner.locale, came_by, now=now), True
    if code is not None and (before is None or before.code != code.code):
        return say("joining.also", owner.locale, organization=organization, title=code.title), False
    return say("joining.already", owner.locale, organization=organization), False


async def consent_of(connection: AsyncConnection, owner: Owner) -> ConsentState:
    """What an owner's word about their address amounts to."""
    state = await connection.scalar(text("SELECT consent FROM address WHERE id = :id"), {"id": owner.address_id})
    return ConsentState(state or "none")


async def enter_stranger(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    hash_: str,
    code: Code | None,
    ids: Iterator[int],
    *,
    locale: str,
    source: str,
    now: datetime,
) -> tuple[Owner, bool] | None:
    """Whoever writes from an address that is nobody's there becomes a member, or gets it added to their record.

    With a `code` their word is their consent; without, the address waits for a YES. Returns them, and whether this
    call entered them: two processes may hear of the same person at once, and the second finds the first one's record.
    None where the address is none that a person can have.
    """
    field = _FIELDS.get(channel)
    if field is None:
        return None
    await lock(connection)
    if there := await owners_of(connection, hash_, channel):
        return there[0], False
    elsewhere = await connection.scalar(text("SELECT min(member_id) FROM address WHERE hash = :hash"), {"hash": hash_})
    own = channel in ("telegram", "slack")
    said = ConsentRecord(
        channel=channel,
        state="granted" if code is not None else "unconfirmed",
        source=source,
        wording=event.text[:1_000],
        at=now,
    )
    values = {
        field: f"{event.sender}@{account}" if own else event.sender,
        "locale": "" if elsewhere is not None else locale,
        "tags": list(code.tags) if code is not None else [],
        "consents": [said],
    }
    reading = Reading(key=runtime.key, region=runtime.settings.default_region, source=source, accounts=runtime.channels)
    # A short code or a sender's name is no address of a person: what cannot be used leaves nobody to enter.
    row = prepare(MemberRecord.model_validate(values), reading, lambda field, sentence: None)
    chunk = await take_in(connection, [row], stamp=to_ms(now), ids=ids)
    person = chunk.told[0].person
    if person is None and elsewhere is not None and code is not None:
        # A household shares this number elsewhere: nobody can tell who of them writes, so it is the first one's.
        await bind_address(
            runtime, connection, int(elsewhere), channel, account, event.sender, ids, source=source,
            wording=event.text, now=now,
        )  # fmt: skip
    elif person is not None and person.fresh and code is not None and code.campaign_id:
        await connection.execute(
            text("UPDATE member SET joined_by = :campaign WHERE id = :id"),
            {"campaign": code.campaign_id, "id": person.id},
        )
    there = await owners_of(connection, hash_, channel)
    return (there[0], True) if there else None
