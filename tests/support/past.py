"""A movement with a past, of any size, written by the database itself: members, asks, messages, answers, events, ideas.

For what must be known about a large ledger: how its statements are planned, how soon its pages come. Everything is in
proportion to the members, who are numbered from 1. It is the same on both databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.members import AREAS, midday_zone
from router.core.ask import Ask
from router.core.purse import ANSWERABLE, SPENT, Purse, Slot, encode
from router.drafting import save_campaign
from router.runtime import Runtime
from router.store.tables import campaign, to_ms

ASKS = 4
"""So many asks went to everybody, one a month, the newest in this month."""
SMALL = 60
"""So many further asks stand in the lists."""
FIRST_ASK = 101
CALLS = 201
"""The ask that people ring up for."""

_ADDRESS, _DELIVERY, _ACTION, _CONSENT = 2_000_000_000, 10_000_000_000, 30_000_000_000, 40_000_000_000
_INBOUND, _AUDIT, _BATCH, _EVENT, _IDEA = 50_000_000_000, 60_000_000_000, 70_000_000_000, 80_000_000_000, 85_000_000_000

_TEXTS = {"default": {"text": "Hi {{ first_name }}, dinner on Thursday? Reply YES or STOP"}}
_DINNERS = {
    "title": "Dinners",
    "link": "https://example.org/dinners",
    "wants": "attend",
    "gathering": {"title": "Dinner", "starts_at_local": "2027-12-02T19:00:00", "seats": 8},
    "texts": {"en": _TEXTS},
    "second": {"en": {"default": {"text": "Hi {{ first_name }}, will you eat with us? Reply YES or STOP"}}},
    "goal": {"measure": "yes", "target": 10**9},
    "channels": ["sms", "email"],
}
_CALLING = {"title": "Calls", "wants": "call", "texts": {"en": _TEXTS}, "channels": ["sms", "email"]}


class Past(NamedTuple):
    """What was written, as far as somebody needs to name it."""

    members: int
    months: tuple[int, ...]
    """yyyymm of each of the `ASKS`, the newest first."""
    events: int
    ideas: int
    groups: int

    def ask(self, place: int) -> int:
        """The number of an ask to everybody; 0 is the newest."""
        return FIRST_ASK + place

    def delivery(self, place: int, member: int) -> int:
        """The number of the message of such an ask to a member."""
        return _DELIVERY + place * 10**9 + member

    def event(self, number: int) -> int:
        return _EVENT + number

    def group(self, number: int) -> int:
        return self.members + number


def past_of(members: int, now: datetime) -> Past:
    """What `write_past` wrote, within the same month."""
    return Past(
        members, tuple(_months(now)), events=10 + members // 2_000, ideas=20 + members // 5_000,
        groups=10 + members // 5_000,
    )  # fmt: skip


async def write_past(runtime: Runtime, members: int, *, now: datetime) -> Past:
    """Fill a ledger that is migrated and empty, before anything was written to it, and let the database learn of it.

    The asks and their words are saved by the program; all rows that are many are made by the database.
    """
    past = past_of(members, now)
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE id_block SET next_id = :next"), {"next": members + 100_000})
    saved = [await save_campaign(runtime, Ask.model_validate(ask), by="ana", now=now) for ask in (_DINNERS, _CALLING)]
    sqlite = runtime.store.is_sqlite
    for statement in _statements(past, *(one.id for one in saved), now=now):
        async with runtime.store.write() as connection:
            await connection.execute(text(_spell(statement, sqlite=sqlite)))
    async with runtime.store.write() as connection:
        await _learn(connection)
    return past


async def _learn(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql("ANALYZE")


def _months(now: datetime) -> Iterator[int]:
    at = now
    for _ in range(ASKS):
        yield at.year * 100 + at.month
        at = at.replace(day=1) - timedelta(days=1)


def _spell(statement: str, *, sqlite: bool) -> str:
    """``FROM EACH(n)`` is the numbers 1 to n as ``s.i``; ``:`` is no parameter here."""
    each = (
        "(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {}) SELECT i FROM s) AS s"
        if sqlite
        else "generate_series(CAST(1 AS bigint), {}) AS s(i)"
    )
    before, mark, rest = statement.partition("EACH(")
    if mark:
        number, _, rest = rest.partition(")")
        statement = before + each.format(number) + rest
    return statement.replace(":", "\\:")


def _statements(past: Past, dinners: int, calls: int, *, now: datetime) -> Iterator[str]:
    yield from _people(past, now)
    yield from _asks(past, dinners, calls, now)
    for place in range(ASKS):
        yield from _messages(past, place, now)
    yield from _answers(past, now)
    yield from _community(past, now)
    yield from _office(past, now)


def _people(past: Past, now: datetime) -> Iterator[str]:
    n, at, joined = past.members, to_ms(now), to_ms(now - timedelta(days=400))
    areas = " ".join(f"WHEN {place} THEN '{area}'" for place, area in enumerate(AREAS))
    yield (
        "INSERT INTO member (id, first_name, last_name, name_key, locale, zone, country, place, postcode, attributes,"
        " joined_at, created_at, updated_at) SELECT i, 'First' || (i % 977), 'Last' || i,"
        f" 'first' || (i % 977) || ' last' || i, 'en', '{midday_zone(now)}', 'US', 'Place ' || (i % 500),"
        f" CAST(10000 + i % 5000 AS text), '{{}}', {joined}, {at}, {at} FROM EACH({n})"
    )
    for shift, channel, value in (
        (0, "sms", f"'+1' || CASE i / 10000 {areas} END || '555' || substr(CAST(10000 + i % 10000 AS text), 2)"),
        (1, "email", "'member' || i || '@example.org'"),
    ):  # fmt: skip
        yield (
            "INSERT INTO address (id, member_id, channel, value, hash, state, consent, rank, created_at)"
            f" SELECT {_ADDRESS} + 2 * i + {shift}, i, '{channel}', {value}, '{channel[0]}' || i, 'active', 'granted',"
            f" {shift}, {joined} FROM EACH({n})"
        )
        yield (
            "INSERT INTO consent (id, member_id, channel, address_hash, state, source, wording, at, recorded_at)"
            f" SELECT {_CONSENT} + 2 * i + {shift}, i, '{channel}', '{channel[0]}' || i, 'granted', 'form', 'Yes.',"
            f" {joined}, {joined} FROM EACH({n})"
        )
    for tag, which in (("tenant", "i % 3 > 0"), ("steward", "i % 50 = 0"), ("choir", "i % 1000 = 0")):
        yield f"INSERT INTO member_tag (tag, member_id) SELECT '{tag}', i FROM EACH({n}) WHERE {which}"
    for number in range(100):
        yield f"INSERT INTO member_tag (tag, member_id) SELECT 'house {number}', i FROM EACH(30)"
    week_ago = to_ms(now - timedelta(days=9))
    slots = encode(Purse((Slot(week_ago, _DELIVERY, "sms", SPENT | ANSWERABLE),)))
    yield f"INSERT INTO contact_budget (holder, slots) SELECT i, '{slots}' FROM EACH({n})"
    yield (
        "INSERT INTO suppression (address_hash, channel, reason, at)"
        f" SELECT 's' || i, 'sms', 'stop', {at} FROM EACH({n}) WHERE i % 100 = 9"
    )
    yield (  # of people who are gone
        "INSERT INTO suppression (address_hash, channel, reason, at)"
        f" SELECT 'x' || i, 'sms', 'stop', {at} FROM EACH({n}) WHERE i % 2 = 0"
    )
    yield (
        "INSERT INTO postcode (country, code, name, latitude, longitude) SELECT 'US', CAST(10000 + i AS text),"
        " 'Place ' || (i % 500), 30.0 + (i % 97) * 0.15, -120.0 + (i % 101) * 0.4 FROM EACH(5000)"
    )


def _asks(past: Past, dinners: int, calls: int, now: datetime) -> Iterator[str]:
    own = ("id", "month", "title", "status", "approved_by", "launched_at", "starts_at", "expires_at", "finished_at",
           "recipients", "report_due_at")  # fmt: skip
    same = [column.name for column in campaign.c if column.name not in own]
    for place in range(ASKS + SMALL + 1):
        is_big, is_calling = place < ASKS, place == ASKS + SMALL
        number, template = (CALLS, calls) if is_calling else (FIRST_ASK + place, dinners)
        age = timedelta(days=30 * place if is_big else 3 * (place % 30))
        launched = to_ms(now - age - timedelta(hours=1))
        status = "finished" if is_big or is_calling else ("draft", "finished", "cancelled", "approved")[place % 4]
        went = str(launched) if status in ("finished", "cancelled") else "NULL"
        month = past.months[place] if is_big else past.months[0]
        yield (
            f"INSERT INTO campaign ({', '.join((*own, *same))}) SELECT {number}, {month}, title || ' {place}',"
            f" '{status}', 'bo', {went}, {went}, {went}, {went}, {past.members if is_big else 0},"
            f" {went if is_big else 'NULL'}, {', '.join(same)} FROM campaign WHERE id = {template}"
        )
        yield (
            "INSERT INTO ask_version (campaign_id, version, document, saved_by, saved_at)"
            f" SELECT {number}, version, document, saved_by, saved_at FROM ask_version WHERE campaign_id = {template}"
        )


def _messages(past: Past, place: int, now: datetime) -> Iterator[str]:
    n, month, number = past.members, past.months[place], past.ask(place)
    at = to_ms(now - timedelta(days=30 * place, hours=1))
    mine = f"month = {month} AND campaign_id = {number}"
    status = (
        "CASE i % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'held' WHEN 2 THEN 'sent' WHEN 4 THEN 'read' ELSE 'delivered' END"
    )
    yield (
        "INSERT INTO delivery (month, id, campaign_id, member_id, channel, address_id, status, reason, attempts,"
        f" not_before, claim_id, claimed_at, text_version, sent_at, done_at, costs, variant) SELECT {month},"
        f" {past.delivery(place, 0)} + i, {number}, i, CASE i % 2 WHEN 0 THEN 'sms' ELSE 'email' END,"
        f" {_ADDRESS} + 2 * i + i % 2, {status}, CASE i % 20 WHEN 0 THEN 'unreachable' WHEN 1 THEN 'cap' END, 1,"
        f" {at}, i,"
        f" {at}, 1, {at}, {at}, true, i % 2 FROM EACH({n})"
    )
    yield (
        "INSERT INTO attempt (month, delivery_id, number, account, outcome, provider_id, at)"
        f" SELECT month, id, 1, 'main', 'sent', 'p' || id, {at} FROM delivery WHERE {mine} AND status <> 'held'"
    )
    yield (
        "INSERT INTO receipt (month, delivery_id, event_id, status, moved, at) SELECT month, id, 'e' || id,"
        " status, true,"
        f" {at} FROM delivery WHERE {mine} AND status IN ('delivered', 'read', 'failed')"
    )
    yield (
        "INSERT INTO tally (campaign_id, channel, status, reason, count) SELECT campaign_id, channel, status,"
        f" coalesce(reason, ''), count(*) FROM delivery WHERE {mine} GROUP BY campaign_id, channel, status, reason"
    )
    yield (
        "INSERT INTO reaction (campaign_id, channel, kind, variant, count)"
        f" SELECT {number}, 'sms', 'opt_out', i - 1, {n // 500 + 1} FROM EACH(2)"
    )
    yield (
        "INSERT INTO spending (month, campaign_id, currency, micros)"
        f" SELECT {month}, {number}, 'USD', {n * 4_000} FROM EACH(1)"
    )
    yield (
        "INSERT INTO batch (id, month, campaign_id, channel, lane, first_id, last_id, open, not_before)"
        f" SELECT {_BATCH} + {place * 10**7} + i, {month}, {number}, CASE i % 2 WHEN 0 THEN 'sms' ELSE 'email' END, 2,"
        f" {past.delivery(place, 1)} + 20 * (i - 1), {past.delivery(place, 0)} + 20 * i, false, {at}"
        f" FROM EACH({n // 20 + 1})"
    )
    yield (
        "INSERT INTO route_range (campaign_id, first_member, last_member, routed_at)"
        f" SELECT {number}, 1000 * (i - 1) + 1, 1000 * i, {at} FROM EACH({n // 1000 + 1})"
    )
    kinds = "CASE i % 10 WHEN 0 THEN 'yes' WHEN 1 THEN 'click' ELSE 'gave' END"
    yield (
        "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at, amount, currency, channel)"
        f" SELECT {_ACTION + place * 10**9} + i, i, {number}, {kinds}, 'link', '{place}.' || i, {at},"
        " CASE i % 10 WHEN 2 THEN 1000 ELSE 0 END, CASE i % 10 WHEN 2 THEN 'USD' ELSE '' END,"
        f" CASE i % 2 WHEN 0 THEN 'sms' ELSE 'email' END FROM EACH({n}) WHERE (i + {place}) % 10 < 3 AND i % 10 < 3"
    )
    if place == 0:
        yield (
            "INSERT INTO reply_text (month, delivery_id, text, asked_at) SELECT month, id, 'At seven.', "
            f"{at} FROM delivery WHERE {mine} AND member_id % 10 = 6"
        )
        yield (
            "INSERT INTO ask_claim (campaign_id, member_id, address_hash)"
            f" SELECT {number}, i, CASE i % 2 WHEN 0 THEN 's' ELSE 'e' END || i FROM EACH({n})"
        )


def _answers(past: Past, now: datetime) -> Iterator[str]:
    n, at = past.members, to_ms(now - timedelta(hours=2))
    yield (
        "INSERT INTO inbound (id, month, channel, account, event_id, sender_hash, member_id, text, intent, at)"
        f" SELECT {_INBOUND} + i, {past.months[0]}, 'sms', 'main', 'm' || i, 's' || i, i, 'When does it begin?',"
        f" 'none', {at}"
        f" FROM EACH({n}) WHERE i % 10 = 5"
    )
    yield (
        "INSERT INTO thread (member_id, status, channel, address_id, campaign_id, inbound_id, inbound_month,"
        " messages, waiting,"
        " waiting_since, last_in_at, claimed_by) SELECT i, CASE i % 100 WHEN 5 THEN 'open' WHEN 15 THEN 'claimed' ELSE"
        f" 'done' END, 'sms', {_ADDRESS} + 2 * i, {past.ask(0)}, {_INBOUND} + i, {past.months[0]}, 1, CASE WHEN i"
        f" % 100 < 20 THEN 1 ELSE 0"
        f" END, CASE WHEN i % 100 < 20 THEN {at} - i END, {at} - i, CASE i % 100 WHEN 15 THEN 'ana' END FROM"
        f" EACH({n}) WHERE i % 10 = 5"
    )
    yield (
        "INSERT INTO parked_receipt (channel, event_id, provider_id, status, at, parked_at)"
        f" SELECT 'sms', 'x' || i, 'y' || i, 'delivered', {at}, {at} FROM EACH(500)"
    )
    yield (
        "INSERT INTO join_code (code, title, created_by, created_at)"
        f" SELECT 'HOUSE' || i, 'House ' || i, 'ana', {at} FROM EACH(20)"
    )
    yield (
        "INSERT INTO joined (member_id, channel, code, at) SELECT i, 'sms', 'HOUSE' || (1 + i % 20),"
        f" {at} FROM EACH({n}) WHERE i % 5 = 0"
    )
    yield (
        "INSERT INTO forward (campaign_id, member_id, opened, at)"
        f" SELECT {past.ask(0)}, i, 1, {at} FROM EACH({n}) WHERE i % 50 = 2"
    )
    yield (
        "INSERT INTO forwarded (campaign_id, brought_id, member_id, joined, at)"
        f" SELECT {past.ask(0)}, i + 1, i, {at}, {at} FROM EACH({n - 1}) WHERE i % 50 = 2"
    )


def _community(past: Past, now: datetime) -> Iterator[str]:
    n, at = past.members, to_ms(now)
    day = 86_400_000
    yield (
        "INSERT INTO event (id, campaign_id, number, status, title, host_id, area, country, postcode, latitude,"
        " longitude,"
        " zone, starts_at, ends_at, capacity, created_by, created_at, approved_by)"
        f" SELECT {_EVENT} + i, {past.ask(0)}, i, CASE i % 10 WHEN 9 THEN 'proposed' ELSE 'open' END, 'Dinner ' ||"
        f" i, i,"
        " 'Place ' || (i % 500), 'US', CAST(10000 + i % 5000 AS text), 30.0 + (i % 97) * 0.15, -120.0 + (i % 101)"
        " * 0.4,"
        f" 'America/New_York', {at} + (i * 7 % 60 - 30) * {day} + 3600000, {at} + (i * 7 % 60 - 30) * {day} +"
        f" 10800000, 300, 'ana',"
        f" {at}, 'bo' FROM EACH({past.events})"
    )
    yield (
        "INSERT INTO rsvp (event_id, member_id, status, seats, number, at, changed_at)"
        f" SELECT {_EVENT} + 1 + (i / 20) % {past.events}, i, CASE i % 40 WHEN 3 THEN 'confirmed' ELSE 'came' END,"
        f" 1, i,"
        f" {at}, {at} FROM EACH({n}) WHERE i % 20 = 3"
    )
    yield (
        "INSERT INTO call_line (id, campaign_id, place, name, phone, opens_at, closes_at, slot_minutes, per_slot)"
        f" SELECT {_EVENT} - i, {CALLS}, 'Place ' || i, 'The minister', '+12025550100', {at}, {at} + {day}, 10, 5"
        " FROM EACH(20)"
    )
    yield (
        "INSERT INTO call (campaign_id, member_id, line_id, slot_at, status, result, at)"
        f" SELECT {CALLS}, i, {_EVENT} - 1 - i % 20, {at}, 'called', 'Said no.', {at} FROM EACH({n}) WHERE i % 50 = 7"
    )
    yield (
        "INSERT INTO phoned (campaign_id, external_id, member_id, result, by, at)"
        f" SELECT {past.ask(0)}, 'c' || i, i, 'spoke', 'ana', {at} FROM EACH({n}) WHERE i % 200 = 3"
    )
    yield (
        "INSERT INTO proposal (id, number, member_id, text, status, seconds, channel, created_at, changed_at)"
        f" SELECT {_IDEA} + i, i, i, 'Let us paint the hall, part ' || i || '.', CASE i % 20 WHEN 0 THEN 'held'"
        f" ELSE 'open'"
        f" END, {n // 25 // past.ideas}, 'sms', {at}, {at} FROM EACH({past.ideas})"
    )
    yield (
        "INSERT INTO proposal_second (proposal_id, about, member_id, address_hash, at)"
        f" SELECT {_IDEA} + 1 + i % {past.ideas}, 'idea', i, 's' || i, {at} FROM EACH({n}) WHERE i % 25 = 1"
    )
    yield (
        "INSERT INTO member (id, kind, first_name, attributes, joined_at, created_at, updated_at)"
        f" SELECT {n} + i, 'group', 'House ' || i, '{{}}', {at}, {at}, {at} FROM EACH({past.groups})"
    )
    yield (
        "INSERT INTO address (id, member_id, channel, value, hash, state, consent, created_at)"
        f" SELECT {_ADDRESS} - i, {n} + i, 'telegram', '-100' || i, 'g' || i, 'active', 'granted', {at}"
        f" FROM EACH({past.groups})"
    )
    yield f"INSERT INTO group_chat (group_id, at) SELECT {n} + i, {at} FROM EACH({past.groups})"
    yield (
        "INSERT INTO group_member (group_id, member_id, source, at)"
        f" SELECT {n} + 1 + (i / 20) % {past.groups}, i, 'spoke', {at} FROM EACH({n}) WHERE i % 20 = 1"
    )


def _office(past: Past, now: datetime) -> Iterator[str]:
    at = to_ms(now - timedelta(days=100))
    entries = 2_000 + past.members // 20
    deed = "CASE i % 5 WHEN 0 THEN 'campaign.launch' WHEN 1 THEN 'member.look' ELSE 'member.tag' END"
    subject = f"CASE i % 5 WHEN 0 THEN {FIRST_ASK} + i % {ASKS + SMALL} ELSE 1 + i % {past.members} END"
    yield (
        "INSERT INTO audit (id, at, who, what, subject, detail)"
        f" SELECT {_AUDIT} + i, {at} + i, 'ana', {deed}, CAST({subject} AS text), '{{}}' FROM EACH({entries})"
    )
    yield (
        "INSERT INTO notice (kind, subject, sentence, count, first_at, last_at)"
        f" SELECT 'unknown_code', 'sms ' || i, 'The code ' || i || ' is not known here.', 1, {at}, {at} FROM EACH(100)"
    )
    yield (
        "INSERT INTO import_job (id, file_name, file_sha256, options, status, rows_done, report, started_by,"
        " started_at,"
        f" finished_at) SELECT {_IDEA} - i, 'members ' || i || '.csv', 'f' || i, '{{}}', 'finished', 100,"
        f" '{{}}', 'ana', {at}, {at} FROM EACH(100)"
    )
    yield (
        'INSERT INTO import_problem (import_id, line, "column", sentence)'
        f" SELECT {_IDEA} - 1, i, 'Mobile', 'is no telephone number' FROM EACH(2000)"
    )
