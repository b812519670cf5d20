"""What the contract tables do not say of the telegram channel."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.telegram.adapter import TelegramChannel
from channels.telegram.codes import DESCRIPTIONS
from router.core.channel import Button, Editing, HttpReply, Inbound, Keyword, Listening, Received
from router.core.errors import BadInput, BadWebhook, FailureClass, Moved, OutcomeUnknown, Refused, SendError
from router.core.model import DeliveryRef
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import DELIVERY, NOW, fixture
from tests.channels.contract.telegram import BOT, GROUP, SECRET, TABLE, TOKEN, error, payload, sent, sign, told

OK = Reply(200, {"ok": True, "result": True})
Play = Callable[..., Any]


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """Make a provider that plays these steps, and the channel that talks to it."""
    providers = []
    async with HttpWire() as wire:

        async def start(*steps: Reply, **changes: str) -> tuple[HttpProvider, TelegramChannel]:
            provider = TABLE.provider()
            providers.append(provider)
            await provider.start()
            provider.script(*steps)
            channel = TABLE.open(wire, **provider.settings(), **changes)
            assert isinstance(channel, TelegramChannel)
            return provider, channel

        yield start
    for provider in providers:
        await provider.stop()
        assert provider.leftovers() == []


def opened(**changes: str) -> TelegramChannel:
    channel = TABLE.open(HttpWire(), **changes)
    assert isinstance(channel, TelegramChannel)
    return channel


def received(update: Any, **changes: str) -> Received:
    return opened(**changes).receive(
        sign("https://router.example.org/hooks/telegram", json.dumps(update).encode(), NOW)
    )


def written(text: str, chat: int = -100, **more: Any) -> dict[str, Any]:
    message = {"message_id": 1, "date": 1, "chat": {"id": chat}, "from": {"id": 7}, "text": text}
    return {"update_id": 9, "message": message | more}


def to(address: str) -> Any:
    return dataclasses.replace(TABLE, to=address).message()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("42", {"chat_id": 42}),
        (GROUP, {"chat_id": int(GROUP)}),
        (f"{GROUP}/45", {"chat_id": int(GROUP), "message_thread_id": 45}),
    ],
)
async def test_people_groups_and_topics_are_written_to(play: Play, address: str, place: dict[str, int]) -> None:
    provider, channel = await play(sent(address.partition("/")[0]))
    await channel.send(to(address))
    asked = payload(provider)
    assert {name: asked[name] for name in asked if name not in ("text", "link_preview_options")} == place


@pytest.mark.parametrize("address", ["", "@riverside", "1.5", "--1", "42/", "42/x", "٤٢", "0", "9" * 30])
async def test_what_is_no_chat_is_not_written_to(play: Play, address: str) -> None:
    _, channel = await play()
    with pytest.raises(Refused) as caught:
        await channel.send(to(address))
    assert caught.value.failure is FailureClass.ADDRESS_DEAD


async def test_a_group_that_moved_tells_where_to(play: Play) -> None:
    _, channel = await play(error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1001557912345))
    with pytest.raises(Moved) as caught:
        await channel.send(to("-42"))
    assert caught.value.to == "-1001557912345"


def test_topics_share_the_limit_of_their_group() -> None:
    key = TelegramChannel.spec.limit_key
    assert key is not None
    assert key("42") == ("chat", "42")
    assert key(GROUP) == key(f"{GROUP}/45") == ("group", GROUP)


async def test_a_button_carries_keyword_and_delivery_in_64_bytes_and_back(play: Play) -> None:
    provider, channel = await play(sent())
    delivery = DeliveryRef(202611, 10**18 - 1)
    button = Button(label="x", reply="UNTERSTÜTZUNG")
    await channel.send(dataclasses.replace(TABLE.message(), delivery=delivery, buttons=(button,)))
    [[made]] = payload(provider)["reply_markup"]["inline_keyboard"]
    assert len(made["callback_data"].encode()) <= 64
    press = {"id": "1", "from": {"id": 7}, "data": made["callback_data"], "message": {"chat": {"id": 7}}}
    [event] = received({"update_id": 9, "callback_query": press}).events
    assert (event.text, event.delivery, event.group) == ("UNTERSTÜTZUNG", delivery, "")  # type: ignore[union-attr]


async def test_a_post_is_edited(play: Play) -> None:
    provider, channel = await play(OK)
    assert isinstance(channel, Editing)
    await channel.edit(f"{GROUP}:77", TABLE.message(text="12 of 20", buttons=(Button(label="Yes", reply="YES"),)))
    assert provider.requests[0].line == f"POST /bot{TOKEN}/editMessageText HTTP/1.1"
    assert payload(provider) == {
        "chat_id": int(GROUP),
        "message_id": 77,
        "text": "12 of 20",
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [[{"text": "Yes", "callback_data": f"YES|{DELIVERY}"}]]},
    }


async def test_an_edit_that_changes_nothing_is_fine(play: Play) -> None:
    words = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same"
    _, channel = await play(error(400, words))
    await channel.edit(f"{GROUP}:77", TABLE.message())


async def test_an_edit_that_cannot_be_made_leaves_the_group_alone(play: Play) -> None:
    _, channel = await play(error(400, "Bad Request: message to edit not found"))
    for provider_id in (f"{GROUP}:77", "77", ""):
        with pytest.raises(Refused) as caught:
            await channel.edit(provider_id, TABLE.message())
        assert caught.value.failure is FailureClass.EXPIRED


@pytest.mark.parametrize("key", ["press", "press_of_another_button"])
def test_every_press_is_answered_at_once(key: str) -> None:
    update = fixture("invented/telegram", key)
    reply = received(update).reply
    assert reply.content_type == "application/json"
    assert json.loads(reply.body) == {
        "method": "answerCallbackQuery",
        "callback_query_id": update["callback_query"]["id"],
    }
    assert received(fixture("invented/telegram", "text")).reply == HttpReply()


def test_only_posts_with_the_secret_are_believed() -> None:
    good = TABLE.request(TABLE.webhooks[0])
    opened().verify(good)
    with pytest.raises(BadWebhook):
        opened().verify(dataclasses.replace(good, method="GET"))
    listening = opened(webhook_secret="", listen="yes")
    for shown in ("", SECRET):
        request = dataclasses.replace(good, headers={**good.headers, "x-telegram-bot-api-secret-token": shown})
        with pytest.raises(BadWebhook):
            listening.verify(request)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"token": "hush"}, "TOKEN"),
        ({"token": f"{TOKEN}/../x"}, "TOKEN"),
        ({"webhook_secret": ""}, "WEBHOOK_SECRET"),
        ({"webhook_secret": "hush hush"}, "WEBHOOK_SECRET"),
        ({"webhook_secret": "hush hush", "listen": "yes"}, "WEBHOOK_SECRET"),
    ],
)
def test_settings_that_cannot_be_are_named_without_their_value(changes: dict[str, str], name: str) -> None:
    with pytest.raises(BadInput, match=f"OUTREACH_TELEGRAM_{name}: ") as caught:
        opened(**changes)
    assert "hush" not in str(caught.value)


def test_without_our_name_no_mention_is_known_and_every_command_is_ours() -> None:
    assert received(written("@MyBot yes"), username="").events == ()
    [event] = received(written("/calls@MyBot"), username="").events
    assert isinstance(event, Inbound)
    assert event.text == "/calls"


@pytest.mark.parametrize("text", ["yes @mybots", "yes@mybot", "mail@mybot", "@my", "x@mybot.example.org"])
def test_names_and_mailboxes_like_ours_are_no_mention(text: str) -> None:
    assert received(written(text)).events == ()


@pytest.mark.parametrize(
    ("text", "words", "keyword"),
    [
        ("/stop", "/stop", Keyword.STOP),
        ("/Help@MYBOT", "/help", Keyword.HELP),
        ("/yes", "/yes", None),
        ("/stopping", "/stopping", None),
        ("stop", "stop", None),
        ("/", "/", None),
        ("please /stop", "please /stop", None),
    ],
)
def test_commands_of_people(text: str, words: str, keyword: Keyword | None) -> None:
    [event] = received(written(text, chat=7)).events
    assert isinstance(event, Inbound)
    assert (event.text, event.keyword, event.group) == (words, keyword, "")


def test_other_bots_are_not_heard() -> None:
    assert received(written("/stop", **{"from": {"id": 8, "is_bot": True}})).events == ()


def test_what_a_linked_channel_posts_in_a_group_is_nobodys_word() -> None:
    channel = {"id": -1001893407333, "type": "channel"}
    assert received(written("@mybot yes", **{"from": {"id": 777000}, "sender_chat": channel})).events == ()


def updates(*found: Any, date: str = "Sat, 21 Nov 2026 11:59:00 GMT") -> Reply:
    return Reply(200, {"ok": True, "result": list(found)}, {"Date": date} if date else {})


def asked(provider: HttpProvider) -> list[tuple[str, Any]]:
    """(method, its most telling argument) of each request."""
    found = []
    for request in provider.requests:
        body = json.loads(request.body)
        found.append((request.line.split()[1].rpartition("/")[2], body.get("offset", body.get("callback_query_id"))))
    return found


async def test_updates_are_forgotten_only_once_the_next_are_asked_for(play: Play) -> None:
    press, stop = fixture("invented/telegram", "press"), fixture("invented/telegram", "stop")
    chatter = fixture("invented/telegram", "chatter")
    provider, channel = await play(
        updates(),
        updates(stop, "odd", press),
        error(400, "Bad Request: query is too old and response timeout expired or query ID is invalid"),
        updates(chatter),
        updates(),
        updates(stop),
        listen="yes",
    )
    assert isinstance(channel, Listening)
    assert channel.listens
    async with aclosing(channel.listen()) as listening:  # type: ignore[type-var]
        first = await anext(listening)
        assert asked(provider) == [("getUpdates", 0), ("getUpdates", 0)]
        second = await anext(listening)
    assert asked(provider)[2:] == [
        ("answerCallbackQuery", "437"),
        ("getUpdates", 508),
        ("getUpdates", 513),
        ("getUpdates", 513),
    ]
    assert json.loads(provider.requests[0].body) == {
        "offset": 0,
        "timeout": 25,
        "allowed_updates": ["message", "callback_query", "my_chat_member"],
    }
    assert [event.event_id for event in first.events] == ["502", "507"]
    assert first.events[1].at == datetime(2026, 11, 21, 11, 59, tzinfo=UTC)
    assert [event.event_id for event in second.events] == ["502"]


async def test_a_server_that_tells_no_time_lends_a_press_that_of_its_post(play: Play) -> None:
    _, channel = await play(updates(fixture("invented/telegram", "press"), date=""))
    async with aclosing(channel.listen()) as listening:
        received = await anext(listening)
    assert received.events[0].at == datetime.fromtimestamp(1795261700, UTC)


@pytest.mark.parametrize(
    ("answer", "kind", "failure"),
    [
        (error(409, "Conflict: terminated by other getUpdates request"), Refused, FailureClass.SENDER_CONFIG),
        (Reply(200, {"ok": True, "result": {}}), OutcomeUnknown, FailureClass.TRANSPORT),
    ],
)
async def test_listening_tells_what_is_wrong(
    play: Play, answer: Reply, kind: type[SendError], failure: FailureClass
) -> None:
    _, channel = await play(answer)
    async with aclosing(channel.listen()) as listening:
        with pytest.raises(kind) as caught:
            await anext(listening)
    assert caught.value.failure is failure


async def test_a_long_poll_outlasts_the_time_limit_of_other_requests(play: Play) -> None:
    limits = []

    class Watching(HttpWire):
        async def request(self, *args: Any, **options: Any) -> HttpReply:
            limits.append(options["timeout"])
            return await super().request(*args, **options)

    provider, _ = await play(updates(fixture("invented/telegram", "stop")))
    async with Watching() as wire:
        channel = TABLE.open(wire, **provider.settings(), listen="yes")
        assert isinstance(channel, Listening)
        async with aclosing(channel.listen()) as listening:  # type: ignore[type-var]
            await asyncio.wait_for(anext(listening), 5)
    assert limits == [35.0]


async def test_a_set_webhook_is_in_the_way_of_listening(play: Play) -> None:
    _, channel = await play(*told({}, {}), *told({}, {"url": ""}), listen="yes")
    assert (await channel.check(NOW)).mend == (
        "a webhook is set, so that Telegram lets nobody fetch updates: call deleteWebhook",
    )
    assert (await channel.check(NOW)).mend == ()


async def test_neither_token_nor_words_come_into_the_log(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, channel = await play(*told({}, {}), sent(), Reply(400, b"<html>"), updates(fixture("invented/telegram", "stop")))
    await channel.check(NOW)
    await channel.send(TABLE.message())
    with pytest.raises(Refused):
        await channel.send(TABLE.message())
    async with aclosing(channel.listen()) as listening:
        await anext(listening)
    for word in (str(BOT), "hush", "Saturday", TABLE.to, "2000000"):
        assert word not in caplog.text


def test_descriptions_are_looked_for_in_lower_case_and_fit_the_ledger() -> None:
    assert all(words == words.lower() and len(words) <= 36 for words in DESCRIPTIONS)


ODD = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({}),
    st.sampled_from([-100, 7, BOT, 1795262300, 10**20, "private", "channel", "kicked", "member", "administrator"]),
    st.sampled_from(["\0/start\0 x", "@mybot \0", "/stop", "\ud83d", "/help@x", "YES|202611-17", "A\0|202611-17"]),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Everything in a payload that can be replaced, as (container, key)."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *places(value[key]))]


@settings(max_examples=1_000, deadline=None)
@given(
    row=st.sampled_from(TABLE.webhooks),
    damage=st.lists(st.tuples(st.floats(0, 0.999), ODD), min_size=1, max_size=4),
)
def test_no_damaged_update_crashes_the_parser(row: Any, damage: list[tuple[float, Any]]) -> None:
    update = fixture(row.fixture, row.key)
    for where, value in damage:
        found = places(update)
        container, key = found[int(where * len(found))]
        container[key] = value
    for event in received(update).events:
        assert "\\x00" not in repr(event)
        assert event.event_id
        assert event.at.tzinfo is not None
        json.dumps(dataclasses.asdict(event), default=str, ensure_ascii=False).encode()
