"""No statement of a running program reads a large table from end to end; and no index is there for nothing.

The statements are the program's own, written down while an ask goes out, is answered and stopped, and while every page
is looked at, over a ledger of ten thousand members with a past.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from router.store.tables import metadata
from tests.support.movement import Movement, everywhere
from tests.support.office import Entered, come_in
from tests.support.pages import Sight, sights
from tests.support.past import write_past
from tests.support.plans import Plan, PostgresPlanner, SqlitePlanner, Statement, written_down
from tests.support.settling import working

MEMBERS = 10_000
BIG = frozenset(
    {
        "member", "address", "member_tag", "consent", "contact_budget", "suppression", "delivery", "attempt", "receipt",
        "ask_claim", "inbound", "thread", "action", "batch", "reply_text", "audit", "rsvp", "joined",
    }
)  # fmt: skip
"""Tables that grow with the members, with what is sent to them or with the years."""

ANSWERS = ("YES", "at what time?", "STOP", "HELP")

WHOLE: Mapping[str, str] = {
    r"SELECT count\(\*\) AS count_1 FROM member WHERE .*": "an audience is counted as it is",
    r"SELECT member_id, hash FROM address WHERE .*": "the dry run of a launch: who shares an address",
    r"SELECT member_id, (string_agg|group_concat)\(.*": "the dry run of a launch: ways to the members of a range",
    r"SELECT count\(\*\) AS count_1 FROM \(SELECT member.id AS id FROM member .* LIMIT .*": "counts a few and stops",
    r"SELECT (d\.)?variant, .*": "two texts are compared message by message, of many every few minutes",
    r"SELECT count\(\*\) FROM \(SELECT FROM \w+_default .*": "counts a few and stops, once a day",
    r"SELECT EXISTS \(SELECT FROM \w+_default .*": "looks for one, before a month gets its partition",
}
"""Statements that read a large table to its end, or a month of it, and why they may."""

HOT: Mapping[str, str] = {
    "lease": r"SELECT b\.id, b\.month, .* FROM batch b JOIN campaign c .* LIMIT 1.*",
    "lease, taken": r"UPDATE batch SET owner = .*",
    "claim of a batch": r"SELECT d\.id, d\.attempts, d\.costs, .* FROM delivery d .*",
    "intent": r"UPDATE delivery SET status = 'sending', .*",
    "lease, renewed": r"UPDATE batch SET leased_until = .*",
    "outcomes": r"UPDATE delivery SET status = .*sent_at = coalesce.*",
    "attempts": r"INSERT INTO attempt .*",
    "a batch closes": r"UPDATE batch SET open = false.*",
    "members of a range": r"SELECT member\.id, member\.household_id, .* FROM member WHERE .*",
    "addresses of a range": r"SELECT a\.member_id, a\.id, a\.hash, .* LEFT JOIN suppression s .*",
    "budget rows of a range": r"SELECT holder, slots FROM contact_budget WHERE holder BETWEEN .*",
    "budget rows, written": r"""(UPDATE|INSERT INTO) "?contact_budget"? .*""",
    "claims of people and addresses": r"INSERT INTO ask_claim .*",
    "receipts, matched": r"SELECT month, id, campaign_id, .* FROM delivery WHERE month = .* AND id .*",
    "receipts, kept": r"INSERT INTO receipt .*",
    "receipts, parked": r"SELECT p\.channel, .* FROM parked_receipt p JOIN attempt a .*",
    "inbound": r"UPDATE address SET last_inbound_at = .*",
    "what somebody was asked last": r"SELECT d\.month, d\.id AS delivery, d\.member_id, .*",
    "a STOP, kept": r"INSERT INTO suppression .*",
    "a STOP, what waits": r"SELECT d\.month, d\.id, d\.campaign_id, d\.member_id, .* FROM address a JOIN delivery d .*",
    "tally": r"INSERT INTO tally .*",
    "page of members": r"SELECT member\.id, member\.kind, .* FROM member WHERE member\.id > .*",
    "page of the inbox": r"SELECT thread\.member_id, .* UNION ALL .*",
    "page of the audit": r"SELECT anon_1\.id, anon_1\.at, .* FROM audit .*",
    "page of a member": r"SELECT d\.campaign_id, c\.title, c\.kind, .* FROM delivery d .*",
    "what people did": r"SELECT kind, currency, count.*",
}
"""Statements that run for every message, every answer or every look at a page: these at least were written down."""

SELDOM: Mapping[str, str] = {
    "uq_ask_claim_member": "refuses a second ask to a person",
    "uq_ask_claim_address": "refuses a second ask to an address",
    "ix_joined_code": "how many came by a code (`outreach join-code`)",
    "ix_batch_released_at": "gives time back to what waited for the inbox",
    "ix_audit_place": "the audit as a chain: where the next link goes",
    "ix_audit_unsealed": "the audit as a chain: what is no link of it yet",
    "ix_batch_campaign_id": "batches of one ask, when it is cancelled or goes on",
    "ix_member_household_id": "who shares a budget, for somebody in a household",
}
"""Indexes of large tables that none of these statements needs, and what does."""


class Watched(NamedTuple):
    """A ledger, and what the program asked of it."""

    planner: SqlitePlanner | PostgresPlanner
    statements: list[Statement]
    failed: list[str]
    """Pages that did not come."""

    def plans(self) -> dict[str, Plan]:
        found = asyncio.run(self.planner.plan(self.statements))
        return {statement.sql: plan for statement, plan in zip(self.statements, found, strict=True)}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[Watched]:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("plans") / "ledger.sqlite3"
        shutil.copy(sqlite_template, path)
        url = f"sqlite:///{path}"
        yield Watched(SqlitePlanner(url), *asyncio.run(live(url)))
    else:
        with request.getfixturevalue("databases").fresh() as url:
            yield Watched(PostgresPlanner(url), *asyncio.run(live(url)))


async def live(url: str) -> tuple[list[Statement], list[str]]:
    """What the program asked of the ledger, and the pages that did not come."""
    async with everywhere(url) as movement:
        past = await write_past(movement.runtime, MEMBERS, now=movement.clock())
        me = await come_in(movement.runtime, now=movement.clock())
        with written_down(movement.runtime.store) as found:
            async with working(movement):
                ask = await an_ask_is_answered(movement)
                seen = await sights(movement.runtime, past, running=ask, now=movement.clock())
                failed = await pages_are_looked_at(movement, me, seen)
        return list(found.values()), failed


async def an_ask_is_answered(movement: Movement) -> int:
    """It goes to forty people; some answer, one says STOP, all receipts come back."""
    people = await movement.add_members(40)
    for number in people:
        await movement.execute("INSERT INTO member_tag (tag, member_id) VALUES ('guests', :id)", id=number)
    ask = await movement.launch(audience={"op": "tag", "tag": "guests"})
    await movement.until(lambda: len(movement.received()) == 40, 60)
    for address, words in zip(list(movement.received()), ANSWERS, strict=False):
        movement.sandbox.phones.reply(address, words)

    async def all_is_heard() -> bool:
        [[heard]] = await movement.execute(
            "SELECT count(*) FROM inbound WHERE member_id BETWEEN :first AND :last", first=people[0], last=people[-1]
        )
        return bool(heard == len(ANSWERS))

    await movement.until(all_is_heard, 30)
    await movement.sandbox.idle()
    return ask


async def pages_are_looked_at(movement: Movement, me: Entered, seen: list[Sight]) -> list[str]:
    failed: list[str] = []
    url = movement.runtime.settings.public_url
    async with aiohttp.ClientSession(url, headers=me.headers) as client:
        for one in seen:
            if one.path.endswith("/events"):
                continue  # a stream
            form = None if one.form is None else {**one.form, "csrf": me.csrf}
            method = "GET" if form is None else "POST"
            async with client.request(method, one.url, data=form, allow_redirects=False) as answer:
                await answer.read()
                if answer.status >= 400 and one.path != "/metrics":
                    failed.append(f"{one.told}: {answer.status}")
    return failed


def test_no_statement_reads_a_large_table_to_its_end(watched: Watched) -> None:
    assert not complaints(watched)
    assert not watched.failed


def test_the_hot_statements_are_among_them(watched: Watched) -> None:
    plain = [" ".join(statement.sql.split()) for statement in watched.statements]
    missing = [name for name, like in HOT.items() if not any(re.fullmatch(like, sql) for sql in plain)]
    assert not missing


@pytest.mark.parametrize(("index", "table", "columns"), [
    ("ix_consent_member_id", "consent", "member_id"),
    ("ix_audit_subject", "audit", "subject, id"),
    ("ix_inbound_member_id", "inbound", "member_id"),
])  # fmt: skip
def test_an_index_that_is_gone_is_missed(watched: Watched, index: str, table: str, columns: str) -> None:
    asyncio.run(watched.planner.execute(f"DROP INDEX {index}"))
    try:
        assert any(table in tables for tables in complaints(watched).values())
    finally:
        asyncio.run(watched.planner.execute(f"CREATE INDEX {index} ON {table} ({columns})"))


def test_no_index_of_a_large_table_is_there_for_nothing(watched: Watched) -> None:
    used = {name for plan in watched.plans().values() for name in plan.indexes}
    there = {str(index.name) for name in BIG for index in metadata.tables[name].indexes}
    assert there - used <= SELDOM.keys()


def complaints(watched: Watched) -> dict[str, tuple[str, ...]]:
    """Statement → the large tables that it reads to their end without being one of `WHOLE`."""
    found = {}
    for sql, plan in watched.plans().items():
        large = tuple(table for table in plan.whole if table in BIG)
        plain = " ".join(sql.split())
        if large and not any(re.fullmatch(like, plain) for like in WHOLE):
            found[plain] = large
    return found
