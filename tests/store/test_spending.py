"""What sending costs is counted, and no number of workers ever spends more than a campaign's or a month's limit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from router.core.ask import Ask
from router.core.channel import Inbound, OutboundMessage, Received, Sent
from router.core.errors import BadInput, FailureClass, NotSent, OutcomeUnknown, Refused
from router.core.policy import Policy, read_policy
from router.core.rates import ChannelRules, read_channel_rules
from router.core.sms import count_segments
from router.drafting import edit_campaign
from router.launch import resume_campaign
from router.settings import load_settings, load_toml
from router.store.engine import Store
from router.store.spendings import month_of
from router.views import view_campaign
from tests.support.claims import expire_lease, lease, lease_and_claim, record
from tests.support.ledger import Ledger, Script
from tests.support.runtime import PLAIN_BUDGET, Clock

CENT = 10_000
"""A hundredth, in millionths."""
PRICED = {
    "sms": ChannelRules(rate=0, concurrency=4, price=0.01),
    "email": ChannelRules(rate=0, concurrency=2),
}
BOTH = {"en": {"default": {"text": "Dinner?"}}, "en-GB": {"default": {"text": "Dinner? " * 24}}}
"""One segment, or two for those who read British English."""


def policy(month: float | None = None) -> Policy:
    """Rules without a budget, canary or ramp in the way, and with a month's limit in USD where it is given."""
    shipped = load_toml("policy", load_settings())
    guard = {**shipped["guard"], "ramp": {**shipped["guard"]["ramp"], "shares": []}}
    spend = {"month": {} if month is None else {"USD": month}}
    return read_policy({**shipped, "budget": PLAIN_BUDGET, "guard": guard, "spend": spend})


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation where a segment of SMS costs a cent."""
    return Ledger(store, rules=PRICED, policy=policy())


def usd(amount: float) -> dict[str, Any]:
    return {"spend_limit": {"amount": amount, "currency": "USD"}}


async def spent(ledger: Ledger, campaign: int | None = None) -> float:
    """Cents, by one campaign or by all."""
    [[micros]] = await ledger.execute(
        "SELECT sum(micros) FROM spending" + ("" if campaign is None else " WHERE campaign_id = :id"),
        **({} if campaign is None else {"id": campaign}),
    )
    return int(micros or 0) / CENT


async def lengthen(ledger: Ledger, members: list[int]) -> None:
    """Let their text of `BOTH` be the long one."""
    for member in members:
        await ledger.execute("UPDATE member SET locale = 'en-GB' WHERE id = :id", id=member)


def answering(*answers: BaseException | None) -> Script:
    """Answers the messages in turn: accepted where None."""
    left = iter(answers)

    async def script(message: OutboundMessage) -> Sent:
        answer = next(left, None)
        if answer is not None:
            raise answer
        return Sent(f"SM{message.delivery.id}")

    return script


async def test_every_segment_that_was_or_may_have_been_taken_is_counted(ledger: Ledger) -> None:
    members = await ledger.add_members(5)
    await lengthen(ledger, members[:1])
    campaign = await ledger.launch_and_route(texts=BOTH)
    ledger.sms.script = answering(
        None,
        OutcomeUnknown("timeout"),
        Refused(FailureClass.ADDRESS_DEAD, "30006"),
        NotSent(FailureClass.TRANSPORT, "connect"),
        None,
    )
    await ledger.send(requests=1)
    assert await spent(ledger, campaign) == 2 + 1 + 0 + 0 + 1
    ledger.clock.advance(minutes=10)
    await ledger.send(requests=1)
    assert await spent(ledger, campaign) == 5, "the second try of what was not sent"
    [[month]] = await ledger.execute("SELECT month FROM spending")
    assert month == 202611
    assert (await view_campaign(ledger.runtime, campaign)).spent == {"USD": 0.05}


async def test_what_a_dead_worker_may_have_sent_stays_counted_and_its_late_word_settles_it(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    batch, work = await lease_and_claim(ledger)
    assert await spent(ledger, campaign) == 3, "put aside before the first byte leaves"
    await expire_lease(ledger, batch)
    assert await lease(ledger, "worker-2") is not None
    assert await ledger.statuses(campaign) == ["unknown"] * 3
    assert await spent(ledger, campaign) == 3
    not_sent = NotSent(FailureClass.TRANSPORT, "connect")
    for _ in range(2):
        await record(ledger, work, not_sent, not_sent, not_sent)
        assert await spent(ledger, campaign) == 0, "told twice is given back once"


async def test_channels_without_a_price_leave_no_trace(ledger: Ledger) -> None:
    await ledger.add_members(2, channels=("email",))
    await ledger.launch_and_route(**usd(0.001))
    await ledger.send("email")
    assert len(ledger.email.handed) == 2
    assert await ledger.execute("SELECT * FROM spending") == []


async def test_a_campaign_pauses_before_it_crosses_its_limit_and_goes_on_with_a_higher_one(ledger: Ledger) -> None:
    await ledger.add_members(10)
    campaign = await ledger.launch_and_route(**usd(0.065))
    await ledger.send(requests=1)
    assert (len(ledger.sms.handed), await spent(ledger)) == (6, 6)
    view = await view_campaign(ledger.runtime, campaign)
    assert view.status.value == "paused"
    assert view.pause_reason == (
        "it has cost 0.06 USD, and the next message would pass its spend_limit of 0.07 USD; whoever may write campaigns"
        f" can raise that (PUT /api/v1/campaigns/{campaign}/ask), then an organizer can resume it:"
        f" outreach resume {campaign}"
    )
    [[told]] = await ledger.execute("SELECT sentence FROM notice WHERE kind = 'campaign'")
    assert told == f"Campaign {campaign} is paused: {view.pause_reason}"
    await resume_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    await ledger.send(requests=1)
    assert len(ledger.sms.handed) == 6
    higher = Ask.model_validate({**view.ask.model_dump(mode="json"), **usd(1)})
    await edit_campaign(ledger.runtime, campaign, higher, by="ana", now=ledger.clock())
    await resume_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    await ledger.send(requests=1)
    assert (len(ledger.sms.handed), await spent(ledger)) == (10, 10)


async def test_a_long_text_needs_its_room(ledger: Ledger) -> None:
    members = await ledger.add_members(4)
    await lengthen(ledger, members)
    await ledger.launch_and_route(texts=BOTH, **usd(0.05))
    await ledger.send(requests=1)
    assert (len(ledger.sms.handed), await spent(ledger)) == (2, 4)


async def test_what_was_given_back_pays_for_the_next(ledger: Ledger) -> None:
    await ledger.add_members(6)
    campaign = await ledger.launch_and_route(**usd(0.04))
    dead = Refused(FailureClass.ADDRESS_DEAD, "30006")
    ledger.sms.script = answering(dead, None, dead, None)
    await ledger.send(requests=1)
    assert await spent(ledger, campaign) == 4
    assert sorted(await ledger.statuses(campaign)) == ["failed"] * 2 + ["sent"] * 4


async def test_the_month_is_one_purse_for_all_campaigns_and_begins_anew(store: Store) -> None:
    clock = Clock(datetime(2026, 11, 30, 18, 0, tzinfo=UTC))
    ledger = Ledger(store, rules=PRICED, policy=policy(month=0.05), clock=clock)
    await ledger.add_members(4)
    first = await ledger.launch_and_route()
    await ledger.send(requests=1)
    second = await ledger.launch_and_route()
    await ledger.send(requests=1)
    assert (await spent(ledger, first), await spent(ledger, second)) == (4, 1)
    reason = (await view_campaign(ledger.runtime, second)).pause_reason
    assert reason.startswith("all campaigns have cost 0.05 USD in 2026-11, and the next message would pass the month's")
    assert "the operator can raise USD under [spend] month in config/policy.toml" in reason
    assert f"then, or next month, an organizer can resume it: outreach resume {second}" in reason
    clock.advance(hours=14)
    await resume_campaign(ledger.runtime, second, by="ana", now=clock())
    await ledger.send(requests=1)
    assert await spent(ledger, second) == 4
    assert month_of(clock()) == 202612


async def test_an_answer_is_counted_and_never_held_up(store: Store) -> None:
    ledger = Ledger(store, rules=PRICED, policy=policy(month=0.01))
    await ledger.add_members(1, phone="+33639980001")
    await ledger.launch_and_route()
    await ledger.send()
    event = Inbound(event_id="SM1", sender="+33639980001", recipient="+1", text="HELP", at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    await ledger.send()
    assert len(ledger.sms.handed) == 2
    segments = sum(count_segments(message.text).segments for message in ledger.sms.handed)
    assert await spent(ledger) == segments


def _moody(seed: int) -> Callable[[OutboundMessage], Any]:
    """Accepts, refuses, breaks off and stays silent, in an order of its own; slow enough for workers to meet."""
    dice = random.Random(seed)

    async def script(message: OutboundMessage) -> Sent:
        await asyncio.sleep(dice.random() / 200)
        match dice.randrange(30):
            case 0:
                raise NotSent(FailureClass.TRANSPORT, "connect")
            case 1:
                raise Refused(FailureClass.ADDRESS_DEAD, "30006")
            case 2:
                raise OutcomeUnknown("timeout")
        return Sent(f"SM{message.delivery.id}")

    return script


@pytest.mark.parametrize("by_month", [False, True], ids=["campaign", "month"])
async def test_workers_at_once_never_cross_a_limit(store: Store, database_url: str, *, by_month: bool) -> None:
    """Six dispatchers of three processes at one campaign with a limit, or at four in a month that has one."""
    limit = 1.23
    other = Store(database_url)
    ledgers = [
        Ledger(one, rules=PRICED, policy=policy(month=limit if by_month else None)) for one in (store, store, other)
    ]
    taken = 0.0

    def counting(script: Callable[[OutboundMessage], Any]) -> Script:
        async def counted(message: OutboundMessage) -> Sent:
            nonlocal taken
            cost = count_segments(message.text).segments
            try:
                sent: Sent = await script(message)
            except OutcomeUnknown:
                taken += cost
                raise
            taken += cost
            return sent

        return counted

    for place, one in enumerate(ledgers):
        one.sms.script = counting(_moody(place))
    members = await ledgers[0].add_members(160)
    await lengthen(ledgers[0], members[::3])
    if by_month:
        parts = [members[place::4] for place in range(4)]
        campaigns = [
            await ledgers[0].launch_and_route(
                texts=BOTH, title=f"Part {place}", audience={"op": "members", "ids": some}
            )
            for place, some in enumerate(parts)
        ]
    else:
        campaigns = [await ledgers[0].launch_and_route(texts=BOTH, **usd(limit))]
    most = 0.0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, await spent(ledgers[0]), taken)
            await asyncio.sleep(0.005)

    async def work(place: int) -> None:
        for _ in range(3):
            await ledgers[place % 3].send(owner=f"worker-{place}", requests=4)
            ledgers[place % 3].clock.advance(seconds=40)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work(place) for place in range(6)))
    done.set()
    await watching
    assert await spent(ledgers[0]) == taken <= most <= limit * 100
    views = [await view_campaign(ledgers[0].runtime, one) for one in campaigns]
    assert "paused" in {view.status.value for view in views}
    for one in ledgers:
        one.sms.script = counting(answering())
    for view in views:
        if view.status.value == "paused":
            await resume_campaign(ledgers[0].runtime, view.id, by="ana", now=ledgers[0].clock())
            await ledgers[0].send(requests=1)
    assert limit * 100 - 2 < await spent(ledgers[0]) == taken <= limit * 100, "used up to where the next has no room"
    await other.aclose()


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ({"price": -1.0}, "sms.price"),
        ({"accounts": {"spare": {"currency": "EUR"}}}, "sms.accounts.spare.currency"),
    ],
)
def test_a_price_that_cannot_be_is_refused_at_load(rules: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_channel_rules({"sms": {"rate": 1, "concurrency": 1, **rules}})
    assert refused.value.place == f"channels.toml: {place}"


async def test_the_dearest_account_is_reckoned_with_until_it_is_known_who_sent(store: Store) -> None:
    rules = {"sms": ChannelRules(rate=0, concurrency=1, price=0.01, accounts={"main": {"price": 0.03}})}
    ledger = Ledger(store, rules=rules, policy=policy())
    await ledger.add_members(3)
    await ledger.launch_and_route(**usd(0.07))
    await ledger.send(requests=1)
    assert (len(ledger.sms.handed), await spent(ledger)) == (2, 6)
