"""Above so many people somebody beside the author approves; who is alone has a longer undo time, and staff are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from router import launch
from router.approval import MAY_LAUNCH, ApprovalMissing
from router.approval import organizers as approving
from router.core.ask import Ask
from router.core.errors import BadInput, NotAllowed
from router.core.model import CampaignStatus
from router.core.policy import Policy, read_policy
from router.core.rates import ChannelRules
from router.drafting import edit_campaign, save_campaign
from router.launch import (
    approve_campaign,
    cancel_campaign,
    launch_campaign,
    pause_campaign,
    resume_campaign,
    start_due_campaigns,
)
from router.settings import load_settings, load_toml
from router.store.engine import Store
from router.store.tables import organizer
from router.views import CampaignView
from router.web.auth import Scope, create_token, list_tokens, revoke_token
from tests.support.ledger import Ledger

S = CampaignStatus
WHAT = {
    "pause": lambda *args, **more: pause_campaign(*args, **more, reason="typo"),
    "approve": approve_campaign,
    "launch": lambda *args, **more: launch_campaign(*args, **more, undo_seconds=0),
    "resume": resume_campaign,
    "cancel": cancel_campaign,
}


def policy_above(limit: int) -> Policy:
    """The shipped rules, but a second organizer is needed above so few people."""
    shipped = load_toml("policy", load_settings())
    return read_policy({**shipped, "launch": {**shipped["launch"], "approval_above": limit}})


@pytest.fixture
async def ledger(store: Store) -> Ledger:
    """An installation with five members, where four may be written to without a second organizer."""
    ledger = Ledger(store, policy=policy_above(4))
    await ledger.add_members(5)
    return ledger


def ask(words: str = "Dinner?", **more: Any) -> Ask:
    return Ask.model_validate({"title": "Dinner", "texts": {"en": {"default": {"text": words}}}, **more})


async def saved(ledger: Ledger, *, by: str = "Ana", **more: Any) -> int:
    return (await save_campaign(ledger.runtime, ask(**more), by=by, now=ledger.clock())).id


async def do(ledger: Ledger, what: str, campaign: int, by: str) -> CampaignView:
    call: Callable[..., Awaitable[CampaignView]] = WHAT[what]
    return await call(ledger.runtime, campaign, by=by, now=ledger.clock())


async def edit(ledger: Ledger, campaign: int, by: str, words: str = "Lunch?", **more: Any) -> CampaignView:
    return await edit_campaign(ledger.runtime, campaign, ask(words, **more), by=by, now=ledger.clock())


async def organizers(ledger: Ledger, *names: str, scopes: str = "campaigns:launch") -> None:
    for name in names:
        await create_token(ledger.store, name, scopes, ledger.clock())


async def notices(ledger: Ledger) -> list[str]:
    return [row[0] for row in await ledger.execute("SELECT sentence FROM notice WHERE kind = 'campaign'")]


def test_an_organizer_is_who_may_launch() -> None:
    assert {scope for scope in Scope if scope.value in MAY_LAUNCH} == {Scope.CAMPAIGNS_LAUNCH, Scope.ADMIN}
    assert set(Scope) >= MAY_LAUNCH


@pytest.mark.parametrize(
    ("organizers_", "editor", "approver", "refusal"),
    [
        (["Ana", "Ben"], None, "Ben", None),
        (["Ana", "Ben"], None, "Ana", "Ben must approve it"),
        (["Ana", "Ben"], None, " ANA ", "Ben must approve it"),
        (["Ana", "Ben"], "Ben", "Ben", None),
        (["Ana", "Ben", "Carla"], "Ben", "Ben", "Carla must approve it"),
        (["Ana", "Ben", "Carla"], None, "Ana", "Ben or Carla must approve it"),
        (["Ana", "Ben", "Carla", "Dan"], None, "Ana", "Ben, Carla or another organizer must approve it"),
        (["Ana"], None, "Ana", None),
        (["Ana"], None, "the command line's Bo", None),
        ([], None, "Ana", None),
    ],
)
async def test_who_may_approve_for_many(
    ledger: Ledger, organizers_: list[str], editor: str | None, approver: str, refusal: str | None
) -> None:
    await organizers(ledger, *organizers_)
    campaign = await saved(ledger)
    if editor:
        await edit(ledger, campaign, editor)
    if refusal is None:
        view = await do(ledger, "approve", campaign, approver)
        assert (view.status, view.approved_by, view.recipients) == (S.APPROVED, approver, 5)
        return
    with pytest.raises(ApprovalMissing) as refused:
        await do(ledger, "approve", campaign, approver)
    said = str(refused.value)
    assert said.startswith(refusal)
    assert f"outreach approve {campaign} --by NAME, or POST /api/v1/campaigns/{campaign}/approve" in said
    assert "it goes to 5 people, and above 4" in said


async def test_accounts_of_approvers_and_admins_are_organizers(ledger: Ledger) -> None:
    await organizers(ledger, "Ben")
    async with ledger.store.write() as connection:
        for number, (name, role) in enumerate((("Ana", "approver"), ("BEN", "admin"), ("Rita", "author"))):
            await connection.execute(
                insert(organizer).values(
                    id=number, name=name, name_key=name.casefold(), password_hash="", role=role, created_by="tests",
                    created_at=ledger.clock(),
                )
            )  # fmt: skip
    async with ledger.store.read() as connection:
        assert await approving(connection) == ["Ana", "BEN"]


async def test_readers_writers_and_revoked_tokens_are_no_organizers(ledger: Ledger) -> None:
    await organizers(ledger, "Ben")
    await organizers(ledger, "Rita", scopes="campaigns:read campaigns:write")
    [ben, _] = await list_tokens(ledger.store)
    campaign = await saved(ledger)
    with pytest.raises(ApprovalMissing, match=r"^Ben must"):
        await do(ledger, "approve", campaign, "Ana")
    await revoke_token(ledger.store, ben.id, ledger.clock())
    assert (await do(ledger, "approve", campaign, "Ana")).status is S.APPROVED


async def test_for_few_the_author_is_enough(ledger: Ledger) -> None:
    await organizers(ledger, "Ben")
    [some, *_] = await ledger.add_members(1)
    campaign = await saved(ledger, audience={"op": "members", "ids": [some]})
    assert (await do(ledger, "approve", campaign, "Ana")).recipients == 1
    assert (await do(ledger, "launch", campaign, "Ana")).starts_at == ledger.clock()
    assert await notices(ledger) == []


async def test_who_is_alone_gets_five_minutes_and_all_staff_a_notice(ledger: Ledger) -> None:
    campaign = await saved(ledger)
    await do(ledger, "approve", campaign, "Ana")
    view = await do(ledger, "launch", campaign, "Ana")
    assert view.starts_at == ledger.clock() + timedelta(seconds=300), "the caller's 0 seconds do not shorten it"
    [told] = await notices(ledger)
    assert "goes to 5 people" in told
    assert "by its author Ana alone" in told
    assert f"outreach cancel {campaign}, or POST /api/v1/campaigns/{campaign}/cancel" in told
    ledger.clock.advance(seconds=299)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    await do(ledger, "cancel", campaign, "Ben")
    ledger.clock.advance(seconds=2)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    assert await ledger.rows(campaign) == []


async def test_the_one_who_is_alone_may_wait_longer(ledger: Ledger) -> None:
    campaign = await saved(ledger)
    await do(ledger, "approve", campaign, "Ana")
    view = await launch_campaign(ledger.runtime, campaign, by="Ana", now=ledger.clock(), undo_seconds=900)
    assert view.starts_at == ledger.clock() + timedelta(seconds=900)


async def test_a_second_organizers_approval_leaves_the_undo_time_as_it_is(ledger: Ledger) -> None:
    campaign = await saved(ledger)
    await do(ledger, "approve", campaign, "Ben")
    assert (await do(ledger, "launch", campaign, "Ana")).starts_at == ledger.clock()
    assert await notices(ledger) == []


async def test_an_audience_that_outgrows_its_approval_before_the_launch_needs_a_second(ledger: Ledger) -> None:
    await organizers(ledger, "Ana", "Ben")
    few = {"op": "tag", "tag": "tenant"}
    campaign = await saved(ledger, audience=few)
    assert (await do(ledger, "approve", campaign, "Ana")).recipients == 0
    await ledger.execute("INSERT INTO member_tag (member_id, tag) SELECT id, 'tenant' FROM member")
    with pytest.raises(ApprovalMissing, match=r"^Ben must approve it"):
        await do(ledger, "launch", campaign, "Ana")
    with pytest.raises(ApprovalMissing):
        await do(ledger, "approve", campaign, "Ana")
    view = await do(ledger, "approve", campaign, "Ben")
    assert (view.status, view.approved_by, view.recipients) == (S.APPROVED, "Ben", 5)
    with pytest.raises(NotAllowed, match="this campaign is approved; only one that is draft can approve"):
        await do(ledger, "approve", campaign, "Ben")
    assert (await do(ledger, "launch", campaign, "Ana")).status is S.SCHEDULED


async def test_one_that_outgrows_its_approval_while_it_waits_for_its_hour_pauses(ledger: Ledger) -> None:
    await organizers(ledger, "Ana", "Ben")
    campaign = await saved(
        ledger, audience={"op": "tag", "tag": "tenant"}, starts_at=ledger.clock() + timedelta(hours=1)
    )
    await do(ledger, "approve", campaign, "Ana")
    await do(ledger, "launch", campaign, "Ana")
    await ledger.execute("INSERT INTO member_tag (member_id, tag) SELECT id, 'tenant' FROM member")
    ledger.clock.advance(hours=2)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    with pytest.raises(ApprovalMissing, match=r"^Ben must approve it"):
        await do(ledger, "resume", campaign, "Ana")
    view = await do(ledger, "approve", campaign, "Ben")
    assert (view.status, view.recipients) == (S.PAUSED, 5)
    assert view.pause_reason.startswith("Ben must approve it")
    assert (await notices(ledger))[0].startswith(f"Campaign {campaign} is paused: Ben must approve it")
    assert (await do(ledger, "resume", campaign, "Ana")).status is S.SCHEDULED
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 1


async def test_the_one_who_is_alone_looks_again_at_an_audience_that_has_grown(ledger: Ledger) -> None:
    campaign = await saved(ledger, audience={"op": "tag", "tag": "tenant"})
    await do(ledger, "approve", campaign, "Ana")
    await do(ledger, "launch", campaign, "Ana")
    await ledger.execute("INSERT INTO member_tag (member_id, tag) SELECT id, 'tenant' FROM member")
    ledger.clock.advance(minutes=10)
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 0
    assert "its audience has grown to 5 people since its launch" in (await notices(ledger))[0]
    await do(ledger, "resume", campaign, "Ana")
    assert await start_due_campaigns(ledger.runtime, now=ledger.clock()) == 1


async def running(ledger: Ledger) -> int:
    campaign = await saved(ledger)
    await do(ledger, "approve", campaign, "Ben")
    await do(ledger, "launch", campaign, "Ana")
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    await do(ledger, "pause", campaign, "Ana")
    return campaign


async def test_changed_words_of_a_paused_one_need_somebody_beside_their_editor(ledger: Ledger) -> None:
    await organizers(ledger, "Ana", "Ben", "Carla")
    campaign = await running(ledger)
    assert (await do(ledger, "resume", campaign, "Ana")).status is S.RUNNING, "nothing was changed"
    await do(ledger, "pause", campaign, "Ana")
    view = await edit(ledger, campaign, "Ben")
    assert (view.status, view.approved_by) == (S.PAUSED, None)
    assert (
        "was changed by Ben while it is paused; before it goes on Carla must approve it" in (await notices(ledger))[0]
    )
    with pytest.raises(ApprovalMissing, match=r"^Carla must approve it"):
        await do(ledger, "resume", campaign, "Carla")
    with pytest.raises(ApprovalMissing):
        await do(ledger, "approve", campaign, "Ben")
    assert (await do(ledger, "approve", campaign, "Carla")).status is S.PAUSED
    assert (await do(ledger, "resume", campaign, "Ben")).status is S.RUNNING


async def test_the_one_who_is_alone_waits_five_minutes_with_changed_words_too(ledger: Ledger) -> None:
    campaign = await running(ledger)
    await edit(ledger, campaign, "Ana")
    with pytest.raises(ApprovalMissing, match=r"^an organizer must approve it: .* it goes to 5 people$"):
        await do(ledger, "resume", campaign, "Ana")
    await do(ledger, "approve", campaign, "Ana")
    with pytest.raises(NotAllowed, match="it can be resumed from 18:05:00 UTC on"):
        await do(ledger, "resume", campaign, "Ana")
    ledger.clock.advance(seconds=300)
    assert (await do(ledger, "resume", campaign, "Ana")).status is S.RUNNING


async def test_changed_words_for_few_go_on_as_they_were(store: Store) -> None:
    ledger = Ledger(store, policy=policy_above(5))
    await ledger.add_members(5)
    campaign = await running(ledger)
    assert (await edit(ledger, campaign, "Ana")).approved_by == "Ben"
    assert (await do(ledger, "resume", campaign, "Ana")).status is S.RUNNING


async def test_words_changed_between_the_look_and_the_approval_are_not_approved(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audience is counted before the transaction that approves it."""
    campaign = await saved(ledger)
    count = launch.count_recipients

    async def changed_meanwhile(*args: Any) -> int:
        found = await count(*args)
        await edit(ledger, campaign, "Ben")
        return found

    monkeypatch.setattr(launch, "count_recipients", changed_meanwhile)
    with pytest.raises(NotAllowed, match="changed just now"):
        await do(ledger, "approve", campaign, "Ben")


