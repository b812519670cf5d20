"""After a blast: who was not reached, who of them may be rung up, and what comes back from the calls."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.actions import record_action
from router.community.afterwards import afterwards as look_back
from router.community.afterwards import as_csv, as_html, call_list
from router.community.debts import keep_due_dates
from router.community.phoning import CallRow, CallsTold, tell_results
from router.core.channel import OutboundMessage, Sent
from router.core.errors import FailureClass, NotAllowed, NotFound, OutcomeUnknown, Refused
from router.core.phoning import MENDABLE
from router.records.merge import merge_records
from tests.support.ledger import Ledger


@pytest.fixture(autouse=True)
def noon(ledger: Ledger) -> None:
    """Far from anybody's quiet hours."""
    ledger.clock.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def blast(ledger: Ledger, fails: Sequence[int] = (), unknown: Sequence[int] = (), **ask: Any) -> int:
    """An ask that does not reach these: their provider refuses it for its words, or never says."""

    async def script(message: OutboundMessage) -> Sent:
        [row] = await ledger.execute("SELECT member_id FROM delivery WHERE id = :id", id=message.delivery.id)
        if row.member_id in fails:
            raise Refused(FailureClass.CONTENT, "30007")
        if row.member_id in unknown:
            raise OutcomeUnknown("timeout")
        return Sent(f"SM{message.delivery.id}")

    ledger.sms.script = script
    campaign = await ledger.launch_and_route(title="Dinner", channels=["sms"], **ask)
    await ledger.send()
    await ledger.finish()
    return campaign


async def to_call(ledger: Ledger, campaign: int, **more: Any) -> list[int]:
    found = await call_list(ledger.runtime, campaign, now=ledger.clock(), **more)
    return [one.member_id for one, _ in found.people]


async def tell(ledger: Ledger, campaign: int, member: int, result: str, external_id: str = "") -> CallsTold:
    row = CallRow.model_validate({"member": member, "result": result, "external_id": external_id})
    return await tell_results(ledger.runtime, campaign, [row], by="ana", now=ledger.clock())


async def test_it_counts_who_acted_who_was_not_reached_and_what_is_owed(ledger: Ledger) -> None:
    ana, bo, cy, di = await ledger.add_members(4)
    [mail] = await ledger.add_members(1, channels=("email",))
    campaign = await blast(ledger, fails=[bo], unknown=[cy])
    await record_action(
        ledger.runtime, member_id=ana, phone=None, email=None, external_id="1", kind="signed", campaign_id=campaign,
        at=ledger.clock(), now=ledger.clock(),
    )  # fmt: skip
    ledger.clock.advance(minutes=2)
    await keep_due_dates(ledger.runtime, now=ledger.clock())
    found = await look_back(ledger.runtime, campaign, now=ledger.clock())
    missed = found.not_reached
    assert (found.acted, missed.people, missed.failed, missed.unknown, missed.held) == (1, 3, 1, 1, 1)
    assert (missed.to_call, found.call_list) == (2, {"": 2}), "who has only a mailbox cannot be rung up"
    assert [(one.did, one.people) for one in found.invite_next] == [("signed", 1)]
    assert (found.report_back.state, found.report_back.due_at) == (
        "owed", datetime(2026, 11, 23, 12, 0, tzinfo=UTC) + timedelta(days=7),
    )  # fmt: skip
    assert f"outreach report-back {campaign}" in found.report_back.how
    assert sorted(await to_call(ledger, campaign)) == sorted([bo, cy])
    assert {di, mail}.isdisjoint(await to_call(ledger, campaign))
    ledger.clock.advance(days=30)
    assert (await look_back(ledger.runtime, campaign, now=ledger.clock())).report_back.state == "overdue"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO suppression (address_hash, channel, reason, at)"
        " SELECT hash, channel, 'stop', 0 FROM address WHERE member_id = :id AND channel = 'sms'",
        "INSERT INTO suppression (address_hash, channel, reason, at)"
        " SELECT hash, channel, 'unsubscribe', 0 FROM address WHERE member_id = :id AND channel = 'email'",
        "UPDATE address SET consent = 'revoked' WHERE member_id = :id AND channel = 'email'",
        "UPDATE address SET consent = 'none' WHERE member_id = :id AND channel = 'sms'",
        "UPDATE address SET consent = 'unconfirmed' WHERE member_id = :id AND channel = 'sms'",
        "UPDATE address SET state = 'dead' WHERE member_id = :id AND channel = 'sms'",
        "UPDATE member SET dial = 'paused' WHERE id = :id",
        "UPDATE member SET paused_until = 1900000000000 WHERE id = :id",
        "UPDATE member SET erased_at = 1 WHERE id = :id",
        "UPDATE delivery SET status = 'held', reason = 'cap' WHERE member_id = :id",
        "UPDATE delivery SET status = 'held', reason = 'report_owed' WHERE member_id = :id",
        "UPDATE delivery SET status = 'held', reason = 'held_out' WHERE member_id = :id",
        "UPDATE delivery SET status = 'cancelled', reason = 'acted' WHERE member_id = :id",
        "UPDATE delivery SET status = 'delivered' WHERE member_id = :id",
        "UPDATE delivery SET status = 'queued' WHERE member_id = :id",
    ],
)
async def test_a_call_goes_only_where_nobody_wished_for_silence(ledger: Ledger, statement: str) -> None:
    ana, bo = await ledger.add_members(2, channels=("sms", "email"))
    campaign = await blast(ledger, fails=[ana, bo])
    assert sorted(await to_call(ledger, campaign)) == [ana, bo]
    await ledger.execute(statement, id=ana)
    assert await to_call(ledger, campaign) == [bo]


