"""A report-back: to those who acted, where they acted, with their own part; free, once, guarded and measured."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from router.actions import follow_link, record_action
from router.community.debts import list_owed
from router.community.report_backs import (
    ReportBackIn,
    ReportBackView,
    list_public,
    list_report_backs,
    view_report_back,
    write_report_back,
)
from router.core.ask import Ask
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.model import AddressState, CampaignStatus, DeliveryRef, DeliveryStatus
from router.drafting import edit_campaign, save_campaign
from router.launch import approve_campaign, cancel_campaign, launch_campaign, start_due_campaigns
from router.preview import preview_campaign
from router.store.campaigns import read_ask
from router.web.auth import create_token
from tests.support.ledger import Ledger

WON = "We won: rents stay. Thank you, {{ first_name }}: {{ my_action }}, and {{ others }} others took part."


@pytest.fixture(autouse=True)
def noon(ledger: Ledger) -> None:
    """Far from anybody's quiet hours."""
    ledger.clock.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def act(ledger: Ledger, member: int, campaign: int, kind: str = "signed", **more: Any) -> None:
    await record_action(
        ledger.runtime, member_id=member, phone=None, email=None, external_id=f"{member} {campaign} {kind}", kind=kind,
        campaign_id=campaign, at=ledger.clock(), now=ledger.clock(), **more,
    )  # fmt: skip


async def petition(ledger: Ledger, **ask: Any) -> int:
    """An ask that was sent."""
    campaign = await ledger.launch_and_route(title="Rents", **ask)
    for channel in ("sms", "email"):
        await ledger.send(channel)
    await ledger.finish()
    ledger.sms.handed.clear()
    ledger.email.handed.clear()
    return campaign


async def write(ledger: Ledger, campaign: int, **body: Any) -> ReportBackView:
    given = ReportBackIn.model_validate({"text": WON, **body})
    return await write_report_back(ledger.runtime, campaign, given, by="ana", now=ledger.clock())


async def carry(ledger: Ledger) -> None:
    """Let what is launched go out."""
    ledger.clock.advance(minutes=2)
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    await ledger.route()
    for channel in ("sms", "email"):
        await ledger.send(channel)
    await ledger.finish()


async def status(ledger: Ledger, campaign: int) -> str:
    [[found]] = await ledger.execute("SELECT status FROM campaign WHERE id = :id", id=campaign)
    return str(found)


async def test_each_who_acted_reads_their_own_part_and_nobody_else_gets_it(ledger: Ledger) -> None:
    ana, bo, cy, _ = await ledger.add_members(4)
    await ledger.execute("UPDATE member SET locale = 'de' WHERE id = :id", id=bo)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    await act(ledger, bo, campaign, "gave", amount=3000, currency="EUR")
    await act(ledger, cy, campaign, "hosted")
    german = "Danke: {{ my_action }}, mit {{ others }} anderen. Ihre {{ my_amount | default('Hilfe') }}."
    await write(ledger, campaign, texts={"de": german})
    await carry(ledger)
    names = {person.id: person.first_name for person in await ledger.execute("SELECT id, first_name FROM member")}
    own = "Tenants Together: We won: rents stay. Thank you, {}: {}, and 2 others took part."
    assert sorted(message.text for message in ledger.sms.handed) == sorted(
        [
            own.format(names[ana], "you signed"),
            own.format(names[cy], "you opened your door"),
            "Tenants Together: Danke: Sie haben 30,00 € gespendet, mit 2 anderen. Ihre 30,00 €.",
        ]
    )


async def test_it_goes_where_they_acted_and_else_where_they_like_it_best(ledger: Ledger) -> None:
    by_mail, by_link, elsewhere, dead = await ledger.add_members(4, channels=("sms", "email"))
    campaign = await petition(
        ledger, link="https://example.org/sign", texts={"en": {"default": {"text": "{{ link }}"}}}
    )
    mails = {row.member_id: row for row in await ledger.execute("SELECT * FROM address WHERE channel = 'email'")}
    await _acted_by(ledger, by_mail, campaign, mails[by_mail].id)
    # Opened the link in an email and signed on a page, which told us without naming a channel.
    await _acted_by(ledger, by_link, campaign, mails[by_link].id, kind="click")
    await act(ledger, by_link, campaign)
    await act(ledger, elsewhere, campaign)
    await _acted_by(ledger, dead, campaign, mails[dead].id)
    await ledger.execute(
        "UPDATE address SET state = :dead WHERE id = :id", dead=AddressState.DEAD.value, id=mails[dead].id
    )
    view = await write(ledger, campaign)
    assert view.sent_as is not None
    preview = await preview_campaign(ledger.runtime, view.sent_as, now=ledger.clock())
    assert preview.by_channel == {"email": 2, "sms": 2}
    await carry(ledger)
    rows = {row.member_id: row for row in await ledger.rows(view.sent_as)}
    assert {number: row.channel for number, row in rows.items()} == {
        by_mail: "email", by_link: "email", elsewhere: "sms", dead: "sms",
    }  # fmt: skip
    assert rows[by_mail].address_id == mails[by_mail].id