@pytest.mark.parametrize(
    ("steps", "what", "next_"),
    [
        ("", "launch", "an organizer can approve it: outreach approve"),
        ("approve", "approve", "an organizer can launch it: outreach launch"),
        ("approve launch", "launch", "an organizer can pause or cancel it: outreach pause"),
        ("approve launch pause", "launch", "an organizer can resume or cancel it: outreach resume"),
        ("approve launch cancel", "pause", "anybody who may write campaigns can save another"),
    ],
)
async def test_a_refusal_says_who_can_do_what_next(ledger: Ledger, steps: str, what: str, next_: str) -> None:
    campaign = await saved(ledger)
    for step in steps.split():
        await do(ledger, step, campaign, "Ben")
    with pytest.raises(NotAllowed) as refused:
        await do(ledger, what, campaign, "Ben")
    assert next_ in str(refused.value)


async def test_a_limit_in_a_currency_that_a_channel_is_not_paid_in_is_refused(ledger: Ledger) -> None:
    euros = {"sms": ChannelRules(rate=0, concurrency=1, price=0.08, currency="EUR")}
    ledger = Ledger(ledger.store, rules=euros)
    with pytest.raises(BadInput, match="sms is paid for in EUR") as refused:
        await saved(ledger, spend_limit={"amount": 5.0, "currency": "USD"})
    assert refused.value.place == "spend_limit.currency"
    assert await saved(ledger, spend_limit={"amount": 5.0, "currency": "EUR"})
    assert await saved(ledger, spend_limit={"amount": 5.0, "currency": "USD"}, channels=["email"])
