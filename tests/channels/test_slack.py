"""What the contract's table cannot say of Slack: time, threads, edits, other workspaces, and Socket Mode."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.slack.adapter import SlackChannel
from channels.slack.blocks import rich
from channels.slack.events import events_of, plain
from router.core.channel import Editing, HttpReply, HttpRequest, Inbound, Listening, Received
from router.core.errors import BadInput, BadWebhook, FailureClass, Refused
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.slack import APP_TOKEN, METADATA, POSTED, TABLE, error, sign
from tests.channels.contract.table import NOW, WEBHOOK_URL, fixture


def event_request() -> HttpRequest:
    return sign(WEBHOOK_URL, json.dumps(fixture("slack_events", "message_im")).encode(), NOW)


def form_request(**form: str) -> HttpRequest:
    return sign(WEBHOOK_URL, urlencode(form).encode(), NOW)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"signing_secret": ""}, "OUTREACH_SLACK_SIGNING_SECRET"),
        ({"listen": "yes", "app_token": ""}, "OUTREACH_SLACK_APP_TOKEN"),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, str], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        TABLE.open(HttpWire(), **changes)
    assert caught.value.place == place


def test_it_can_listen_and_edit() -> None:
    channel = TABLE.open(HttpWire(), listen="yes", signing_secret="")
    assert isinstance(channel, Listening)
    assert channel.listens
    assert isinstance(channel, Editing)
    assert not TABLE.open(HttpWire()).listens  # type: ignore[attr-defined]
    with pytest.raises(BadWebhook):
        channel.verify(event_request())


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("U061F7AUR", ("chat", "U061F7AUR")),
        ("W061F7AUR", ("chat", "W061F7AUR")),
        ("C123", ("group", "C123")),
        ("G123/1690000000.000100", ("group", "G123")),
    ],
)
def test_a_channel_and_its_threads_share_a_rate(address: str, place: tuple[str, str]) -> None:
    assert SlackChannel.spec.limit_key is not None
    assert SlackChannel.spec.limit_key(address) == place


@pytest.mark.parametrize(("seconds", "taken"), [(-301, False), (-299, True), (299, True), (301, False)])
def test_a_request_of_another_time_is_refused(seconds: int, taken: bool) -> None:
    channel = TABLE.open(HttpWire())
    request = dataclasses.replace(event_request(), received_at=NOW + timedelta(seconds=seconds))
    with contextlib.nullcontext() if taken else pytest.raises(BadWebhook):
        channel.verify(request)


@pytest.mark.parametrize("stamp", ["9" * 400, "9" * 5000, "1e9", "ü", "-1"])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    request = event_request()
    odd = dataclasses.replace(request, headers={**request.headers, "x-slack-request-timestamp": stamp})
    with pytest.raises(BadWebhook):
        TABLE.open(HttpWire()).verify(odd)


@pytest.mark.parametrize(
    "request_",
    [
        event_request(),
        form_request(**fixture("slack_commands", "weather")),
        form_request(payload=json.dumps(fixture("slack_interactions", "in_a_channel"))),
    ],
    ids=["event", "command", "button"],
)
def test_another_workspaces_webhook_is_refused(request_: HttpRequest) -> None:
    TABLE.open(HttpWire()).verify(request_)
    with pytest.raises(BadWebhook):
        TABLE.open(HttpWire(), team_id="T999").verify(request_)


def test_slacks_question_is_answered_and_everything_else_gets_an_empty_200() -> None:
    channel = TABLE.open(HttpWire())
    question = fixture("slack_events", "url_verification")
    asked = channel.receive(sign(WEBHOOK_URL, json.dumps(question).encode(), NOW))
    assert asked == Received(reply=HttpReply(body=question["challenge"].encode()))
    assert channel.receive(form_request(**fixture("slack_commands", "rsvp"))).reply == HttpReply()
    assert channel.receive(form_request(ssl_check="1", token="XXYYZZ")) == Received()


def test_a_redelivered_event_has_the_same_name() -> None:
    first = event_request()
    again = dataclasses.replace(
        first,
        headers={**first.headers, "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"},
        received_at=NOW + timedelta(minutes=1),
    )
    channel = TABLE.open(HttpWire())
    assert channel.receive(again).events == channel.receive(first).events


def test_a_future_time_is_not_believed() -> None:
    payload = fixture("slack_events", "message_im") | {"event_time": NOW.timestamp() + 99}
    [event] = events_of(payload, NOW)
    assert event.at == NOW


@pytest.mark.parametrize("time", [1e999, -1e999, "nan", "1e18", "9" * 400, None, [], True, 10**30])
def test_a_time_that_makes_no_sense_is_the_time_of_arrival(time: object) -> None:
    [event] = events_of(fixture("slack_events", "message_im") | {"event_time": time}, NOW)
    assert event.at == NOW


def test_words_are_such_as_a_database_takes() -> None:
    payload = fixture("slack_events", "message_im")
    payload["event"]["text"] = "a\0b \ud83d"
    [event] = events_of(payload | {"api_app_id": "A\ud800"}, NOW)
    assert isinstance(event, Inbound)
    assert (event.text, event.recipient) == ("ab ?", "A?")


async def test_a_thread_is_answered_in_the_thread(wire: HttpWire, provider: HttpProvider) -> None:
    provider.script(POSTED)
    channel = TABLE.open(wire, **provider.settings())
    message = TABLE.message()
    address = dataclasses.replace(message.allow.address, value="C123/1690000000.000100")
    await channel.send(dataclasses.replace(message, allow=dataclasses.replace(message.allow, address=address)))
    body = json.loads(provider.requests[0].body)
    assert (body["channel"], body["thread_ts"]) == ("C123", "1690000000.000100")


@pytest.mark.parametrize(
    ("to", "failure"),
    [
        ("C123", FailureClass.ADDRESS_DEAD),
        ("G123/1690000000.000100", FailureClass.ADDRESS_DEAD),
        ("U061F7AUR", FailureClass.SENDER_CONFIG),
    ],
)
async def test_a_channel_in_which_only_some_may_post_is_closed_and_no_other(
    to: str, failure: FailureClass, wire: HttpWire, provider: HttpProvider
) -> None:
    provider.script(error("restricted_action"))
    channel = TABLE.open(wire, **provider.settings())
    message = TABLE.message()
    address = dataclasses.replace(message.allow.address, value=to)
    with pytest.raises(Refused) as caught:
        await channel.send(dataclasses.replace(message, allow=dataclasses.replace(message.allow, address=address)))
    assert (caught.value.failure, caught.value.code) == (failure, "restricted_action")


async def test_an_edit_names_channel_and_time(wire: HttpWire, provider: HttpProvider) -> None:
    provider.script(Reply(200, {"ok": True, "channel": "C1", "ts": "1401383885.000061", "text": "…"}))
    channel = TABLE.open(wire, **provider.settings())
    assert isinstance(channel, Editing)
    await channel.edit("C1:1401383885.000061", TABLE.message(text="12 of 40 come"))
    [request] = provider.requests
    assert request.line == "POST /chat.update HTTP/1.1"
    body = json.loads(request.body)
    assert (body["channel"], body["ts"], body["text"]) == ("C1", "1401383885.000061", "12 of 40 come")
    assert body["metadata"] == METADATA
    assert "unfurl_links" not in body


@pytest.mark.parametrize("code", ["message_not_found", "edit_window_closed", "cant_update_message"])
async def test_a_failed_edit_leaves_the_address_alone(code: str, wire: HttpWire, provider: HttpProvider) -> None:
    provider.script(error(code))
    channel = TABLE.open(wire, **provider.settings())
    assert isinstance(channel, Editing)
    with pytest.raises(Refused) as caught:
        await channel.edit("C1:1401383885.000061", TABLE.message())
    assert (caught.value.failure, caught.value.code) == (FailureClass.EXPIRED, code)


async def test_a_check_compares_the_workspace_and_tries_socket_mode(wire: HttpWire, provider: HttpProvider) -> None:
    me = Reply(200, {"ok": True, "team": "Example Union", "user": "asks", "team_id": "T1", "bot_id": "B1"})
    provider.script(me, me, error("not_allowed_token_type"))
    health = await TABLE.open(wire, team_id="T2", **provider.settings()).check(NOW)
    assert health.mend == ("OUTREACH_SLACK_TEAM_ID names another workspace than the one this token is for",)
    with pytest.raises(Refused) as caught:
        await TABLE.open(wire, listen="yes", **provider.settings()).check(NOW)
    assert caught.value.failure is FailureClass.SENDER_CONFIG
    assert provider.requests[-1].headers["authorization"] == f"Bearer {APP_TOKEN}"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://example.org/a?b=1, or not.", ["https://example.org/a?b=1"]),
        ("(https://example.org/a_(b))", ["https://example.org/a_(b)"]),
        ("https://example.org/x https://example.org/y\nhttp://example.net", 3),
        ("<https://example.org>", ["https://example.org"]),
        ("https:// and nothing", []),
        ("no link", []),
    ],
)
def test_links_are_found_as_people_mean_them(text: str, links: list[str] | int) -> None:
    elements = rich(text)
    found = [element["url"] for element in elements if element["type"] == "link"]
    assert found == links if isinstance(links, list) else len(found) == links
    assert "".join(element.get("url") or element["text"] for element in elements) == text


@given(st.text(alphabet=st.sampled_from("ab:/.,)( \nhtps<>&!"), max_size=60))
def test_no_word_is_lost_on_the_way_out(text: str) -> None:
    elements = rich(text.replace("h", "https://"))
    assert "".join(element.get("url") or element["text"] for element in elements) == text.replace("h", "https://")
    assert all(element.get("url") or element["text"] for element in elements)


def test_words_come_back_as_they_were_typed() -> None:
    assert plain("&amp;lt; &lt;!channel&gt;") == "&lt; <!channel>"
    assert plain("<mailto:ada@example.org|ada@example.org>") == "ada@example.org"
    assert plain("<!subteam^S012|@stewards> <#C1>") == "@stewards #C1"


KEYS = [
    *("type", "event", "event_id", "event_time", "authorizations", "is_bot", "user", "user_id", "channel", "subtype"),
    *(
        "channel_type",
        "text",
        "actions",
        "value",
        "action_ts",
        "trigger_id",
        "command",
        "channel_id",
        "team",
        "team_id",
    ),
    *("id", "bot_id", "payload", "inviter", "api_app_id", "container", "challenge", "old_channel_id", "new_channel_id"),
]
VALUES = [
    *("event_callback", "block_actions", "url_verification", "message", "app_mention", "im", "member_joined_channel"),
    *("channel_archive", "channel_id_changed", "U1", "C1", "D1", "YES|202611-17", "|202611-1", "/rsvp", "<@U1>"),
    *("\0", "\ud800", "nan", "-1e999", "1548426417.840180"),
]
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(VALUES) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=9),
    max_leaves=25,
)


SHAPES = [
    *(
        fixture("slack_events", key)
        for key in ("message_im", "app_mention", "member_joined_channel", "channel_archive")
    ),
    fixture("slack_interactions", "in_a_channel"),
    fixture("slack_commands", "rsvp"),
    {},
]


@settings(max_examples=150, deadline=None)
@given(shape=st.sampled_from(SHAPES), odd=PAYLOADS, odd_event=PAYLOADS)
def test_no_payload_crashes_the_reader(shape: dict[str, Any], odd: object, odd_event: object) -> None:
    """Published payloads with anything in the place of anything."""
    content: object = shape | odd if isinstance(odd, dict) else odd
    if isinstance(content, dict) and isinstance(odd_event, dict) and isinstance(content.get("event"), dict):
        content = content | {"event": content["event"] | odd_event}
    pairs = content.items() if isinstance(content, dict) else {}
    form = {name: str(value).encode("utf-8", "replace") for name, value in pairs}
    channel = TABLE.open(HttpWire())
    for body in (json.dumps(content), urlencode({"payload": json.dumps(content)}), urlencode(form)):
        request = sign(WEBHOOK_URL, body.encode(), NOW)
        channel.verify(request)
        for event in channel.receive(request).events:
            assert event.event_id
            said = "\n".join(str(value) for value in dataclasses.astuple(event))
            assert "\0" not in said
            assert said.encode()
