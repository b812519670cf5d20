"""The sandbox's Telegram: the real adapter over real sockets, python-telegram-bot as another client, every knob."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import pytest
import telegram
from telegram.error import Conflict, InvalidToken

from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory
from channels.sandbox.telegram import TOKEN, Telegram
from channels.sandbox.telegram_people import BOT, BOT_ID
from channels.sandbox.telegram_updates import WEBHOOK_SECRET
from channels.sandbox.world import World
from channels.telegram.adapter import TelegramChannel
from channels.telegram.spec import SPEC
from router.core.channel import (
    Button,
    Event,
    GroupChange,
    GroupEvent,
    Health,
    HttpReply,
    HttpRequest,
    Inbound,
    Keyword,
    OptOut,
    Picture,
    Received,
)
from router.core.errors import FailureClass, Moved, OutcomeUnknown, Refused, SendError, Throttled
from router.wire import HttpWire
from tests.channels.contract.table import DELIVERY, NOW
from tests.channels.contract.telegram import TABLE
from tests.channels.sandbox_hooks import Hooks
from tests.channels.sandbox_mount import mounted, settings_of

PERSON, GROUP = "5550142", "-1001234567890"
ASK = (Button(label="I'm in", reply="YES"), Button(label="No", reply="NO"))


class ImpatientWire(HttpWire):
    async def request(self, *args: Any, **options: Any) -> HttpReply:
        return await super().request(*args, **(options | {"timeout": min(options.get("timeout", 8.0), 0.5)}))


@dataclass
class Bench:
    """The adapter, the provider that it talks to, and what came over the webhook."""

    world: World
    sandbox: Telegram
    url: str
    hooks: Hooks
    wire: HttpWire

    def channel(self, **environment: str) -> TelegramChannel:
        return TelegramChannel(settings_of(SPEC, self.sandbox.environment(self.url) | environment), self.wire)

    def turn(self, **knobs: Any) -> None:
        self.world.turn(replace(self.world.knobs, **knobs))

    async def send(self, to: str = PERSON, **changes: Any) -> str:
        message = replace(TABLE, to=to).message(**({"buttons": ASK} | changes))
        return (await self.channel().send(message)).provider_id

    async def fails(self, to: str = PERSON, **changes: Any) -> SendError:
        with pytest.raises(SendError) as caught:
            await self.send(to, **changes)
        return caught.value

    async def heard(self) -> list[Event]:
        """The events of every webhook, each verified."""
        await asyncio.wait_for(self.world.callbacks.idle(), 5)
        events: list[Event] = []
        for call in self.hooks.calls:
            headers = {name.lower(): value for name, value in call.headers.items()}
            request = HttpRequest(method="POST", url=call.url, headers=headers, body=call.body, received_at=NOW)
            channel = self.channel()
            channel.verify(request)
            events += channel.receive(request).events
        return events

    def shown(self, address: str) -> list[tuple[str, str]]:
        conversation = self.world.memory.conversation(address)
        return [(entry.side, entry.text) for entry in conversation.entries] if conversation else []


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    world = World(Knobs(reply_delay=0.001, callback_pause=0.02), Memory(), time.time)
    sandbox = Telegram(world)
    async with Hooks() as hooks, ImpatientWire() as wire, mounted(world, sandbox) as url:
        sandbox.webhook = f"{hooks.url}/hooks/telegram"
        yield Bench(world, sandbox, url, hooks, wire)


async def test_a_message_arrives_as_it_was_sent(bench: Bench) -> None:
    link = Button(label="Where?", url="https://router.example.org/a/1")
    provider_id = await bench.send(
        text="Grüße 🎉 <b>", buttons=(*ASK, link), picture=Picture(url="https://example.org/a.jpg", alt="x")
    )
    [accepted] = bench.world.memory.accepted
    assert (accepted.provider, accepted.to, accepted.sender) == ("telegram", PERSON, BOT)
    assert (accepted.delivery, accepted.text) == (str(DELIVERY), "Grüße 🎉 <b>")
    assert provider_id == f"{PERSON}:1"
    assert bench.shown(PERSON) == [
        ("arrived", "[picture: https://example.org/a.jpg]\nGrüße 🎉 <b>\n[I'm in] [No] [Where?]")
    ]
    await bench.send()
    assert bench.world.memory.duplicates() == {str(DELIVERY): 2}


async def test_people_press_the_fitting_button_or_write(bench: Bench) -> None:
    await bench.send()
    bench.sandbox.answer(PERSON, "yes")
    await bench.world.callbacks.idle()
    bench.sandbox.answer(PERSON, "at what time?")
    press, words = await bench.heard()
    assert isinstance(press, Inbound)
    assert isinstance(words, Inbound)
    assert (press.sender, press.text, press.button, press.delivery) == (PERSON, "YES", True, DELIVERY)
    assert (press.recipient, press.group) == (str(BOT_ID), "")
    assert (words.sender, words.text, words.button) == (PERSON, "at what time?", False)
    assert press.event_id != words.event_id
    assert bench.shown(PERSON)[1:] == [("written", "[YES]"), ("written", "at what time?")]


async def test_a_press_is_answered_by_what_the_webhook_answers(bench: Bench) -> None:
    await bench.send()
    bench.sandbox.answer(PERSON, "YES")
    await bench.world.callbacks.idle()
    [query] = bench.sandbox.updates.unanswered
    bench.hooks.answer = json.dumps({"method": "answerCallbackQuery", "callback_query_id": query})
    bench.sandbox.answer(PERSON, "hello")
    await bench.world.callbacks.idle()
    assert bench.sandbox.updates.unanswered == set()
    assert bench.world.memory.counters["telegram_presses_answered"] == 1


async def test_stop_blocks_the_bot_until_start(bench: Bench) -> None:
    bench.sandbox.answer(PERSON, "STOP")
    [block] = await bench.heard()
    assert block == OptOut(event_id="1", address=PERSON, at=block.at)
    error = await bench.fails()
    assert isinstance(error, Refused)
    assert (error.failure, error.code) == (FailureClass.OPT_OUT, "403 bot was blocked by the user")
    bench.sandbox.answer(PERSON, "/start a-1")
    [_, start] = await bench.heard()
    assert isinstance(start, Inbound)
    assert (start.text, start.payload, start.keyword) == ("/start", "a-1", Keyword.START)
    await bench.send()


@pytest.mark.parametrize("address", ["", "0", GROUP, "x", "٤٢"])
def test_only_private_chats_answer_in_private(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Telegram(World(Knobs(), Memory(), time.time)).answer(address, "YES")


async def test_scripted_people(bench: Bench) -> None:
    bench.turn(p_yes=0.5, p_stop=0.3, p_help=0.2)
    people = [str(number) for number in range(9_000, 9_040)]
    for person in people:
        await bench.send(person)
        with contextlib.suppress(Refused):  # of those who blocked the bot by now
            await bench.send(person)
    events = await bench.heard()
    kinds = {
        "YES": [event for event in events if isinstance(event, Inbound) and event.button],
        "STOP": [event for event in events if isinstance(event, OptOut)],
        "HELP": [event for event in events if isinstance(event, Inbound) and event.text == "HELP"],
    }
    assert sum(map(len, kinds.values())) == len(events) == 40
    assert all(kinds.values())


async def test_a_group_answers_and_its_post_is_edited(bench: Bench) -> None:
    provider_id = await bench.send(f"{GROUP}/45", text="0 of 20")
    for person in ("7", "8"):
        bench.sandbox.press(GROUP, person, "yes")
    bench.sandbox.people.write(f"{GROUP}/45", "9", "nice weather")
    bench.sandbox.people.write(GROUP, "9", "count me in", reply=True)
    bench.sandbox.people.write(GROUP, "10", f"/propose@{BOT} picket")
    with pytest.raises(ValueError, match="no such button"):
        bench.sandbox.press(GROUP, "7", "MAYBE")
    events = await bench.heard()
    assert [
        (event.sender, event.text, event.group, event.button, event.delivery)
        for event in events
        if isinstance(event, Inbound)
    ] == [
        ("7", "YES", f"{GROUP}/45", True, DELIVERY),
        ("8", "YES", f"{GROUP}/45", True, DELIVERY),
        ("9", "count me in", f"{GROUP}/45", False, DELIVERY),
        ("10", "/propose picket", GROUP, False, None),
    ]
    channel, message = bench.channel(), TABLE.message(text="3 of 20", buttons=ASK)
    await channel.edit(provider_id, message)
    await channel.edit(provider_id, message)
    [post] = bench.sandbox.messages.values()
    assert (post.text, post.edits, post.delivery) == ("3 of 20", ["0 of 20"], str(DELIVERY))
    assert bench.world.memory.counters["telegram_edits"] == 1
    assert len(bench.world.memory.accepted) == 1
    assert bench.shown(f"{GROUP}/45")[-1] == ("note", "now reads: 3 of 20\n[I'm in] [No]")
    with pytest.raises(Refused, match="message to edit not found"):
        await channel.edit(f"{GROUP}:99", message)


async def test_members_of_a_group_act_by_script(bench: Bench) -> None:
    bench.turn(p_yes=1.0)
    bench.sandbox.people.join(GROUP, "7", "8")
    bench.sandbox.people.join(GROUP, "7", "9")
    bench.sandbox.people.leave(GROUP, "7", "9")
    await bench.send(GROUP)
    joined, also, left, press = await bench.heard()
    assert [(event.change, event.person) for event in (joined, also, left) if isinstance(event, GroupEvent)] == [
        (GroupChange.JOINED, "8"),
        (GroupChange.JOINED, "9"),
        (GroupChange.LEFT, "9"),
    ]
    assert isinstance(press, Inbound)
    assert (press.sender, press.text, press.group) == ("8", "YES", GROUP)


async def test_the_bot_is_put_out_let_in_and_moved(bench: Bench) -> None:
    people = bench.sandbox.people
    people.leave(GROUP, "7")
    assert (await bench.fails(GROUP)).code == "403 bot was kicked"
    people.join(GROUP, "7")
    await bench.send(GROUP)
    people.migrate("-42", GROUP, "7")
    moved = await bench.fails("-42")
    assert isinstance(moved, Moved)
    assert moved.to == GROUP
    events = [event for event in await bench.heard() if isinstance(event, GroupEvent)]
    assert [(event.change, event.group, event.moved_to) for event in events] == [
        (GroupChange.REMOVED, GROUP, ""),
        (GroupChange.ADDED, GROUP, ""),
        (GroupChange.MOVED, "-42", GROUP),
    ]


@pytest.mark.parametrize(
    ("knobs", "kind", "code", "accepted"),
    [
        ({"error_rate": 1.0}, OutcomeUnknown, "http 500", 0),
        ({"throttle_rate": 1.0, "retry_after": 3.0}, Throttled, "429", 0),
        ({"timeout_after_accept": 1.0}, OutcomeUnknown, "timeout", 1),
        ({"drop_after_accept": 1.0}, OutcomeUnknown, "connection", 1),
        ({"refuse": {PERSON: 403}}, Refused, "403 bot was blocked by the user", 0),
        ({"refuse": {PERSON: 400}}, Refused, "400 chat not found", 0),
        ({"refuse": {PERSON: 499}}, Refused, "400 refused by the sandbox", 0),
    ],
)
async def test_misfortunes(
    bench: Bench, knobs: dict[str, Any], kind: type[SendError], code: str, accepted: int
) -> None:
    bench.turn(**knobs)
    error = await bench.fails()
    assert (type(error), error.code) == (kind, code)
    if isinstance(error, Throttled):
        assert error.retry_after == 3.0
    assert len(bench.world.memory.accepted) == accepted
    bench.turn(error_rate=0.0, throttle_rate=0.0, timeout_after_accept=0.0, drop_after_accept=0.0, refuse={})
    await bench.send()


async def test_latency_and_what_never_arrives(bench: Bench) -> None:
    bench.turn(latency=0.05, p_yes=1.0, fail={PERSON: 5})
    start = time.monotonic()
    await bench.send()
    assert time.monotonic() - start >= 0.05
    assert await bench.heard() == []
    assert bench.shown(PERSON)[-1] == ("note", "did not arrive (5)")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": ""}, "400 message text is empty"),
        ({"text": "x" * 4097}, "400 message is too long"),
        ({"buttons": (Button(label="x", reply="é" * 30),)}, "400 button_data_invalid"),
        ({"buttons": (Button(label="x", url="ftp://example.org"),)}, "400 button_url_invalid"),
        ({"buttons": (Button(label="", reply="YES"),)}, "400 can't parse inline keyboard button"),
    ],
)
async def test_what_telegram_refuses(bench: Bench, changes: dict[str, Any], code: str) -> None:
    assert (await bench.fails(**changes)).code == code
    assert len(bench.world.memory.accepted) == 0


async def test_a_webhook_that_fails_is_called_again_and_told_of(bench: Bench) -> None:
    bench.hooks.statuses = [500]
    bench.sandbox.answer(PERSON, "hello")
    first, second = await bench.heard()
    assert first == second
    bench.hooks.statuses = [403]
    bench.sandbox.answer(PERSON, "hello")
    await bench.world.callbacks.idle()
    health = await bench.channel().check(NOW.fromtimestamp(time.time(), NOW.tzinfo))
    assert health.who == f"@{BOT}"
    assert health.mend[0].startswith("Telegram does not call ")
    bench.sandbox.webhook = "https://router.example.org/hooks/channel/main"
    health = await bench.channel().check(NOW.fromtimestamp(time.time(), NOW.tzinfo))
    assert health.mend == ("Telegram could not reach the webhook lately: Wrong response from the webhook: 403",)


async def test_updates_are_fetched_where_there_is_no_webhook(bench: Bench) -> None:
    bench.sandbox.webhook = ""
    channel = bench.channel(OUTREACH_TELEGRAM_LISTEN="yes")
    assert await channel.check(NOW) == Health(who=f"@{BOT}", webhook="")
    await bench.send()
    received: list[Received] = []
    first = asyncio.Event()

    async def fetch(count: int) -> None:
        async with aclosing(channel.listen()) as listening:
            async for one in listening:
                received.append(one)
                first.set()
                if len(received) == count:
                    return

    waiting = asyncio.create_task(fetch(2))
    await asyncio.sleep(0.1)
    bench.sandbox.answer(PERSON, "YES")
    await asyncio.wait_for(first.wait(), 5)
    bench.sandbox.answer(PERSON, "hello")
    await asyncio.wait_for(waiting, 5)
    assert [event.text for one in received for event in one.events if isinstance(event, Inbound)] == ["YES", "hello"]
    assert bench.sandbox.updates.unanswered == set()
    assert len(bench.sandbox.updates.waiting) == 1  # the last one is not forgotten: nobody asked for the next

    bench.sandbox.webhook = "http://127.0.0.1:9/"
    async with aclosing(channel.listen()) as listening:
        with pytest.raises(Refused, match="sender_config 409"):
            await anext(listening)


async def test_python_telegram_bot_itself_is_served(bench: Bench) -> None:
    async with telegram.Bot(TOKEN, base_url=f"{bench.url}/telegram/bot") as client:
        assert (client.id, client.username) == (BOT_ID, BOT)
        await client.delete_webhook()
        assert (await client.get_webhook_info()).url == ""
        sent = await client.send_photo(PERSON, "https://example.org/a.jpg", caption="Our street")
        keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="YES|202611-9")]])
        asked = await client.send_message(PERSON, "Come!", reply_markup=keyboard)
        assert (sent.chat.id, asked.text, asked.reply_markup) == (int(PERSON), "Come!", keyboard)
        assert [row.delivery for row in bench.world.memory.accepted] == ["", "202611-9"]
        bench.sandbox.answer(PERSON, "YES")
        await bench.world.callbacks.idle()
        [update] = await client.get_updates(timeout=0)
        assert update.callback_query is not None
        assert update.callback_query.data == "YES|202611-9"
        assert await update.callback_query.answer()
        assert await client.get_updates(offset=update.update_id + 1, timeout=0) == ()
        edited = await client.edit_message_text("Thank you!", PERSON, asked.message_id)
        assert isinstance(edited, telegram.Message)
        assert edited.text == "Thank you!"
        assert await client.set_my_commands([telegram.BotCommand("stop", "No more of these")])
        assert bench.sandbox.commands == [{"command": "stop", "description": "No more of these"}]
        kinds = ["message", "callback_query"]
        hook = f"{bench.hooks.url}/other"
        assert await client.set_webhook(hook, secret_token="another", allowed_updates=kinds)
        info = await client.get_webhook_info()
        assert (info.url, list(info.allowed_updates or ())) == (hook, kinds)
        bench.sandbox.answer(PERSON, "hello")
        await bench.world.callbacks.idle()
        assert bench.hooks.calls[-1].headers["X-Telegram-Bot-Api-Secret-Token"] == "another" != WEBHOOK_SECRET
        with pytest.raises(Conflict):
            await client.get_updates(timeout=0)
    with pytest.raises(InvalidToken):
        await telegram.Bot(f"{BOT_ID}:wrong", base_url=f"{bench.url}/telegram/bot").__aenter__()
