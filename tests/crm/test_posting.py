"""Other systems hear of opt-outs, actions and finished campaigns: a real receiver on a real socket, both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from router.actions import record_action
from router.core.channel import Inbound, OptOut, Received
from router.core.errors import BadInput
from router.core.outgoing import WAITS, Kind, sign
from router.crm.posting import KEPT, forget_told, post_events
from router.crm.registry import add_webhook, list_events, replay, set_active, view_webhook
from router.hosts import is_public, public_or
from router.store.engine import Store
from router.wire import HttpWire
from tests.support.ledger import Ledger


@dataclass
class Receiver:
    """Another system: keeps what it is told and answers with `statuses` in turn, then with 204."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(request)
        self.told.append({**json.loads(body), "raw": body, "name": request.headers["webhook-id"]})
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers=self.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/crm", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/crm"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def ledger(store: Store) -> AsyncIterator[Ledger]:
    async with HttpWire(may_reach=public_or(["127.0.0.0/8"])) as wire:
        ledger = Ledger(store, private_networks="127.0.0.0/8")
        ledger.runtime = replace(ledger.runtime, strangers=wire)
        yield ledger


async def post(ledger: Ledger, *, rounds: int = 10) -> None:
    """Tell all that is due now."""
    for _ in range(rounds):
        if not await post_events(ledger.runtime, "worker-1", now=ledger.clock()):
            return


async def hook(ledger: Ledger, url: str, *kinds: Kind) -> tuple[int, str]:
    made = await add_webhook(ledger.runtime, url, kinds or list(Kind), by="ana", now=ledger.clock())
    return made.webhook.id, made.secret


async def act(ledger: Ledger, member: int, name: str, kind: str = "signed") -> None:
    await record_action(
        ledger.runtime, member_id=member, phone=None, email=None, external_id=name, kind=kind, campaign_id=None,
        at=ledger.clock(), now=ledger.clock(),
    )  # fmt: skip
    ledger.clock.advance(seconds=1)


async def test_an_action_is_told_once_signed_and_without_personal_data(ledger: Ledger, receiver: Receiver) -> None:
    number, secret = await hook(ledger, receiver.url)
    [member] = await ledger.add_members(1)
    await ledger.execute("UPDATE member SET external_id = 'crm-7' WHERE id = :id", id=member)
    await act(ledger, member, "petition-1")
    await act(ledger, member, "petition-1")
    await post(ledger)
    [told] = receiver.told
    assert (told["type"], told["data"]["member"]) == ("action", {"id": member, "external_id": "crm-7"})
    assert told["data"]["action"]["kind"] == "signed"
    headers = receiver.requests[0].headers
    assert headers["webhook-signature"] == sign(
        secret, headers["webhook-id"], int(headers["webhook-timestamp"]), told["raw"]
    )
    [[phone]] = await ledger.execute("SELECT value FROM address WHERE member_id = :id", id=member)
    assert phone not in told["raw"].decode()
    assert "Ana" not in told["raw"].decode()
    assert (await view_webhook(ledger.runtime, number)).waiting == 0


async def test_a_stop_and_a_complaint_are_told_as_opt_outs(ledger: Ledger, receiver: Receiver) -> None:
    await hook(ledger, receiver.url, Kind.OPT_OUT, Kind.OPT_IN)
    ann, bob = await ledger.add_members(2)
    phones = dict(await ledger.execute("SELECT member_id, value FROM address"))
    await act(ledger, ann, "not asked for")
    said = Inbound(event_id="1", sender=phones[ann], recipient="", text="STOP", at=ledger.clock())
    await ledger.submit(Received(events=(said,)))
    ledger.clock.advance(seconds=1)
    await ledger.submit(Received(events=(OptOut(event_id="2", address=phones[bob], at=ledger.clock()),)))
    ledger.clock.advance(seconds=1)
    again = Inbound(event_id="3", sender=phones[ann], recipient="", text="START", at=ledger.clock())
    await ledger.submit(Received(events=(again,)))
    await post(ledger)
    assert [(one["type"], one["data"]["member"]["id"]) for one in receiver.told] == [
        ("opt_out", ann), ("opt_out", bob), ("opt_in", ann),
    ]  # fmt: skip
    assert receiver.told[0]["data"]["channels"][0] == "sms"


async def test_a_finished_campaign_is_summed_up(ledger: Ledger, receiver: Receiver) -> None:
    await hook(ledger, receiver.url, Kind.SUMMARY)
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    await ledger.finish()
    await post(ledger)
    [told] = receiver.told
    assert told["data"]["campaign"]["id"] == campaign
    assert told["data"]["deliveries"] == [{"channel": "sms", "status": "sent", "reason": "", "count": 3}]


async def test_what_failed_is_told_again_and_nothing_of_that_member_overtakes_it(
    ledger: Ledger, receiver: Receiver
) -> None:
    await hook(ledger, receiver.url)
    ann, bob = await ledger.add_members(2)
    await act(ledger, ann, "first")
    await act(ledger, ann, "second")
    await act(ledger, bob, "of somebody else")
    receiver.statuses = [400]
    await post(ledger)
    about = [(one["data"]["member"]["id"], one["data"]["action"]["id"]) for one in receiver.told]
    assert [who for who, _ in about] == [ann, bob]
    ledger.clock.advance(seconds=WAITS[0].total_seconds() + 1)
    await post(ledger)
    told = [one["data"]["action"]["id"] for one in receiver.told if one["data"]["member"]["id"] == ann]
    first, again, second = told
    assert first == again != second
    assert receiver.told[0]["name"] == receiver.told[2]["name"], "a receiver knows that it had this one"