async def _acted_by(ledger: Ledger, member: int, campaign: int, address: int, kind: str = "yes") -> None:
    [number] = await ledger.store.take_ids(1)
    await ledger.execute(
        "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at, channel, address_id)"
        " VALUES (:id, :member, :campaign, :kind, 'keyword', :own, 0, 'email', :address)",
        id=number, member=member, campaign=campaign, kind=kind, own=str(number), address=address,
    )  # fmt: skip


async def test_a_click_in_an_email_is_where_they_acted(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1, channels=("email", "sms"))
    campaign = await petition(
        ledger, link="https://example.org/sign", texts={"en": {"default": {"text": "{{ link }}"}}}
    )
    await ledger.execute("UPDATE address SET rank = 9 WHERE channel = 'email'")
    [row] = await ledger.rows(campaign)
    ledger.clock.advance(minutes=5)
    await follow_link(ledger.runtime, DeliveryRef(row.month, row.id), now=ledger.clock(), prefetch=False)
    await act(ledger, ana, campaign)
    view = await write(ledger, campaign)
    await carry(ledger)
    assert view.sent_as is not None
    assert [row.channel for row in await ledger.rows(view.sent_as)] == ["email"]


async def test_it_costs_nothing_of_anybodys_budget(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    before = await ledger.execute("SELECT slots FROM contact_budget WHERE holder = :id", id=ana)
    view = await write(ledger, campaign)
    await carry(ledger)
    assert view.sent_as is not None
    assert [(row.status, row.costs) for row in await ledger.rows(view.sent_as)] == [("sent", False)]
    after = await ledger.execute("SELECT slots FROM contact_budget WHERE holder = :id", id=ana)
    assert [row.slots for row in after] == [row.slots for row in before]


async def test_once_it_was_sent_the_debt_is_paid_and_the_campaign_reported(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    assert await status(ledger, campaign) == "finished"
    view = await write(ledger, campaign)
    [[told]] = await ledger.execute("SELECT reported_at FROM campaign WHERE id = :id", id=campaign)
    assert told is None, "it has only been written"
    await carry(ledger)
    assert await status(ledger, campaign) == "reported"
    assert await list_owed(ledger.runtime, now=ledger.clock()) == []
    assert view.status is CampaignStatus.SCHEDULED
    assert (await view_report_back(ledger.runtime, view.id)).status is CampaignStatus.FINISHED


async def test_a_campaign_that_still_runs_is_reported_when_it_ends(ledger: Ledger) -> None:
    ana, _ = await ledger.add_members(2)
    campaign = await ledger.launch_and_route(title="Rents")
    await act(ledger, ana, campaign)
    await write(ledger, campaign)
    ledger.clock.advance(minutes=2)
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    await ledger.route()
    await ledger.execute("UPDATE batch SET open = false WHERE campaign_id <> :id", id=campaign)
    await ledger.finish()
    assert await status(ledger, campaign) == "running"
    [[told]] = await ledger.execute("SELECT reported_at FROM campaign WHERE id = :id", id=campaign)
    assert told is not None
    await ledger.send()
    await ledger.finish()
    assert await status(ledger, campaign) == "reported"


async def test_there_is_one_and_another_only_where_it_was_cancelled(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    first = await write(ledger, campaign)
    assert first.sent_as is not None
    with pytest.raises(NotAllowed, match=f"campaign {first.sent_as} carries its report-back already"):
        await write(ledger, campaign)
    [[campaigns]] = await ledger.execute("SELECT count(*) FROM campaign WHERE kind = 'report_back'")
    assert campaigns == 1, "the refused one left nothing behind"
    await cancel_campaign(ledger.runtime, first.sent_as, by="ana", now=ledger.clock())
    second = await write(ledger, campaign)
    await carry(ledger)
    assert len(ledger.sms.handed) == 1
    assert [one.id for one in await list_report_backs(ledger.runtime, campaign)] == [second.id, first.id]


async def test_above_a_thousand_a_second_organizer_approves_it_first(ledger: Ledger) -> None:
    policy = ledger.runtime.policy
    few = policy.launch.model_copy(update={"approval_above": 1})
    ledger.runtime = dataclasses.replace(ledger.runtime, policy=policy.model_copy(update={"launch": few}))
    await create_token(ledger.store, "bo", "campaigns:launch", ledger.clock())
    people = await ledger.add_members(2)
    campaign = await petition(ledger)
    for person in people:
        await act(ledger, person, campaign)
    view = await write(ledger, campaign)
    assert view.status is CampaignStatus.DRAFT
    assert "bo must approve it" in view.missing
    assert view.sent_as is not None
    await approve_campaign(ledger.runtime, view.sent_as, by="bo", now=ledger.clock())
    await launch_campaign(ledger.runtime, view.sent_as, by="ana", now=ledger.clock())
    await carry(ledger)
    assert len(ledger.sms.handed) == 2


async def test_it_is_measured(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    await act(ledger, bo, campaign)
    view = await write(ledger, campaign, text="We won.", media="https://example.org/film")
    await carry(ledger)
    assert view.sent_as is not None
    assert all("/a/" in message.text for message in ledger.sms.handed), "the film is behind a link of ours"
    first, second = await ledger.rows(view.sent_as)
    ledger.clock.advance(minutes=5)
    for row, standing in ((first, DeliveryStatus.READ), (second, DeliveryStatus.DELIVERED)):
        await ledger.receipt(DeliveryRef(row.month, row.id), standing)
    await follow_link(ledger.runtime, DeliveryRef(first.month, first.id), now=ledger.clock(), prefetch=False)
    [stopping] = await ledger.execute("SELECT a.value FROM address a WHERE a.member_id = :id", id=second.member_id)
    stop = Inbound(event_id="stop", sender=stopping.value, recipient="", text="STOP", at=ledger.clock())
    await ledger.submit(Received(events=(stop,)))
    found = await view_report_back(ledger.runtime, view.id)
    assert (found.reached, found.delivered, found.read, found.clicks, found.opt_outs) == (2, 2, 1, 1, 1)


async def test_a_picture_is_sent_as_one_with_what_it_shows(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    view = await write(ledger, campaign, media="https://example.org/crowd.jpg", alt="The square, full")
    async with ledger.store.read() as connection:
        ask = await read_ask(connection, view.sent_as or 0)
    assert ask.picture is not None
    assert (ask.picture.url, ask.picture.alt, ask.link) == ("https://example.org/crowd.jpg", "The square, full", "")


async def test_a_progress_note_stands_in_public_and_is_not_sent(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    view = await write(ledger, campaign, kind="progress", text="The council meets on Friday.")
    assert (view.sent_as, view.status) == (None, None)
    await write(ledger, campaign)
    assert [one.kind for one in await list_public(ledger.runtime)] == ["progress"], "a result once it is being sent"
    await carry(ledger)
    told = await list_public(ledger.runtime)
    assert [(one.kind, one.title) for one in told] == [("result", "Rents"), ("progress", "Rents")]
    assert len(ledger.sms.handed) == 1


async def test_a_stop_after_it_was_routed_is_heeded(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    view = await write(ledger, campaign)
    ledger.clock.advance(minutes=2)
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    await ledger.route()
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, at) SELECT hash, channel, 'stop', 0 FROM address"
    )
    await ledger.send()
    assert ledger.sms.handed == []
    assert await ledger.statuses(view.sent_as or 0) == ["cancelled"]


async def test_what_cannot_be_reported_is_refused_in_a_sentence(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    with pytest.raises(NotAllowed, match="nobody has acted"):
        await write(ledger, campaign)
    with pytest.raises(NotFound):
        await write(ledger, 999)
    await act(ledger, ana, campaign)
    with pytest.raises(BadInput, match="not offered") as refused:
        await write(ledger, campaign, text="Thank you, {{ name }}.")
    assert refused.value.place.startswith("texts.en.default.text, line 1")
    view = await write(ledger, campaign)
    with pytest.raises(NotAllowed, match="report on the ask"):
        await write(ledger, view.sent_as or 0)


async def test_nobody_makes_one_by_the_back_door_or_sends_it_to_others(ledger: Ledger) -> None:
    """It costs no budget, so an ask must not become one, nor one go to everybody."""
    [ana] = await ledger.add_members(1)
    campaign = await petition(ledger)
    await act(ledger, ana, campaign)
    now = ledger.clock()
    words = {"title": "Rents", "texts": {"en": {"default": {"text": "Free!"}}}}
    free = Ask.model_validate({**words, "kind": "report_back", "about": campaign})
    with pytest.raises(BadInput, match="is written about a campaign") as refused:
        await save_campaign(ledger.runtime, free, by="ana", now=now)
    assert refused.value.place == "kind"
    draft = await save_campaign(ledger.runtime, Ask.model_validate(words), by="ana", now=now)
    with pytest.raises(BadInput) as refused:
        await edit_campaign(ledger.runtime, draft.id, free, by="ana", now=now)
    assert refused.value.place == "kind"
    view = await write(ledger, campaign)
    assert view.sent_as is not None
    await cancel_campaign(ledger.runtime, view.sent_as, by="ana", now=now)
    second = (await write(ledger, campaign)).sent_as or 0
    async with ledger.store.read() as connection:
        ask = await read_ask(connection, second)
    await ledger.execute("UPDATE campaign SET status = 'draft', starts_at = NULL WHERE id = :id", id=second)
    for more in ({"audience": {"op": "members", "ids": [ana]}}, {"groups": ["all"]}, {"channels": ["email"]}):
        changed = Ask.model_validate({**ask.model_dump(mode="json"), **more})
        with pytest.raises(BadInput) as refused:
            await edit_campaign(ledger.runtime, second, changed, by="ana", now=now)
        assert refused.value.place == next(iter(more))
    better = Ask.model_validate({**ask.model_dump(mode="json"), "texts": words["texts"]})
    assert (await edit_campaign(ledger.runtime, second, better, by="ana", now=now)).text_version == 2