def test_what_the_budget_the_lot_or_a_wish_held_back_is_never_mended_by_a_call() -> None:
    wished = {
        "no_consent", "unconfirmed", "suppressed", "cap", "outranked", "report_owed", "dial", "paused", "newcomer",
        "silent", "let_go", "held_out", "goal_met", "acted", "erased", "campaign_cancelled", "merged", "duplicate",
        "not_signed_up", "superseded",
    }  # fmt: skip
    assert wished.isdisjoint(reason.value for reason in MENDABLE)


async def test_who_was_reached_by_a_second_way_is_not_rung_up(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await blast(ledger, fails=[ana])
    await ledger.execute(
        "INSERT INTO delivery (month, id, campaign_id, member_id, channel, hop, status, costs)"
        " SELECT month, id + 1000000, campaign_id, member_id, 'email', 1, 'delivered', false FROM delivery"
    )
    assert await to_call(ledger, campaign) == []


async def test_the_list_goes_by_branch_or_building_with_a_script(ledger: Ledger) -> None:
    ana, bo, cy = await ledger.add_members(3)
    for number, place, building in ((ana, "Camden", "A"), (bo, "Bow", "B"), (cy, "Bow", "A")):
        await ledger.execute(
            "UPDATE member SET place = :place, attributes = :own WHERE id = :id",
            id=number, place=place, own=f'{{"building": "{building}"}}',
        )  # fmt: skip
    campaign = await blast(
        ledger,
        fails=[ana, bo, cy],
        link="https://example.org/dinner",
        texts={"en": {"default": {"text": "Dinner in {{ place }}, {{ first_name }}? {{ link }}"}}},
    )
    assert await to_call(ledger, campaign) == [bo, cy, ana]
    assert await to_call(ledger, campaign, by="building") == [ana, cy, bo]
    assert await to_call(ledger, campaign, by="building", only="B") == [bo]
    assert await to_call(ledger, campaign, by="nothing") == [ana, bo, cy]
    assert await to_call(ledger, campaign, only="Nowhere") == []
    found = await call_list(ledger.runtime, campaign, script="Hello, I am …", limit=1, now=ledger.clock())
    assert (len(found.people), found.total) == (1, 3)
    [(one, said)] = found.people
    name = one.first_name
    assert said == f"Hello, I am …\nTenants Together: Dinner in Bow, {name}? https://example.org/dinner"


async def test_neither_a_spreadsheet_nor_a_browser_runs_what_members_typed(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    await ledger.execute(
        "UPDATE member SET first_name = '=cmd()', last_name = '<script>alert(1)</script>', place = '@SUM(A1)'"
    )
    campaign = await blast(ledger, fails=[ana])
    found = await call_list(ledger.runtime, campaign, script="=1+1", now=ledger.clock())
    header, row = csv.reader(io.StringIO(as_csv(found).decode()))
    assert header == ["member", "place", "first_name", "last_name", "phone", "script", "result"]
    assert row[0] == str(ana)
    assert all(cell == "" or cell[0] not in "=+-@\t\r" for cell in row)
    page = as_html(found)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


async def test_yes_and_no_are_actions_and_leave_the_list(ledger: Ledger) -> None:
    ana, bo, cy = await ledger.add_members(3)
    campaign = await blast(ledger, fails=[ana, bo, cy])
    await tell(ledger, campaign, ana, "yes")
    await tell(ledger, campaign, bo, "no")
    told = await ledger.execute("SELECT member_id, kind, source FROM action ORDER BY id")
    assert [tuple(row) for row in told] == [(ana, "yes", "phone"), (bo, "no", "phone")]
    assert await to_call(ledger, campaign) == [cy]


async def test_no_answer_stays_on_the_list_and_reached_leaves_it(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2)
    campaign = await blast(ledger, fails=[ana, bo])
    await tell(ledger, campaign, ana, "no_answer")
    await tell(ledger, campaign, bo, "reached")
    assert await to_call(ledger, campaign) == [ana]
    assert await ledger.execute("SELECT kind FROM action") == [], "neither is something that they did"


async def test_a_result_told_twice_counts_once(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await blast(ledger, fails=[ana])
    first = await tell(ledger, campaign, ana, "yes", "sheet 3 row 7")
    again = await tell(ledger, campaign, ana, "yes", "sheet 3 row 7")
    assert (first.new, first.results, again.new, again.known) == (1, {"yes": 1}, 0, 1)
    assert len(await ledger.execute("SELECT 1 FROM action")) == 1
    other = await blast(ledger, fails=[ana])
    assert (await tell(ledger, other, ana, "yes", "sheet 3 row 7")).new == 1, "another campaign has keys of its own"


async def test_a_wrong_number_is_used_no_more_for_them_alone(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2, channels=("sms", "email"), phone="+33639980099")
    campaign = await blast(ledger, fails=[ana, bo])
    await ledger.execute("UPDATE delivery SET status = 'failed', reason = 'content'")
    await tell(ledger, campaign, ana, "wrong_number")
    rows = await ledger.execute("SELECT member_id, channel, state FROM address ORDER BY member_id, channel")
    assert [tuple(row) for row in rows] == [
        (ana, "email", "active"), (ana, "sms", "dead"), (bo, "email", "active"), (bo, "sms", "active"),
    ]  # fmt: skip
    assert await to_call(ledger, campaign) == [bo]


async def test_stop_on_the_telephone_is_stop(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2)
    campaign = await blast(ledger, fails=[ana, bo])
    later = await ledger.launch_and_route(title="Later")
    await tell(ledger, campaign, ana, "stop")
    silenced = await ledger.execute("SELECT channel, reason, source FROM suppression ORDER BY channel")
    assert [tuple(row) for row in silenced] == [
        ("sms", "stop", "said so on the telephone"), ("whatsapp", "stop", "said so on the telephone"),
    ]  # fmt: skip
    [kept] = await ledger.execute("SELECT state, source FROM consent WHERE member_id = :id", id=ana)
    assert tuple(kept) == ("revoked", "said so on the telephone")
    waiting = {row.member_id: (row.status, row.reason) for row in await ledger.rows(later)}
    assert waiting == {ana: ("cancelled", "suppressed"), bo: ("queued", None)}
    assert await to_call(ledger, campaign) == [bo]
    await ledger.assert_tally_is_right(later)


async def test_what_was_told_of_somebody_stays_with_them_when_two_records_become_one(ledger: Ledger) -> None:
    keep, lose = await ledger.add_members(2)
    campaign = await blast(ledger, fails=[keep, lose])
    await tell(ledger, campaign, lose, "reached")
    async with ledger.store.write() as connection:
        await merge_records(connection, keep=keep, lose=lose)
    assert await to_call(ledger, campaign) == []


async def test_rows_about_nobody_change_nothing(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await blast(ledger, fails=[ana])
    rows = [CallRow.model_validate({"member": number, "result": "yes"}) for number in (ana, 999_999)]
    with pytest.raises(NotFound, match="no member 999999"):
        await tell_results(ledger.runtime, campaign, rows, by="ana", now=ledger.clock())
    with pytest.raises(NotFound, match="no campaign"):
        await tell_results(ledger.runtime, 999_999, rows[:1], by="ana", now=ledger.clock())
    assert await ledger.execute("SELECT 1 FROM phoned") == []
    assert await ledger.execute("SELECT 1 FROM action") == []


async def test_before_it_has_begun_there_is_nothing_to_look_back_on(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False)
    for look in (look_back, call_list):
        with pytest.raises(NotAllowed, match="before it has begun"):
            await look(ledger.runtime, campaign, now=ledger.clock())
    with pytest.raises(NotFound):
        await look_back(ledger.runtime, 999, now=ledger.clock())
