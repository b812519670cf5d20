"""From an ask to a running campaign and back: states, undo, edits, and a preview that tells the truth."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from router.core.ask import Ask
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.model import CampaignStatus
from router.drafting import edit_campaign, save_campaign, set_link
from router.launch import (
    approve_campaign,
    cancel_campaign,
    launch_campaign,
    pause_campaign,
    resume_campaign,
    start_due_campaigns,
)
from router.preview import preview_ask, preview_campaign, send_test
from router.views import list_campaigns, view_campaign
from tests.support.ledger import Ledger

S = CampaignStatus


def ask(words: str = "Dinner, {{ first_name }}?", **more: Any) -> Ask:
    return Ask.model_validate({"title": "Dinner", "texts": {"en": {"default": {"text": words}}}, **more})


async def saved(ledger: Ledger, **more: Any) -> int:
    return (await save_campaign(ledger.runtime, ask(**more), by="ana", now=ledger.clock())).id


async def do(ledger: Ledger, what: str, campaign: int) -> CampaignStatus:
    about: dict[str, Any] = {"by": "ana", "now": ledger.clock()}
    match what:
        case "approve":
            view = await approve_campaign(ledger.runtime, campaign, **about)
        case "launch":
            view = await launch_campaign(ledger.runtime, campaign, **about, undo_seconds=0)
        case "pause":
            view = await pause_campaign(ledger.runtime, campaign, **about, reason="typo")
        case "resume":
            view = await resume_campaign(ledger.runtime, campaign, **about)
        case _:
            view = await cancel_campaign(ledger.runtime, campaign, **about)
    return view.status


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        ("approve", S.APPROVED),
        ("approve launch", S.SCHEDULED),
        ("approve launch start", S.RUNNING),
        ("approve launch pause", S.PAUSED),
        ("approve launch pause resume", S.SCHEDULED),
        ("approve launch start pause resume", S.RUNNING),
        ("cancel", S.CANCELLED),
        ("approve launch start pause cancel", S.CANCELLED),
        ("launch", "only one that is approved can launch"),
        ("approve approve", "this campaign is approved"),
        ("approve launch launch", "this campaign is scheduled"),
        ("pause", "only one that is scheduled or running can pause"),
        ("cancel approve", "this campaign is cancelled"),
        ("cancel cancel", "this campaign is cancelled"),
    ],
)
async def test_the_states_of_a_campaign(ledger: Ledger, steps: str, ends: S | str) -> None:
    await ledger.add_members(1)
    campaign = await saved(ledger)
    refused = ""
    for step in steps.split():
        if step == "start":
            await start_due_campaigns(ledger.runtime, now=ledger.clock())
            continue
        try:
            await do(ledger, step, campaign)
        except NotAllowed as error:
            refused = str(error)
    if isinstance(ends, S):
        assert (await view_campaign(ledger.runtime, campaign)).status is ends
    else:
        assert ends in refused


async def test_nothing_starts_within_the_undo_time_and_a_cancel_takes_it_all_back(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await saved(ledger)
    await approve_campaign(ledger.runtime, campaign, by="bo", now=ledger.clock())
    view = await launch_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    assert view.starts_at == ledger.clock() + timedelta(seconds=60)
    ledger.clock.advance(seconds=59)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    assert await do(ledger, "cancel", campaign) is S.CANCELLED
    ledger.clock.advance(seconds=5)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    await ledger.route()
    assert await ledger.rows(campaign) == []


async def test_a_scheduled_start_is_kept(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await saved(ledger, starts_at=ledger.clock() + timedelta(hours=1))
    await do(ledger, "approve", campaign)
    await do(ledger, "launch", campaign)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    ledger.clock.advance(hours=1, seconds=1)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 1


async def test_edited_words_go_to_those_who_have_none_yet(ledger: Ledger) -> None:
    await ledger.add_members(2)
    campaign = await ledger.launch_and_route()
    dispatcher = ledger.dispatcher(requests=1)
    dispatcher._pace = 1
    rows = await ledger.rows(campaign)
    await ledger.execute("UPDATE delivery SET not_before = not_before + 60000 WHERE id = :id", id=rows[1].id)
    await dispatcher.send_one_batch()
    await do(ledger, "pause", campaign)
    edited = await edit_campaign(ledger.runtime, campaign, ask("Lunch!"), by="ana", now=ledger.clock())
    assert (edited.text_version, edited.status) == (2, S.PAUSED)
    await do(ledger, "resume", campaign)
    ledger.clock.advance(minutes=2)
    await ledger.send()
    assert ["Dinner" in ledger.sms.handed[0].text, "Lunch" in ledger.sms.handed[1].text] == [True, True]
    assert [row.text_version for row in await ledger.rows(campaign)] == [1, 2]


async def test_whom_it_is_for_cannot_change_once_it_was_launched(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    await do(ledger, "pause", campaign)
    other = ask(audience={"op": "tag", "tag": "tenant"})
    with pytest.raises(BadInput) as refused:
        await edit_campaign(ledger.runtime, campaign, other, by="ana", now=ledger.clock())
    assert refused.value.place == "audience"


async def test_an_edit_takes_back_the_approval_of_the_old_words(ledger: Ledger) -> None:
    campaign = await saved(ledger)
    await do(ledger, "approve", campaign)
    edited = await edit_campaign(ledger.runtime, campaign, ask("Other words"), by="ana", now=ledger.clock())
    assert edited.status is S.DRAFT


async def test_a_running_campaign_must_be_paused_before_it_is_edited(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    with pytest.raises(NotAllowed, match="pause it, then edit it"):
        await edit_campaign(ledger.runtime, campaign, ask("x"), by="ana", now=ledger.clock())


async def test_the_links_destination_changes_after_the_launch(ledger: Ledger) -> None:
    campaign = await saved(ledger, words="See {{ link }}", link="https://example.org/old")
    await set_link(ledger.runtime, campaign, "https://example.org/new", by="ana", now=ledger.clock())
    [(link,)] = await ledger.execute("SELECT link FROM campaign")
    assert link == "https://example.org/new"
    with pytest.raises(BadInput):
        await set_link(ledger.runtime, campaign, "https://bit.ly/x", by="ana", now=ledger.clock())


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"words": "Hi {{ frist_name }}"}, "texts.en.default.text"),
        ({"words": "Hi {{ first_name.__class__ }}"}, "texts.en.default.text"),
        ({"words": "{% for x in y %}{% endfor %}"}, "texts.en.default.text"),
        ({"words": "See https://bit.ly/x"}, "texts.en.default.text"),
        ({"words": "x" * 1_700, "channels": ["sms"]}, "texts.en.default.text"),
        ({"kind": "reminder", "about": 999}, "about"),
        ({"kind": "reply"}, "kind"),
        ({"channels": ["pigeon"]}, "channels"),
    ],
)
async def test_what_cannot_work_is_refused_when_it_is_saved(ledger: Ledger, wrong: dict[str, Any], place: str) -> None:
    with pytest.raises((BadInput, ValueError)) as refused:
        await saved(ledger, **wrong)
    assert place in str(refused.value)
    assert await list_campaigns(ledger.runtime) == []


async def test_a_deadline_in_the_past_is_refused_and_one_that_passes_meanwhile_too(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="deadline"):
        await saved(ledger, deadline=ledger.clock() - timedelta(minutes=1))
    campaign = await saved(ledger, deadline=ledger.clock() + timedelta(minutes=1))
    await do(ledger, "approve", campaign)
    ledger.clock.advance(minutes=2)
    with pytest.raises(NotAllowed, match="deadline"):
        await do(ledger, "launch", campaign)


async def test_an_unknown_campaign_is_not_found(ledger: Ledger) -> None:
    for call in (view_campaign(ledger.runtime, 9), preview_campaign(ledger.runtime, 9, now=ledger.clock())):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await do(ledger, "approve", 9)


async def test_every_deed_leaves_an_audit_row(ledger: Ledger) -> None:
    campaign = await saved(ledger)
    for step in ("approve", "launch", "pause", "resume", "cancel"):
        await do(ledger, step, campaign)
    rows = await ledger.execute("SELECT who, what, subject FROM audit ORDER BY id")
    deeds = ["save", "approve", "launch", "pause", "resume", "cancel"]
    assert rows == [("ana", f"campaign.{deed}", str(campaign)) for deed in deeds]


async def test_a_preview_says_what_the_launch_then_does_and_writes_nothing(ledger: Ledger) -> None:
    await ledger.add_members(6)
    await ledger.add_members(4, channels=("email",))
    await ledger.add_members(2, phone="+33639980001")
    tired = await ledger.add_members(1)
    for _ in range(3):
        await ledger.launch_and_route(audience={"op": "members", "ids": tired})
    silent = await ledger.add_members(2)
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE member_id = :id", id=silent[0])
    await ledger.execute("UPDATE member SET locale = 'es' WHERE id = :id", id=silent[1])
    before = await ledger.execute("SELECT count(*) FROM delivery")
    seen = await preview_ask(ledger.runtime, ask(), now=ledger.clock())
    assert await ledger.execute("SELECT count(*) FROM delivery") == before
    campaign = await ledger.launch_and_route()
    rows = await ledger.rows(campaign)
    assert seen.members == len(rows) == 15
    assert seen.by_channel == dict(Counter(row.channel for row in rows if row.status == "queued"))
    assert seen.by_reason == dict(Counter(row.reason for row in rows if row.status == "held"))
    assert seen.default_text == 1
    assert seen.segments == seen.by_channel["sms"]
    assert "Dinner, Ana" in seen.samples["sms"]
    await ledger.send()
    await ledger.send("email")
    mine = {row.id for row in rows}
    assert sum(message.delivery.id in mine for message in ledger.sms.handed) == seen.by_channel["sms"]


async def test_a_test_send_goes_to_oneself_only_and_obeys_stop(ledger: Ledger) -> None:
    said = await send_test(ledger.runtime, ask(), to="+33639989999", now=ledger.clock())
    assert [message.to for message in ledger.sms.handed] == ["+33639989999"]
    assert "9999" in said
    assert "+33639989999" not in said
    await send_test(ledger.runtime, ask(), to="Me@Example.org", now=ledger.clock())
    assert [message.to for message in ledger.email.handed] == ["me@example.org"]
    assert ledger.email.handed[0].unsubscribe_url
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, at) VALUES (:h, 'sms', 'stop', 0)",
        h=ledger.sms.handed[0].allow.address.hash,
    )
    with pytest.raises(NotAllowed, match="STOP"):
        await send_test(ledger.runtime, ask(), to="+33639989999", now=ledger.clock())
    with pytest.raises(BadInput):
        await send_test(ledger.runtime, ask(), to="12", now=ledger.clock())
