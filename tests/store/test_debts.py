"""Report-back debt in the ledger: when it is overdue, whom it leaves in peace, and what it never stops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from router.actions import record_action
from router.community.debts import keep_due_dates, list_overrides, list_owed, override_debt
from router.community.report_backs import ReportBackIn, write_report_back
from router.competing import next_route
from router.core.ask import Ask
from router.core.errors import BadInput, NotAllowed, NotFound
from router.drafting import edit_campaign, save_campaign
from router.fanout import route_range_of
from router.launch import approve_campaign, cancel_campaign, launch_campaign, pause_campaign, start_due_campaigns
from router.preview import preview_campaign
from router.store.debts import overdue_campaigns, who_is_owed
from router.store.tables import ACTED, from_ms
from router.why import why
from tests.support.ledger import Ledger

WHY = "The landlord files for eviction tomorrow morning"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(ledger: Ledger) -> None:
    """Far from anybody's quiet hours."""
    ledger.clock.now = NOON


async def act(ledger: Ledger, member: int, campaign: int, kind: str = "signed", **more: Any) -> None:
    await record_action(
        ledger.runtime, member_id=member, phone=None, email=None, external_id=f"{member} {campaign} {kind}", kind=kind,
        campaign_id=campaign, at=ledger.clock(), now=ledger.clock(), **more,
    )  # fmt: skip


async def reckon(ledger: Ledger, **advance: float) -> None:
    """Let time pass, and have the due dates kept as a worker does every minute."""
    ledger.clock.advance(**(advance or {"minutes": 2}))
    await keep_due_dates(ledger.runtime, now=ledger.clock())


async def due(ledger: Ledger, campaign: int) -> datetime | None:
    [[found]] = await ledger.execute("SELECT report_due_at FROM campaign WHERE id = :id", id=campaign)
    return None if found is None else from_ms(found)


async def overdue(ledger: Ledger) -> tuple[int, ...]:
    async with ledger.store.read() as connection:
        return await overdue_campaigns(connection, now=ledger.clock())


async def indebted(ledger: Ledger, actors: list[int], **ask: Any) -> int:
    """A campaign on which these acted, and whose report-back is overdue."""
    campaign = await ledger.launch_and_route(title="Petition", **ask)
    await ledger.send()
    for member in actors:
        await act(ledger, member, campaign)
    await reckon(ledger)
    await reckon(ledger, days=14)
    ledger.clock.now = ledger.clock().replace(hour=12)
    return campaign


async def verdicts(ledger: Ledger, campaign: int) -> dict[int, str]:
    return {row.member_id: row.reason or row.status for row in await ledger.rows(campaign)}


async def test_it_falls_due_a_week_after_the_deadline_and_only_where_anybody_acted(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2)
    deadline = ledger.clock() + timedelta(days=2)
    acted, ignored = [await ledger.launch_and_route(deadline=deadline) for _ in range(2)]
    await act(ledger, ana, acted)
    await act(ledger, bo, ignored, kind="click")
    await act(ledger, bo, ignored, kind="no")
    await reckon(ledger)
    assert await due(ledger, acted) == deadline + timedelta(days=7)
    ledger.clock.now = deadline + timedelta(days=7, seconds=-1)
    assert await overdue(ledger) == ()
    ledger.clock.advance(seconds=1)
    assert await overdue(ledger) == (acted,)
    async with ledger.store.read() as connection:
        assert await who_is_owed(connection, [ana, bo], [acted, ignored]) == {ana}
    [owed] = await list_owed(ledger.runtime, now=ledger.clock())
    assert (owed.campaign_id, owed.people, owed.overdue) == (acted, 1, True)


