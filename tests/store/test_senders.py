"""Accounts, numbers and bots: who sends what, who stands in for whom, and what a failure's class makes of it.

The real adapters against simulated providers on real sockets; the ledger on both databases.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sandbox import Sandbox
from router import sending, worker
from router.core.policy import read_policy
from router.core.rates import ChannelRules, Daily, Pace
from router.core.standing import Standing
from router.senders import Sender, choose
from router.settings import load_settings, load_toml
from tests.e2e.faults import be_impatient
from tests.support.accounts import Open, attempts, notices
from tests.support.ledger import ScriptedChannel
from tests.support.movement import DINNER, UNPACED, Movement, free_port
from tests.support.settling import jump, settle, working

SPARE = {"account_sid": "AC" + "6b" * 16, "auth_token": "spare-token-of-no-value"}
"""The second Twilio account."""
SPARE_NUMBER = "+12025550101"


@pytest.fixture
async def spare() -> AsyncIterator[Sandbox]:
    """The providers of every channel once more: another company, or another account."""
    async with Sandbox(**SPARE) as sandbox:
        yield sandbox


def sms_of(sandbox: Sandbox) -> dict[str, str]:
    """The variables of the SMS account ``spare``."""
    return {
        "OUTREACH_SMS__SPARE__ACCOUNT_SID": SPARE["account_sid"],
        "OUTREACH_SMS__SPARE__AUTH_TOKEN": SPARE["auth_token"],
        "OUTREACH_SMS__SPARE__API_URL": sandbox.http_url,
        "OUTREACH_SMS__SPARE__FROM_NUMBER": SPARE_NUMBER,
    }


def phones_of(sandbox: Sandbox) -> set[str]:
    """Who was written to there."""
    return {row.to for row in sandbox.memory.accepted}


async def sender_row(movement: Movement, account: str = "main", channel: str = "sms") -> Any:
    rows = await movement.execute(
        "SELECT state, reason, until, weight FROM sender WHERE channel = :channel AND account = :account",
        channel=channel,
        account=account,
    )
    return rows[0] if rows else None


# ── who is chosen ─────────────────────────────────────────────────────────────────────────────────────────────────

POLICY = read_policy(load_toml("policy", load_settings())).breaker
MANY = [f"hash{number}" for number in range(20_000)]


def senders(*weights: float) -> list[Sender]:
    rules = ChannelRules(rate=0, concurrency=1)
    return [
        Sender("sms", f"account{place}", "", ScriptedChannel(), rules, Standing(POLICY, weight=weight))
        for place, weight in enumerate(weights)
    ]


@pytest.mark.parametrize("weights", [(1, 1), (1, 2), (0.9, 1.1), (1, 1, 1), (0.1, 1, 3), (5,)])
def test_everybody_sends_their_share(weights: tuple[float, ...]) -> None:
    pool = senders(*weights)
    chosen = Counter(choose(pool, one).account for one in MANY)
    for sender, weight in zip(pool, weights, strict=True):
        share = weight / sum(weights)
        spread = math.sqrt(len(MANY) * share * (1 - share))
        assert abs(chosen[sender.account] - len(MANY) * share) <= 5 * spread, chosen


weights_ = st.lists(st.floats(0.05, 20), min_size=2, max_size=6)
hashes = st.lists(st.text(min_size=1, max_size=22), min_size=1, max_size=50)


@given(weights_, hashes, st.data())
def test_the_same_person_hears_from_the_same_sender_and_few_move_when_one_drops_out(
    weights: list[float], people: list[str], data: st.DataObject
) -> None:
    pool = senders(*weights)
    before = {one: choose(pool, one) for one in people}
    shuffled = data.draw(st.permutations(pool))
    assert {one: choose(shuffled, one) for one in people} == before
    gone = data.draw(st.sampled_from(pool))
    rest = [sender for sender in pool if sender is not gone]
    for one, sender in before.items():
        if sender is not gone:
            assert choose(rest, one) is sender
    gone.standing.weight *= 0.5
    for one, sender in before.items():
        assert choose(pool, one) is sender or sender is gone


@given(weights_, st.text(min_size=1))
def test_further_tries_go_round_all_of_them(weights: list[float], person: str) -> None:
    pool = senders(*weights)
    order = [choose(pool, person, tries) for tries in range(1, 2 * len(pool) + 1)]
    assert len(set(order[: len(pool)])) == len(pool)
    assert order[len(pool) :] == order[: len(pool)]


# ── fail-over ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_surely_was_not_sent_fails_over_at_once(open_movement: Open, spare: Sandbox) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    environment = sms_of(spare) | {"OUTREACH_SMS_API_URL": nobody}
    # The first wait after a connect error would be a minute; at once means without it.
    async with open_movement(environment=environment, policy={"transport_seconds": [60, 60]}) as movement:
        await movement.add_members(60)
        campaign = await movement.launch()
        began = movement.clock()
        async with working(movement):
            await movement.until(lambda: _is(movement, campaign, {"delivered": 60}), 20)
        assert movement.clock() - began < timedelta(seconds=30)
        assert phones_of(movement.sandbox) == set()
        assert len(spare.memory.accepted) == len(phones_of(spare)) == 60
        tried = await attempts(movement, campaign)
        assert tried["spare", "sent"] == 60
        assert tried["main", "not_sent"] >= 5, "half of them belong to main, which is tried until it rests"


async def _has_no(movement: Movement, campaign: int, status: str) -> bool:
    return status not in await movement.statuses(campaign)


async def _is(movement: Movement, campaign: int, statuses: dict[str, int]) -> bool:
    return await movement.statuses(campaign) == statuses


@pytest.mark.parametrize("ending", ["timeout_after_accept", "drop_after_accept", "error_rate"])
async def test_an_unknown_outcome_never_fails_over(
    open_movement: Open, spare: Sandbox, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_impatient(monkeypatch, 0.5)
    # However badly main does, it goes on: this is about each message, not about the breaker.
    async with open_movement(environment=sms_of(spare), policy={"failing_share": 1.0}) as movement:
        movement.sandbox.turn(no_receipts=1, **{ending: 1})
        await movement.add_members(40)
        campaign = await movement.launch()
        async with working(movement):
            await settle(movement, campaign)
            await movement.until(lambda: _has_no(movement, campaign, "sent"))  # the other's receipts are in
        statuses = await movement.statuses(campaign)
        assert set(statuses) == {"unknown", "delivered"}
        assert min(statuses.values()) > 5, "each has about half of them"
        tried = await attempts(movement, campaign)
        assert tried == {("main", "unknown"): statuses["unknown"], ("spare", "sent"): statuses["delivered"]}
        assert len(spare.memory.accepted) == statuses["delivered"]
        assert not phones_of(movement.sandbox) & phones_of(spare)
        accepted = 0 if ending == "error_rate" else statuses["unknown"]
        assert len(movement.sandbox.memory.accepted) == len(phones_of(movement.sandbox)) == accepted


async def test_a_sender_at_fault_rests_is_shown_and_comes_back_by_one_probe(
    open_movement: Open, spare: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_movement(environment=sms_of(spare)) as movement:
        members = await movement.add_members(80)
        values = await movement.execute("SELECT value FROM address")
        movement.sandbox.turn(refuse={row.value: 30002 for row in values})  # account suspended

        def refused() -> int:
            return movement.sandbox.memory.counters["refused_30002"]

        async with working(movement):
            first = await movement.launch()
            await movement.until(lambda: _is(movement, first, {"delivered": 80}))
            assert 5 <= refused() <= 5 + 3 * UNPACED["sms"].concurrency, "no more than were in the air"
            resting = await sender_row(movement)
            assert resting.state == "open"
            assert "30002" in resting.reason
            assert (
                await sender_row(movement, "spare") is None or (await sender_row(movement, "spare")).state == "closed"
            )
            told = await notices(movement, "sender")
            assert list(told) == ["sms/main"]
            assert "30002" in told["sms/main"].sentence
            assert any("sms/main rests" in record.message for record in caplog.records)

            before = refused()
            # Still suspended: one message is let through to see, and the other account takes it over.
            movement.sandbox.turn(latency=0.3)
            jump(movement, timedelta(minutes=15, seconds=1))
            second = await movement.launch()
            third = await movement.launch()
            await movement.until(lambda: _is(movement, second, {"delivered": 80}))
            await movement.until(lambda: _is(movement, third, {"delivered": 80}))
            assert refused() == before + 1, "one probe"
            await movement.until(lambda: _rests(movement, lambda row: (row.until or 0) > resting.until))

            # Mended: the next probe closes it.
            movement.sandbox.turn(refuse={}, latency=0)
            jump(movement, timedelta(days=8))
            await settle(movement, await movement.launch())
            assert len(movement.sandbox.memory.accepted) >= 1
            await movement.until(lambda: _rests(movement, lambda row: row.state == "closed"))
            assert await notices(movement, "sender") == {}
            await settle(movement, await movement.launch())
            assert len(movement.sandbox.memory.accepted) > 20, "it has its share again"
        everybody = Counter(row.to for sandbox in (movement.sandbox, spare) for row in sandbox.memory.accepted)
        assert set(everybody.values()) == {5}
        assert len(everybody) == len(members)


# ── weights ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_weight_moves_away_from_a_slow_account_and_drifts_back(
    open_movement: Open, spare: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEED", 0.1)
    monkeypatch.setattr(sending, "SLOW", 0.2)
    policy = {"of_last": 20, "shift_seconds": 1, "drift_seconds": 1}
    async with open_movement(environment=sms_of(spare), policy=policy) as movement:
        await movement.add_members(300)
        movement.sandbox.turn(latency=0.25)
        async with working(movement):
            first = await movement.launch()
            await movement.until(lambda: _weighs(movement, lambda main, other: main < 0.95 and other > 1.05))
            movement.sandbox.turn(latency=0)
            await settle(movement, first)
            await movement.until(lambda: _weighs(movement, lambda main, other: main == other == 1.0))


async def test_an_account_that_hangs_does_not_hold_up_the_other(
    open_movement: Open, spare: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_impatient(monkeypatch, 2.5)  # long enough to count as slow (rule 8)
    async with open_movement(environment=sms_of(spare)) as movement:
        movement.sandbox.turn(timeout_after_accept=1)
        await movement.add_members(120)
        await movement.launch()
        async with working(movement):
            await movement.until(lambda: len(spare.memory.accepted) > 40, 20)


async def _rests(movement: Movement, rule: Callable[[Any], bool]) -> bool:
    return rule(await sender_row(movement))


async def _weighs(movement: Movement, rule: Callable[[float, float], bool]) -> bool:
    main, other = await sender_row(movement), await sender_row(movement, "spare")
    return main is not None and other is not None and rule(main.weight, other.weight)


# ── a pool of numbers ─────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = ("+12025550110", "+12025550111", "+12025550112")
POOL = {"OUTREACH_SMS_FROM_NUMBER": ",".join(NUMBERS)}


async def test_each_number_of_a_pool_has_a_rate_of_its_own(open_movement: Open) -> None:
    rate, burst = 10.0, 5.0
    rules = UNPACED | {"sms": ChannelRules(rate=rate, burst=burst, spare=0, concurrency=10)}
    async with open_movement(environment=POOL, rules=rules) as movement:
        await movement.add_members(120)
        campaign = await movement.launch()
        async with working(movement):
            await settle(movement, campaign)
        at: dict[str, list[float]] = defaultdict(list)
        for row in movement.sandbox.memory.accepted:
            at[row.sender].append(row.at)
        assert set(at) == set(NUMBERS)
        for times in at.values():
            assert_paced(times, rate, burst)
        took = max(map(max, at.values())) - min(map(min, at.values()))
        assert took < 120 / rate, f"{took:.1f} s: three numbers are faster than one"


def assert_paced(times: Sequence[float], rate: float, burst: float, stall: float = 1.0) -> None:
    """In no stretch of time more than the burst and what flows in meanwhile.

    What is seen is when the provider accepted, not when it was sent: a machine that stood still for up to `stall`
    seconds hands over together what was sent in turn.
    """
    for start, first in enumerate(times):
        for end in range(start, len(times)):
            allowed = burst + rate * (times[end] - first + stall) + 1
            assert end - start + 1 <= allowed, f"{end - start + 1} in {times[end] - first:.2f} s"


async def test_people_hear_from_the_same_number_in_a_hurry_and_at_leisure(open_movement: Open) -> None:
    rules = UNPACED | {"sms": ChannelRules(rate=30, burst=10, spare=0, concurrency=10)}
    async with open_movement(environment=POOL, rules=rules) as movement:
        await movement.add_members(150)
        async with working(movement):
            for _ in range(2):
                await settle(movement, await movement.launch())
        heard: dict[str, set[str]] = defaultdict(set)
        for row in movement.sandbox.memory.accepted:
            heard[row.to].add(row.sender)
        assert len(movement.sandbox.memory.accepted) == 300
        changed = sum(len(numbers) > 1 for numbers in heard.values())
        assert changed == 0, f"{changed} of 150 heard from another number the second time"


# ── bots ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("works", [True, False], ids=["both work", "the other is down"])
async def test_a_chat_of_one_bot_is_never_written_to_by_another(
    open_movement: Open, spare: Sandbox, works: bool
) -> None:
    url = spare.http_url if works else f"http://127.0.0.1:{free_port()}"
    bot = {
        name.replace("TELEGRAM_", "TELEGRAM__OTHER__"): value for name, value in spare.telegram.environment(url).items()
    }
    async with open_movement(environment=bot) as movement:
        await movement.add_members(30, channel="telegram")
        theirs = await movement.add_members(30, channel="telegram", account="other")
        campaign = await movement.launch()
        async with working(movement):
            await settle(movement, campaign, until=timedelta(hours=1))
        rows = await movement.execute("SELECT member_id, value FROM address")
        chats = {row.value for row in rows if row.member_id in theirs}
        assert len(phones_of(movement.sandbox)) == len(movement.sandbox.memory.accepted) == 30
        assert not phones_of(movement.sandbox) & chats
        assert phones_of(spare) == (chats if works else set())
        assert (await movement.statuses(campaign))["sent"] == (60 if works else 30)


# ── allowances and paces ──────────────────────────────────────────────────────────────────────────────────────────

CAPPED = UNPACED | {
    "sms": ChannelRules(
        rate=0, concurrency=10, daily=Daily(cap=10, zone="America/Los_Angeles", prefix="+1202555"), price=0.01
    )
}
US = {"zone": "America/New_York", "country": "US"}


async def test_a_used_up_allowance_waits_for_midnight_in_its_zone(open_movement: Open) -> None:
    async with open_movement(rules=CAPPED) as movement:
        numbers = [f"+120255501{place:02d}" for place in range(20, 35)]
        await movement.add_members(15, values=numbers, **US)
        await movement.add_members(5, zone="Europe/London")  # not under the allowance
        campaign = await movement.launch()
        async with working(movement):
            await settle(movement, campaign, until=timedelta(hours=1))
            assert await movement.statuses(campaign) == {"delivered": 15, "queued": 5}
            midnight = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)  # in Los Angeles
            waiting = await movement.execute("SELECT not_before, attempts FROM delivery WHERE status = 'queued'")
            assert {(row.not_before, row.attempts) for row in waiting} == {(int(midnight.timestamp() * 1000), 0)}
            await settle(movement, campaign)
        assert await movement.statuses(campaign) == {"delivered": 20}
        late = [row.at for row in movement.sandbox.memory.accepted][15:]
        assert min(late) >= datetime(2026, 11, 20, 13, 0, tzinfo=UTC).timestamp(), "nor at night in New York"
        assert set(movement.received().values()) == {1}


async def test_an_ask_that_cannot_wait_for_midnight_goes_by_another_channel(open_movement: Open) -> None:
    async with open_movement(rules=CAPPED) as movement:
        numbers = [f"+120255501{place:02d}" for place in range(20, 35)]
        await movement.add_members(15, then="email", values=numbers, **US)
        campaign = await movement.launch(urgent=True)  # of use for six hours
        async with working(movement):
            await settle(movement, campaign)
        by_channel = Counter("email" if "@" in to else "sms" for to in movement.received())
        assert by_channel == {"sms": 10, "email": 5}
        assert await movement.statuses(campaign) == {"delivered": 15, "failed": 5}


async def test_one_chat_is_not_written_to_faster_than_its_pace(open_movement: Open) -> None:
    each = {"chat": Pace(rate=1), "group": Pace(rate=0.5)}
    rules = UNPACED | {"telegram": ChannelRules(rate=0, concurrency=10, each=each)}
    async with open_movement(rules=rules) as movement:
        await movement.add_members(8, channel="telegram")
        await movement.add_groups(["-1001"], channel="telegram")
        asks = [await movement.launch(**DINNER) for _ in range(3)]
        began = time.monotonic()
        async with working(movement):
            for ask in asks:
                await settle(movement, ask)
        took = time.monotonic() - began
        at: dict[str, list[float]] = defaultdict(list)
        for row in movement.sandbox.memory.accepted:
            at[row.to].append(row.at)
        assert {len(times) for times in at.values()} == {3}
        for to, times in at.items():
            pace = 2.0 if to.startswith("-") else 1.0
            gaps = [later - earlier for earlier, later in pairwise(times)]
            assert min(gaps) >= pace * 0.95, f"{gaps} s between messages to one {'group' if pace > 1 else 'chat'}"
        assert took < 20, "chats do not wait for one another"