async def test_an_address_that_is_down_rests_as_a_whole_and_loses_nothing(ledger: Ledger, receiver: Receiver) -> None:
    number, _ = await hook(ledger, receiver.url)
    *members, later = await ledger.add_members(4)
    for member in members:
        await act(ledger, member, f"of {member}")
    receiver.statuses = [503, 503, 503]
    receiver.headers = {"Retry-After": "120"}
    await post(ledger)
    view = await view_webhook(ledger.runtime, number)
    assert view.waiting == 3
    assert view.resting_until == ledger.clock() + timedelta(seconds=120)
    await act(ledger, later, "while it rests")
    await post(ledger)
    assert len(receiver.told) == 3, "nothing is tried while it rests"
    ledger.clock.advance(seconds=121)
    await post(ledger)
    view = await view_webhook(ledger.runtime, number)
    assert (view.waiting, view.resting_until, len(receiver.told)) == (0, None, 7)


async def test_dead_letters_are_kept_shown_and_tried_again_on_demand(ledger: Ledger, receiver: Receiver) -> None:
    number, _ = await hook(ledger, receiver.url)
    [member] = await ledger.add_members(1)
    await act(ledger, member, "unwanted")
    await act(ledger, member, "after it")
    tries = len(WAITS) + 1
    receiver.statuses = [422] * tries
    for wait in [timedelta(), *WAITS]:
        ledger.clock.advance(seconds=wait.total_seconds() + 1)
        await post(ledger, rounds=1)
    [dead] = await list_events(ledger.runtime, number, status="dead")
    assert (dead.attempts, dead.last_error, dead.member_id) == (tries, "422", member)
    await post(ledger)
    assert len(receiver.told) == tries + 1, "what came after it goes on"
    assert await replay(ledger.runtime, number, by="ana", now=ledger.clock()) == 1
    await post(ledger)
    assert await list_events(ledger.runtime, number, status="dead") == []
    assert receiver.told[-1]["name"] == f"evt_{dead.id}"


async def test_one_that_is_gone_is_closed(ledger: Ledger, receiver: Receiver) -> None:
    number, _ = await hook(ledger, receiver.url)
    [member] = await ledger.add_members(1)
    await act(ledger, member, "first")
    receiver.statuses = [410]
    await post(ledger)
    view = await view_webhook(ledger.runtime, number)
    assert (view.active, view.reason) == (False, "it answered 410 Gone")
    await act(ledger, member, "not kept for a closed one")
    assert (await view_webhook(ledger.runtime, number)).waiting == 1
    await set_active(ledger.runtime, number, True, by="ana", now=ledger.clock())
    ledger.clock.advance(seconds=10)
    await post(ledger)
    assert len(receiver.told) == 2


async def test_a_redirect_is_not_followed(ledger: Ledger, receiver: Receiver) -> None:
    number, _ = await hook(ledger, receiver.url)
    [member] = await ledger.add_members(1)
    await act(ledger, member, "first")
    receiver.statuses, receiver.headers = [302], {"Location": receiver.url}
    await post(ledger)
    assert len(receiver.told) == 1
    [event] = await list_events(ledger.runtime, number, status="waiting")
    assert event.last_error.startswith("302: it leads elsewhere")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:1/", "https://[::1]:1/", "https://localhost:1/", "https://169.254.169.254/latest"]
)
async def test_nothing_is_sent_into_a_private_network(ledger: Ledger, url: str) -> None:
    number, _ = await hook(ledger, url)
    [member] = await ledger.add_members(1)
    await act(ledger, member, "first")
    async with HttpWire(may_reach=is_public) as wire:
        ledger.runtime = replace(ledger.runtime, strangers=wire)
        await post(ledger)
    view = await view_webhook(ledger.runtime, number)
    assert (view.active, view.reason) == (False, "its address leads into a private network")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://crm.example.org/", "https://"),
        ("http://crm.example.org/", "https://"),
        ("https:///nowhere", "host"),
        ("https://user:secret@crm.example.org/", "user"),
        ("https://crm.example.org/#part", "fragment"),
        ("https://crm.example.org/a b", "percent-encoded"),
        ("https://crm.example.org:99999999/", "web address"),
    ],
)
async def test_an_address_that_cannot_be_meant_is_refused(store: Store, url: str, says: str) -> None:
    ledger = Ledger(store)
    with pytest.raises(BadInput, match=says):
        await hook(ledger, url)
    assert await ledger.execute("SELECT count(*) FROM hook") == [(0,)]


async def test_two_workers_tell_each_event_once(ledger: Ledger, receiver: Receiver) -> None:
    await hook(ledger, receiver.url)
    for member in await ledger.add_members(20):
        await act(ledger, member, f"of {member}")
    await asyncio.gather(*[post_events(ledger.runtime, f"worker-{number}", now=ledger.clock()) for number in range(4)])
    assert len(receiver.told) == 20


async def test_without_an_address_nothing_is_kept_and_what_was_told_is_forgotten(
    ledger: Ledger, receiver: Receiver
) -> None:
    [member] = await ledger.add_members(1)
    await act(ledger, member, "nobody hears")
    assert await ledger.execute("SELECT count(*) FROM hook_event") == [(0,)]
    await hook(ledger, receiver.url)
    await act(ledger, member, "somebody hears")
    await post(ledger)
    now = ledger.clock.advance(seconds=KEPT.total_seconds() + 1)
    async with ledger.store.write() as connection:
        assert await forget_told(connection, now=now) == 1
