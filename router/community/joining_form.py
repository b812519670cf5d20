"""Joining by the form: anybody could have filled it in, so each address is asked to confirm itself (double opt-in).

Whoever fills it in learns nothing of who is known here: the page says the same to everybody. What it says about people
who are known already is not believed either: it changes nothing of their records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, To, tell
from router.community.forwarding import note_brought
from router.community.join_codes import Code
from router.community.joining_confirm import confirmable, source_of
from router.community.joining_links import confirm_link
from router.community.welcome import how_often
from router.core.address import address_hash, normalise
from router.core.errors import BadAddress, BadInput
from router.core.model import ConsentState
from router.core.phrases import say
from router.owners import is_silenced, owners_of
from router.records.members import ids_needed, take_in
from router.records.pages import lock
from router.records.ready import Reading, prepare, refuse
from router.records.record import ConsentRecord, MemberRecord
from router.runtime import Runtime
from router.signals import Wake
from router.store.tables import to_ms
from router.store.tallies import Moves

KINDS = {"sms": "phone", "email": "email"}
"""The channels that a form can name an address on, and the kind of each. (WhatsApp lets nobody write first to ask.)"""

ASK_AGAIN = timedelta(days=1)
"""The same form twice does not send twice within a day."""

MOST_ASKS = 3
"""An address that never confirms is left in peace after so many. Our own number: anybody can fill in a form, and every
message to somebody who did not ask for it is one too many."""

USELESS_AFTER = timedelta(hours=1)
"""A question that could not leave within this time is not asked any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A form as somebody filled it in; `addresses` are those that they ticked: channel → as they wrote it."""

    addresses: dict[str, str]
    locale: str
    first_name: str = ""
    last_name: str = ""
    postcode: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    channel: str
    value: str
    hash: str


def wording(runtime: Runtime, channel: str, locale: str) -> str:
    """What somebody agrees to beside an address of theirs, word for word."""
    organization = runtime.settings.organization
    return say(f"joining.agree_{channel}", locale, organization=organization, often=how_often(runtime))


def version_of(words: str) -> str:
    """The version of a wording: a sum of the words themselves, so that no two wordings share one."""
    return blake2b(words.encode(), digest_size=4).hexdigest()


async def take_form(runtime: Runtime, code: Code, filled: Filled, *, now: datetime) -> int:
    """Keep whom the form names, unconfirmed, and ask each address to confirm itself; returns how many were asked.

    An address that said STOP gets nothing and is not kept. Raises `BadInput` naming the field that cannot be used.
    """
    places = [_place(runtime, channel, raw) for channel, raw in filled.addresses.items()]
    if not places:
        raise BadInput("give a phone number or an email, and agree to messages there", place="phone")
    new = _record(runtime, code, filled, places, now)
    reading = Reading(key=runtime.key, region=runtime.settings.default_region, source=source_of(code))
    needed = ids_needed([prepare(new, reading, refuse)]) + len(places) * (4 + IDS_PER_MESSAGE)
    ids = await runtime.store.take_ids(needed)

    async def work(connection: AsyncConnection) -> int:
        fresh_ids, moves = iter(ids), Moves()
        await lock(connection)
        open_ = [one for one in places if not await is_silenced(connection, one.hash, one.channel)]
        known = [one for one in open_ if await _is_known(connection, one.hash)]
        unknown = [one for one in open_ if one not in known]
        if unknown:
            await _enter(connection, runtime, code, _record(runtime, code, filled, unknown, now), fresh_ids, now)
        for one in known:
            # By its address alone: a stranger's word about somebody's name or place is not taken.
            bare = Filled(addresses={}, locale=filled.locale)
            await _enter(connection, runtime, None, _record(runtime, None, bare, [one], now), fresh_ids, now)
        asked = 0
        for one in open_:
            asked += await _ask(runtime, connection, code, one, fresh_ids, moves, now=now)
        await moves.write(connection)
        return asked

    asked = await runtime.store.transact(work)
    if asked:
        runtime.signals.wake(Wake.SEND)
    return asked


def _place(runtime: Runtime, channel: str, raw: str) -> _Place:
    kind = KINDS[channel]
    try:
        value = normalise(kind, raw, runtime.settings.default_region)
    except BadAddress as error:
        raise BadInput(error.sentence, place=kind) from None
    return _Place(channel, value, address_hash(runtime.key, kind, value))


def _record(
    runtime: Runtime, code: Code | None, filled: Filled, places: Sequence[_Place], now: datetime
) -> MemberRecord:
    """These addresses of a person, each with what they read when they ticked it."""
    consents = []
    for one in places:
        words = wording(runtime, one.channel, filled.locale)
        source = f"{source_of(code)}, wording {version_of(words)}"
        consents.append(ConsentRecord(channel=one.channel, state="unconfirmed", source=source, wording=words, at=now))
    values = {KINDS[one.channel]: one.value for one in places}
    about = {} if code is None else {
        "first_name": filled.first_name, "last_name": filled.last_name, "postcode": filled.postcode,
        "locale": filled.locale, "tags": list(code.tags),
    }  # fmt: skip
    return MemberRecord.model_validate({**values, **about, "consents": consents})


async def _enter(
    connection: AsyncConnection,
    runtime: Runtime,
    code: Code | None,
    record: MemberRecord,
    ids: Iterator[int],
    now: datetime,
) -> None:
    reading = Reading(key=runtime.key, region=runtime.settings.default_region, source=source_of(code))
    chunk = await take_in(connection, [prepare(record, reading, refuse)], stamp=to_ms(now), ids=ids)
    person = chunk.told[0].person
    if person is not None and person.fresh and code is not None and code.campaign_id:
        await connection.execute(
            text("UPDATE member SET joined_by = :campaign WHERE id = :id"),
            {"campaign": code.campaign_id, "id": person.id},
        )
        if code.passed_by:
            await note_brought(
                connection, campaign_id=code.campaign_id, member_id=code.passed_by, brought_id=person.id, now=now
            )


async def _is_known(connection: AsyncConnection, hash_: str) -> bool:
    return await connection.scalar(text("SELECT 1 FROM address WHERE hash = :hash"), {"hash": hash_}) is not None


async def _ask(
    runtime: Runtime,
    connection: AsyncConnection,
    code: Code,
    place: _Place,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> bool:
    """Ask an address to confirm itself; False where it did, where it said no, or where it was asked of late."""
    owners = await owners_of(connection, place.hash, place.channel)
    states = [(await confirmable(connection, owner.address_id), owner) for owner in owners]
    waiting = [owner for found, owner in states if found and found[3] is not ConsentState.GRANTED]
    if not waiting or len(waiting) < len(owners):
        return False  # it belongs to somebody who hears from us there, or wants nothing
    owner = waiting[-1]
    await connection.execute(
        text(
            "INSERT INTO joined (member_id, channel, code, at) VALUES (:member, :channel, :code, :now)"
            " ON CONFLICT (member_id, channel) DO UPDATE SET code = excluded.code"
        ),
        {"member": owner.member_id, "channel": place.channel, "code": code.code, "now": to_ms(now)},
    )
    may = await connection.execute(
        text(
            "UPDATE joined SET asks = asks + 1, asked_at = :now WHERE member_id = :member AND channel = :channel"
            " AND asks < :most AND (asked_at IS NULL OR asked_at <= :before)"
        ),
        {
            "now": to_ms(now), "member": owner.member_id, "channel": place.channel, "most": MOST_ASKS,
            "before": to_ms(now - ASK_AGAIN),
        },
    )  # fmt: skip
    if not may.rowcount:
        return False
    values: dict[str, object] = {"organization": runtime.settings.organization, "title": code.title}
    if place.channel == "email":
        values["link"] = confirm_link(runtime, owner.address_id, now=now)
    words = say(f"joining.confirm_{place.channel}", owner.locale, **values)
    to = To(owner.member_id, place.channel, owner.address_id, owner.account)
    await tell(connection, to, ids, words, moves, saying=Saying.CONFIRM, now=now, until=now + USELESS_AFTER)
    return True