async def test_without_a_deadline_it_counts_from_when_nothing_more_leaves(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch()
    await reckon(ledger)
    assert await due(ledger, campaign) == NOON + timedelta(hours=72, days=7)


async def test_a_goal_that_is_met_first_brings_it_nearer_whether_it_stops_the_ask_or_not(ledger: Ledger) -> None:
    ana, *_ = await ledger.add_members(2)
    goal = {"measure": "signed", "target": 1}
    campaign = await ledger.launch(goal=goal, deadline=ledger.clock() + timedelta(days=30))
    await reckon(ledger)
    assert await due(ledger, campaign) == NOON + timedelta(days=37)
    await act(ledger, ana, campaign)
    await reckon(ledger, days=10)  # long after nothing more leaves, and before the deadline
    met = ledger.clock()
    assert await due(ledger, campaign) == met + timedelta(days=7)
    await reckon(ledger, days=1)
    assert await due(ledger, campaign) == met + timedelta(days=7), "it stays when it was noticed"


async def test_a_deadline_that_moves_takes_it_along(ledger: Ledger) -> None:
    await ledger.add_members(1)
    words = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner, {{ first_name }}?"}}}}
    campaign = await ledger.launch(deadline=NOON + timedelta(days=2))
    await reckon(ledger)
    await pause_campaign(ledger.runtime, campaign, by="ana", reason="", now=ledger.clock())
    later = Ask.model_validate({**words, "deadline": NOON + timedelta(days=5)})
    await edit_campaign(ledger.runtime, campaign, later, by="ana", now=ledger.clock())
    await reckon(ledger)
    assert await due(ledger, campaign) == NOON + timedelta(days=12)


async def test_what_is_older_than_the_reckoning_leaves_a_whole_week(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await ledger.launch()
    await act(ledger, ana, campaign)
    await reckon(ledger, days=90)
    assert await overdue(ledger) == ()
    assert await due(ledger, campaign) == ledger.clock() + timedelta(days=7)


async def test_it_holds_back_new_asks_that_are_not_urgent_from_those_who_acted_alone(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2)
    await indebted(ledger, [ana])
    plain = await ledger.launch_and_route(title="New")
    assert await verdicts(ledger, plain) == {ana: "report_owed", bo: "queued"}
    [held] = [row for row in await ledger.rows(plain) if row.reason]
    assert not held.costs


async def test_who_asks_why_reads_it(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    await indebted(ledger, [ana])
    told = await why(ledger.runtime, ana, await ledger.launch_and_route(), now=ledger.clock())
    assert any("has not been told what came of it" in sentence for sentence in told.for_organizers)
    assert any("not yet told you what came of it" in sentence for sentence in told.for_member)


@pytest.mark.parametrize(
    "more",
    [
        {"urgent": True},
        {"alert": True},
        {"tonight": True, "deadline": datetime(2026, 12, 30, tzinfo=UTC)},
        {"purpose": "ballot"},
        {"purpose": "meeting"},
        {"asks_permission": True},
    ],
    ids=lambda more: next(iter(more)),
)
async def test_it_never_stops_what_cannot_wait_or_is_owed_itself(ledger: Ledger, more: dict[str, Any]) -> None:
    [ana] = await ledger.add_members(1)
    await indebted(ledger, [ana])
    assert await verdicts(ledger, await ledger.launch_and_route(**more)) == {ana: "queued"}


async def test_it_never_stops_the_next_rung_nor_what_serves_those_who_signed_up(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await indebted(ledger, [ana])
    assert await verdicts(ledger, await ledger.launch_and_route(follows=campaign)) == {ana: "queued"}
    moved = await ledger.launch_and_route(kind="moved", about=campaign)
    assert await verdicts(ledger, moved) == {ana: "queued"}


async def test_preview_says_who_is_left_out_for_what_and_what_to_do(ledger: Ledger) -> None:
    ana, _ = await ledger.add_members(2)
    campaign = await indebted(ledger, [ana])
    draft = await save_campaign(
        ledger.runtime,
        Ask.model_validate({"title": "New", "texts": {"en": {"default": {"text": "New?"}}}}),
        by="ana",
        now=ledger.clock(),
    )
    preview = await preview_campaign(ledger.runtime, draft.id, now=ledger.clock())
    assert preview.by_reason == {"report_owed": 1}
    assert f"in campaign {campaign} (Petition)" in preview.debt
    assert f"outreach report-back {campaign} FILE" in preview.debt
    assert f"outreach override {draft.id} " in preview.debt
    await override_debt(ledger.runtime, draft.id, by="bo", reason=WHY, now=ledger.clock())
    preview = await preview_campaign(ledger.runtime, draft.id, now=ledger.clock())
    assert (preview.by_reason, preview.debt) == ({}, "")


async def test_an_override_lets_it_through_in_public_and_for_that_ask_alone(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    await indebted(ledger, [ana])
    now = ledger.clock()
    campaign = await ledger.launch(start=False, title="Eviction")
    await override_debt(ledger.runtime, campaign, by="bo", reason=f"  {WHY} ", now=now)
    await start_due_campaigns(ledger.runtime, now=now)
    await ledger.route()
    assert await verdicts(ledger, campaign) == {ana: "queued"}
    [told] = await list_overrides(ledger.runtime)
    assert told.model_dump() == {
        "campaign_id": campaign, "title": "Eviction", "reason": WHY, "role": "organizer", "at": now,
    }  # fmt: skip
    [audited] = await ledger.execute("SELECT who FROM audit WHERE what = 'campaign.debt_override'")
    assert audited.who == "bo"
    ledger.clock.advance(days=3)
    other = await ledger.launch_and_route(title="Another")
    assert await verdicts(ledger, other) == {ana: "report_owed"}


async def test_an_override_reaches_whom_a_running_ask_has_not_come_to_yet(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    await indebted(ledger, [ana])
    campaign = await ledger.launch()
    known: dict[int, Any] = {}
    prepared = await next_route(ledger.runtime, known)
    assert prepared is not None
    await override_debt(ledger.runtime, campaign, by="bo", reason=WHY, now=ledger.clock())
    assert await route_range_of(ledger.runtime, prepared, now=ledger.clock()) is None, "made ready before the override"
    prepared = await next_route(ledger.runtime, known)
    assert prepared is not None
    await route_range_of(ledger.runtime, prepared, now=ledger.clock())
    assert await verdicts(ledger, campaign) == {ana: "queued"}


async def test_an_override_that_says_nothing_or_overrides_nothing_is_refused(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    now = ledger.clock()
    campaign = await ledger.launch()
    for reason in ("", "because", "x" * 401):
        with pytest.raises(BadInput, match="20 to 400 characters"):
            await override_debt(ledger.runtime, campaign, by="bo", reason=reason, now=now)
    with pytest.raises(NotFound):
        await override_debt(ledger.runtime, 999, by="bo", reason=WHY, now=now)
    await act(ledger, ana, campaign)
    reminder = await ledger.launch(kind="reminder", about=campaign)
    with pytest.raises(NotAllowed, match="never held back"):
        await override_debt(ledger.runtime, reminder, by="bo", reason=WHY, now=now)
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=now)
    with pytest.raises(NotAllowed, match="cancelled"):
        await override_debt(ledger.runtime, campaign, by="bo", reason=WHY, now=now)
    assert await list_overrides(ledger.runtime) == []


async def test_a_cancelled_ask_owes_those_who_had_acted(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await ledger.launch()
    await act(ledger, ana, campaign)
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    await reckon(ledger)
    ledger.clock.advance(days=11)
    assert await overdue(ledger) == (campaign,)


async def test_a_progress_note_pays_for_a_week_from_then(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await indebted(ledger, [ana])
    note = ReportBackIn(kind="progress", text="The council meets on Friday.")
    await write_report_back(ledger.runtime, campaign, note, by="ana", now=ledger.clock())
    assert await due(ledger, campaign) == ledger.clock() + timedelta(days=7)
    await reckon(ledger)
    assert await verdicts(ledger, await ledger.launch_and_route()) == {ana: "queued"}
    await reckon(ledger, days=7)
    assert await overdue(ledger) == (campaign,)


async def test_to_ask_what_is_overdue_looks_at_due_dates_only(ledger: Ledger) -> None:
    ana, *_ = await ledger.add_members(3)
    await indebted(ledger, [ana])
    is_sqlite = ledger.store.is_sqlite
    plan = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    async with ledger.store.read() as connection:
        if not is_sqlite:  # a small table is read whole unless told otherwise
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await connection.execute(
            text(
                f"{plan}SELECT c.id FROM campaign c WHERE c.reported_at IS NULL AND c.report_due_at <= 5"
                f" AND EXISTS (SELECT 1 FROM action a WHERE a.campaign_id = c.id AND a.{ACTED})"
            )
        )
        said = str(rows.all())
    assert "ix_campaign_report_due_at" in said
    assert "ix_action_" in said, "one of those that begin with the campaign"


async def test_approval_and_launch_are_as_of_any_ask(ledger: Ledger) -> None:
    """An override lifts the debt and nothing else."""
    [ana] = await ledger.add_members(1)
    await indebted(ledger, [ana])
    await ledger.execute("UPDATE address SET consent = 'revoked'")
    now = ledger.clock()
    draft = await save_campaign(
        ledger.runtime,
        Ask.model_validate({"title": "New", "texts": {"en": {"default": {"text": "New?"}}}}),
        by="ana",
        now=now,
    )
    await override_debt(ledger.runtime, draft.id, by="bo", reason=WHY, now=now)
    await approve_campaign(ledger.runtime, draft.id, by="bo", now=now)
    await launch_campaign(ledger.runtime, draft.id, by="ana", now=now, undo_seconds=0)
    await start_due_campaigns(ledger.runtime, now=now)
    await ledger.route()
    assert await verdicts(ledger, draft.id) == {ana: "suppressed"}
