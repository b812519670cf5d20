"""The sandbox's Slack: the real adapter and Slack's own SDK over real sockets, every knob."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from channels.sandbox.httpd import Connection
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory
from channels.sandbox.slack import BOT_TOKEN, Slack
from channels.sandbox.slack_people import APP, BOT
from channels.sandbox.world import World
from channels.slack.adapter import SlackChannel
from channels.slack.blocks import message_body
from router.core.channel import (
    Button,
    Event,
    GroupChange,
    GroupEvent,
    Health,
    HttpRequest,
    Inbound,
    OutboundMessage,
    Picture,
)
from router.core.errors import BadWebhook, FailureClass, OutcomeUnknown, Refused, SendError, Throttled
from router.core.model import DeliveryRef
from router.wire import HttpWire
from tests.channels.contract.slack import TABLE

QUICK = Knobs(receipt_delay=0.001, reply_delay=0.001, callback_pause=0.02, retry_after=7)
ADA, BEN, HALL = "U0ADA", "U0BEN", "C0HALL"
YES_NO = (Button(label="I come", reply="YES"), Button(label="Cannot", reply="NO"))


@dataclass
class Desk:
    """A running sandbox, the real adapter on it, and what the adapter made of the webhooks."""

    slack: Slack
    world: World
    wire: HttpWire
    api_url: str
    events: list[Event] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """What the webhook answers, in turn; 200 once they are used up."""

    def channel(self, **changes: str) -> SlackChannel:
        given = {
            name.removeprefix("OUTREACH_SLACK_").lower(): value
            for name, value in self.slack.environment(self.api_url).items()
        }
        common = {"account": "main", "webhook_url": self.slack.webhook, "organization": "Example Union"}
        return SlackChannel({**common, **given, **changes}, self.wire)

    async def send(self, to: str = ADA, number: int = 17, **changes: Any) -> str:
        return (await self.channel().send(self.message(to, number, **changes))).provider_id

    def message(self, to: str = ADA, number: int = 17, **changes: Any) -> OutboundMessage:
        values = {"delivery": DeliveryRef(202611, number), "now": datetime.now(UTC)} | changes
        return dataclasses.replace(TABLE, to=to).message(**values)

    async def idle(self) -> None:
        async with asyncio.timeout(5):
            await self.world.callbacks.idle()

    @property
    def inbound(self) -> list[tuple[str, str, bool, str]]:
        found = [event for event in self.events if isinstance(event, Inbound)]
        return [(event.sender, event.text, event.button, event.group) for event in found]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    world = World(QUICK, Memory(), time.time)
    slack = Slack(world)
    connections: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(slack.handle, connections), "127.0.0.1", 0
    )
    async with HttpWire() as wire:
        desk = Desk(slack, world, wire, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

        async def take(request: web.Request) -> web.Response:
            if desk.statuses:
                return web.Response(status=desk.statuses.pop(0))
            headers = {name.lower(): value for name, value in request.headers.items()}
            url = f"{slack.webhook}"
            webhook = HttpRequest(
                method="POST", url=url, headers=headers, body=await request.read(), received_at=datetime.now(UTC)
            )
            channel = desk.channel()
            channel.verify(webhook)
            received = channel.receive(webhook)
            desk.events.extend(received.events)
            return web.Response(status=received.reply.status, body=received.reply.body)

        app = web.Application()
        app.router.add_post("/hooks/slack/main", take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.webhook = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/slack/main"
        await slack.start()
        yield desk
        server.close()
        await world.callbacks.aclose()
        await slack.aclose()
        for connection in list(connections):
            connection.abort()
        await runner.cleanup()
        await server.wait_closed()


async def test_slacks_own_sdk_is_understood(desk: Desk) -> None:
    client = AsyncWebClient(BOT_TOKEN, base_url=f"{desk.api_url}/slack/api/")
    me = await client.auth_test()
    assert (me["user_id"], me.headers["X-OAuth-Scopes"].split(",")[0]) == (BOT, "chat:write")
    opened = await client.conversations_open(users=[ADA])
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": "Come!"}}]
    sent = await client.chat_postMessage(channel=opened["channel"]["id"], text="Come!", blocks=blocks)
    assert sent["channel"] == f"D{ADA}"
    await client.chat_update(channel=sent["channel"], ts=sent["ts"], text="Do come!")
    assert desk.slack.messages[sent["channel"], sent["ts"]].edits == ["Come!"]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await client.chat_postMessage(channel="general", text="Come!")


async def test_a_message_is_remembered_each_time_with_its_delivery(desk: Desk) -> None:
    first = await desk.send(text="Come & sing, see https://example.org.", buttons=YES_NO)
    second = await desk.send()
    assert first != second
    accepted = desk.world.memory.accepted
    assert [(row.provider, row.to, row.delivery) for row in accepted] == [("slack", ADA, "202611-17")] * 2
    assert accepted[0].text == "Come & sing, see https://example.org.\n[I come] [Cannot]"
    assert desk.world.memory.duplicates() == {"202611-17": 2}
    conversation = desk.world.memory.conversation(ADA)
    assert conversation is not None
    assert [entry.side for entry in conversation.entries] == ["arrived", "arrived"]


async def test_the_check_finds_nothing_to_mend(desk: Desk) -> None:
    assert await desk.channel().check(datetime.now(UTC)) == Health(who="Sandbox Union / asks")
    assert await desk.channel(listen="yes").check(datetime.now(UTC)) == Health(who="Sandbox Union / asks")
    with pytest.raises(Refused) as caught:
        await desk.channel(bot_token="another").check(datetime.now(UTC))
    assert caught.value.code == "invalid_auth"
    with pytest.raises(Refused) as caught:
        await desk.channel(listen="yes", app_token=BOT_TOKEN).check(datetime.now(UTC))
    assert caught.value.code == "not_allowed_token_type"


async def test_people_press_the_fitting_button_or_write(desk: Desk) -> None:
    await desk.send(buttons=YES_NO)
    desk.slack.answer(ADA, "yes")
    desk.slack.answer(ADA, "STOP")
    desk.slack.answer(ADA, "what <time> & where?")
    desk.slack.answer(ADA, "/outreach help")
    await desk.idle()
    assert sorted(desk.inbound) == [
        (ADA, "/help", False, ""),
        (ADA, "STOP", False, ""),
        (ADA, "YES", True, ""),
        (ADA, "what <time> & where?", False, ""),
    ]
    [pressed] = [event for event in desk.events if isinstance(event, Inbound) and event.button]
    assert (pressed.delivery, pressed.recipient) == (DeliveryRef(202611, 17), APP)
    assert len({event.event_id for event in desk.events}) == 4


@pytest.mark.parametrize(
    ("knob", "buttons", "said"),
    [("p_yes", YES_NO, ("YES", True)), ("p_yes", (), ("YES", False)), ("p_stop", YES_NO, ("STOP", False))],
)
async def test_simulated_people_answer_once(desk: Desk, knob: str, buttons: Any, said: tuple[str, bool]) -> None:
    desk.world.turn(QUICK.turned({knob: 1}))
    await desk.send(buttons=buttons)
    await desk.send(number=18, buttons=buttons)
    await desk.idle()
    assert desk.inbound == [(ADA, *said, "")]


async def test_a_channels_members_press_one_after_the_other(desk: Desk) -> None:
    desk.slack.people.join(HALL, inviter=ADA)
    desk.slack.people.join(HALL, ADA)
    desk.slack.people.join(HALL, BEN)
    await desk.idle()
    changes = [(event.change, event.person) for event in desk.events if isinstance(event, GroupEvent)]
    assert changes == [(GroupChange.ADDED, ADA), (GroupChange.JOINED, ADA), (GroupChange.JOINED, BEN)]
    desk.world.turn(QUICK.turned({"p_yes": 1}))
    await desk.send(HALL, buttons=YES_NO)
    await desk.idle()
    desk.slack.press(HALL, ADA, "no")
    desk.slack.answer(f"{HALL}/{BEN}", "who brings tea?")
    await desk.idle()
    assert sorted(desk.inbound) == [
        (ADA, "NO", True, HALL),
        (ADA, "YES", True, HALL),
        (BEN, "YES", True, HALL),
        (BEN, "who brings tea?", False, HALL),
    ]
    with pytest.raises(ValueError, match="no such button"):
        desk.slack.press(HALL, ADA, "MAYBE")
    desk.slack.people.leave(HALL, BEN)
    desk.slack.people.leave(HALL)
    await desk.idle()
    changes = [(event.change, event.person) for event in desk.events if isinstance(event, GroupEvent)]
    assert changes[3:] == [(GroupChange.LEFT, BEN), (GroupChange.REMOVED, "")]
    with pytest.raises(Refused) as caught:
        await desk.send(HALL)
    assert (caught.value.failure, caught.value.code) == (FailureClass.ADDRESS_DEAD, "not_in_channel")


async def test_an_archived_channel_takes_nothing(desk: Desk) -> None:
    desk.slack.people.archive(HALL)
    await desk.idle()
    [event] = desk.events
    assert isinstance(event, GroupEvent)
    assert event.change is GroupChange.REMOVED
    with pytest.raises(Refused) as caught:
        await desk.send(HALL)
    assert caught.value.code == "is_archived"


async def test_edits_are_kept_and_leave_the_buttons(desk: Desk) -> None:
    posted = await desk.send(HALL, text="Who comes?", buttons=YES_NO)
    for tally in ("1 of 40 come", "2 of 40 come"):
        await desk.channel().edit(posted, desk.message(HALL, text=tally, buttons=YES_NO))
    [message] = desk.slack.messages.values()
    assert message.edits == ["Who comes?\n[I come] [Cannot]", "1 of 40 come\n[I come] [Cannot]"]
    assert message.value("YES") == "YES|202611-17"
    assert len(desk.world.memory.accepted) == 1
    with pytest.raises(Refused) as caught:
        await desk.channel().edit(f"{HALL}:1.000001", desk.message(HALL))
    assert caught.value.code == "message_not_found"


async def test_a_thread_and_a_picture_arrive(desk: Desk) -> None:
    picture = Picture(url="https://example.org/hall.png", alt="The hall")
    await desk.send(f"{HALL}/1690000000.000100", picture=picture)
    [row] = desk.world.memory.accepted
    assert row.to == f"{HALL}/1690000000.000100"
    assert row.text == "Come on Saturday!\n[picture: The hall]"


@pytest.mark.parametrize(
    ("knobs", "kind", "failure", "code", "accepted"),
    [
        ({"error_rate": 1}, OutcomeUnknown, FailureClass.TRANSPORT, "internal_error", 0),
        ({"throttle_rate": 1}, Throttled, FailureClass.RATE, "ratelimited", 0),
        ({"drop_after_accept": 1}, OutcomeUnknown, FailureClass.TRANSPORT, "connection", 1),
        ({"refuse": {ADA: 404}}, Refused, FailureClass.ADDRESS_DEAD, "channel_not_found", 0),
        ({"refuse": {ADA: 403}}, Refused, FailureClass.ADDRESS_DEAD, "not_in_channel", 0),
        ({"refuse": {ADA: 429}}, Throttled, FailureClass.RATE, "ratelimited", 0),
        ({"refuse": {ADA: 1}}, Refused, FailureClass.SENDER_CONFIG, "account_inactive", 0),
    ],
)
async def test_what_the_knobs_break(
    desk: Desk, knobs: dict[str, Any], kind: type[SendError], failure: FailureClass, code: str, accepted: int
) -> None:
    desk.world.turn(QUICK.turned(knobs))
    with pytest.raises(kind) as caught:
        await desk.send()
    assert (type(caught.value), caught.value.failure, caught.value.code) == (kind, failure, code)
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == 7
    assert len(desk.world.memory.accepted) == accepted


async def test_a_time_out_after_acceptance(desk: Desk) -> None:
    desk.world.turn(QUICK.turned({"timeout_after_accept": 1, "latency": 0.01}))
    sending = asyncio.create_task(desk.send())
    _, pending = await asyncio.wait([sending], timeout=0.5)
    assert pending
    assert len(desk.world.memory.accepted) == 1
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending


async def test_what_never_arrives_is_answered_by_nobody(desk: Desk) -> None:
    desk.world.turn(QUICK.turned({"fail": {ADA: 5}, "p_yes": 1}))
    await desk.send()
    await desk.idle()
    assert desk.world.memory.accepted[0].code == 5
    assert desk.inbound == []


async def test_an_event_comes_again_until_it_is_taken_and_sometimes_twice(desk: Desk) -> None:
    desk.world.turn(QUICK.turned({"duplicate_receipts": 1}))
    desk.statuses = [503]
    desk.slack.answer(ADA, "stop")
    await desk.idle()
    assert [event.event_id for event in desk.events] == [desk.events[0].event_id] * 2


async def test_a_webhook_signed_with_another_secret_is_refused(desk: Desk) -> None:
    desk.slack.answer(ADA, "hello")
    with pytest.raises(BadWebhook):
        desk.channel(signing_secret="another").verify(
            HttpRequest(method="POST", url="", headers={}, body=b"", received_at=datetime.now(UTC))
        )
    await desk.idle()
    assert desk.inbound == [(ADA, "hello", False, "")]


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("no_text", lambda body: body.update(blocks=[], text="")),
        ("msg_too_long", lambda body: body.update(text="x" * 40_001)),
        ("invalid_blocks_format", lambda body: body.update(blocks=body["blocks"] * 26)),
        (
            "invalid_blocks",
            lambda body: body.update(blocks=[{"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}]),
        ),
        (
            "invalid_blocks",
            lambda body: body.update(blocks=[{"type": "image", "image_url": "https://example.org/p.png"}]),
        ),
        ("invalid_blocks", lambda body: body["blocks"][-1]["elements"].append(body["blocks"][-1]["elements"][0])),
        (
            "invalid_blocks",
            lambda body: body["blocks"][0]["elements"][0]["elements"].append({"type": "text", "text": ""}),
        ),
        ("invalid_blocks", lambda body: body.update(blocks=[{"type": "carousel"}])),
    ],
)
async def test_blocks_that_slack_would_refuse_are_refused(
    desk: Desk, code: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    body = message_body(desk.message(buttons=YES_NO)) | {"channel": ADA}
    headers = {"Authorization": f"Bearer {BOT_TOKEN}", "Content-Type": "application/json"}
    url = f"{desk.api_url}/slack/api/chat.postMessage"
    good = await desk.wire.request("POST", url, headers=headers, body=json.dumps(body).encode())
    assert json.loads(good.body)["ok"] is True
    spoil(body)
    bad = await desk.wire.request("POST", url, headers=headers, body=json.dumps(body).encode())
    assert json.loads(bad.body) == {"ok": False, "error": code}


# ── Socket Mode ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_over_socket_mode_nothing_is_lost_and_the_webhook_is_left_alone(desk: Desk) -> None:
    channel = desk.channel(listen="yes", signing_secret="")
    heard: asyncio.Queue[Inbound] = asyncio.Queue()

    async def listen() -> None:
        async for received in channel.listen():
            for event in received.events:
                assert isinstance(event, Inbound)
                heard.put_nowait(event)

    await desk.send(buttons=YES_NO)
    listening = asyncio.create_task(listen())
    async with asyncio.timeout(5):
        await desk.slack.link.until(lambda: desk.slack.link.connected == 1)
        desk.slack.answer(ADA, "yes")
        pressed = await heard.get()
        assert (pressed.text, pressed.button, pressed.delivery) == ("YES", True, DeliveryRef(202611, 17))
        desk.slack.link.refresh()
        desk.slack.answer(ADA, "stop")
        assert (await heard.get()).text == "stop"
        desk.slack.answer(ADA, "/outreach help")
        assert (await heard.get()).text == "/help"
        await desk.slack.link.until(lambda: desk.slack.link.unacknowledged == 0)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    await channel.aclose()
    assert desk.events == []


async def test_what_was_not_committed_comes_again(desk: Desk) -> None:
    channel = desk.channel(listen="yes")
    found = []
    for _ in range(2):
        listening = channel.listen()
        async with asyncio.timeout(5):
            first = asyncio.ensure_future(anext(listening))
            await desk.slack.link.until(lambda: desk.slack.link.connected == 1)
            if not found:
                desk.slack.answer(ADA, "stop")
            found.append((await first).events)
            await listening.aclose()
            await desk.slack.link.until(lambda: desk.slack.link.connected == 0)
    await channel.aclose()
    assert found[0] == found[1]


async def test_a_ticket_opens_one_line(desk: Desk) -> None:
    url = desk.slack.link.address()
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as line:
            assert (await line.receive_json())["type"] == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_without_sockets_nothing_can_be_opened() -> None:
    slack = Slack(World(QUICK, Memory(), time.time))
    assert slack.link.address() == ""
    with pytest.raises(ValueError, match="address"):
        slack.answer(HALL, "yes")
