"""The cases of the slack channel."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from channels.slack.adapter import SlackChannel
from router.core.channel import Button, GroupChange, GroupEvent, Health, HttpRequest, Inbound, Picture
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, Throttled
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import DELIVERY, NOW, Accepted, ChannelTable, Failing, Fault, Webhook

TOKEN = "hush-slack-bot-token"
SECRET = "hush-slack-signing-secret"
APP_TOKEN = "hush-slack-app-token"
METADATA = {"event_type": "outreach_delivery", "event_payload": {"delivery": str(DELIVERY)}}
PROVIDER_ID = "D024BE91L:1503435956.000247"
POSTED = Reply(
    200,
    {
        "ok": True,
        "channel": "D024BE91L",
        "ts": "1503435956.000247",
        "message": {"text": "Come on Saturday!", "bot_id": "B19LU7CSY", "type": "message", "ts": "1503435956.000247"},
    },
)
WHOLE_DAY = datetime(1973, 11, 29, 21, 33, 9, tzinfo=UTC)
"""123456789, the time in most published examples."""


def error(code: str, status: int = 200, **headers: str) -> Reply:
    """https://docs.slack.dev/apis/web-api/using-the-slack-web-api#responses"""
    return Reply(
        status, {"ok": False, "error": code}, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def encode(payload: dict[str, Any]) -> bytes:
    """Events are JSON, pressed buttons JSON in a form, commands a form."""
    if payload.get("type") == "block_actions":
        return urlencode({"payload": json.dumps(payload)}).encode()
    return urlencode(payload).encode() if "command" in payload else json.dumps(payload).encode()


def sign(url: str, body: bytes, at: datetime) -> HttpRequest:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    stamp = str(int(at.timestamp()))
    return HttpRequest(
        method="POST",
        url=url,
        headers={
            "content-type": "application/json" if body[:1] in (b"{", b"[") else "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=body) or "",
        },
        body=body,
        received_at=at,
    )


def posted(provider: HttpProvider) -> dict[str, Any]:
    [request] = provider.requests
    assert request.line == "POST /chat.postMessage HTTP/1.1"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    found: dict[str, Any] = json.loads(request.body)
    return found


def words(*elements: dict[str, str]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def check_plain(provider: HttpProvider) -> None:
    assert posted(provider) == {
        "channel": "U061F7AUR",
        "text": "Come on Saturday!",
        "blocks": [words({"type": "text", "text": "Come on Saturday!"})],
        "metadata": METADATA,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
    }


def check_literal(provider: HttpProvider) -> None:
    """Nothing that anybody wrote is markup, and links can be tapped."""
    body = posted(provider)
    assert body["text"] == "&lt;!channel&gt; *R&amp;D* ? (https://example.org/a_(b)?c=1&amp;d)."
    assert body["blocks"] == [
        words(
            {"type": "text", "text": "<!channel> *R&D* ? ("},
            {"type": "link", "url": "https://example.org/a_(b)?c=1&d"},
            {"type": "text", "text": ")."},
        )
    ]


def check_rich(provider: HttpProvider) -> None:
    assert posted(provider)["blocks"][1:] == [
        {"type": "image", "image_url": "https://example.org/p.png", "alt_text": "A full hall"},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": "answer-0",
                    "text": {"type": "plain_text", "text": "I come"},
                    "value": f"YES|{DELIVERY}",
                },
                {
                    "type": "button",
                    "action_id": "answer-1",
                    "text": {"type": "plain_text", "text": "Map"},
                    "url": "https://example.org/map",
                },
            ],
        },
    ]


def check_words_only(provider: HttpProvider) -> None:
    assert len(posted(provider)["blocks"]) == 1


def failing(code: str, failure: FailureClass, status: int = 200) -> Failing:
    name = code if status == 200 else f"{code} {status}"
    kind = Throttled if failure is FailureClass.RATE else Refused
    return Failing(name=name, steps=(error(code, status),), error=kind, failure=failure, code=code)


def unsure(code: str, status: int = 200) -> Failing:
    return Failing(
        name=f"{code} {status}",
        steps=(error(code, status),),
        error=OutcomeUnknown,
        failure=FailureClass.TRANSPORT,
        code=code,
    )


def events(name: str, key: str, *found: Any, invented: bool = False, **settings: str) -> Webhook:
    fixture = "invented/slack_events" if invented else "slack_events"
    return Webhook(name=name, fixture=fixture, key=key, events=found, settings=settings)


def group(change: GroupChange, channel: str = "C123ABC456", **more: str) -> GroupEvent:
    return GroupEvent(event_id="Ev123ABC456", group=channel, change=change, at=WHOLE_DAY, **more)


def pressed(keyword: str, channel: str) -> Inbound:
    return Inbound(
        event_id="12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        sender="UA8RXUSPL",
        recipient="AABA1ABCD",
        text=keyword,
        at=datetime(2019, 1, 25, 14, 26, 57, 840180, tzinfo=UTC),
        button=True,
        delivery=DELIVERY,
        group=channel,
    )


def command(text: str, channel: str = "") -> Inbound:
    return Inbound(
        event_id="13345224609.738474920.8088930838d88f008e0",
        sender="U2147483697",
        recipient="A123456",
        text=text,
        at=NOW,
        group=channel,
    )


def direct(text: str, event_id: str, app: str, at: datetime) -> Inbound:
    return Inbound(event_id=event_id, sender="U2147483697", recipient=app, text=text, at=at)


TABLE = ChannelTable(
    channel=SlackChannel,
    to="U061F7AUR",
    settings={"bot_token": TOKEN, "signing_secret": SECRET, "app_token": APP_TOKEN},
    secrets=(TOKEN, SECRET, APP_TOKEN),
    provider=HttpProvider,
    faults={
        Fault.CONNECT: Failing(
            name="connect", steps=(), error=NotSent, failure=FailureClass.TRANSPORT, listening=False
        ),
        Fault.SILENCE: Failing(
            name="silence", steps=(Reply(hang=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
        Fault.CUT: Failing(name="cut", steps=(Reply(cut=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT),
        Fault.ERROR: unsure("internal_error", 500),
        Fault.UNAVAILABLE: Failing(
            name="503", steps=(Reply(503),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT, code="http 503"
        ),
        Fault.THROTTLED: Failing(
            name="429",
            steps=(error("ratelimited", 429, Retry_After="30"),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="ratelimited",
            retry_after=30.0,
        ),
        Fault.UNAUTHORIZED: failing("invalid_auth", FailureClass.SENDER_CONFIG, 401),
        Fault.HTML: Failing(
            name="html",
            steps=(Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
        ),
        Fault.EMPTY_LIST: Failing(
            name="[]", steps=(Reply(200, []),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
    },
    failing=(
        failing("channel_not_found", FailureClass.ADDRESS_DEAD),
        failing("user_not_found", FailureClass.ADDRESS_DEAD),
        failing("is_archived", FailureClass.ADDRESS_DEAD),
        failing("cannot_dm_bot", FailureClass.ADDRESS_DEAD),
        failing("not_in_channel", FailureClass.ADDRESS_DEAD),
        failing("restricted_action_read_only_channel", FailureClass.ADDRESS_DEAD),
        failing("restricted_action", FailureClass.SENDER_CONFIG),
        failing("invalid_auth", FailureClass.SENDER_CONFIG),
        failing("account_inactive", FailureClass.SENDER_CONFIG),
        failing("token_revoked", FailureClass.SENDER_CONFIG),
        failing("missing_scope", FailureClass.SENDER_CONFIG),
        failing("not_allowed_token_type", FailureClass.SENDER_CONFIG, 403),
        failing("msg_too_long", FailureClass.CONTENT),
        failing("invalid_blocks", FailureClass.CONTENT),
        failing("rate_limited", FailureClass.RATE),
        failing("message_limit_exceeded", FailureClass.RATE),
        failing("code_from_the_future", FailureClass.UNKNOWN),
        unsure("fatal_error"),
        unsure("internal_error"),
        unsure("service_unavailable", 503),
        unsure("code_from_the_future", 502),
        Failing(
            name="a workspace on the move",
            steps=(error("team_added_to_org"),),
            error=NotSent,
            failure=FailureClass.TRANSPORT,
            code="team_added_to_org",
        ),
        Failing(
            name="429 without a body",
            steps=(Reply(429, b"", {"Retry-After": "1"}),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="429",
            retry_after=1.0,
        ),
        Failing(
            name="a code that is none",
            steps=(error("no such user: U061F7AUR"),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
            code="http 200",
        ),
        Failing(
            name="ok without a name for the message",
            steps=(Reply(200, {"ok": True, "channel": "D024BE91L"}),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
        ),
        Failing(name="html 403", steps=(Reply(403, b"<html>"),), error=Refused, failure=FailureClass.SENDER_CONFIG),
        Failing(name="413", steps=(Reply(413),), error=Refused, failure=FailureClass.CONTENT),
    ),
    accepted=(
        Accepted(name="plain", steps=(POSTED,), provider_id=PROVIDER_ID, check=check_plain),
        Accepted(
            name="literal words and a link",
            steps=(POSTED,),
            provider_id=PROVIDER_ID,
            message={"text": "<!channel> *R&D* \ud83d (https://example.org/a_(b)?c=1&d)."},
            check=check_literal,
        ),
        Accepted(
            name="picture and buttons",
            steps=(POSTED,),
            provider_id=PROVIDER_ID,
            message={
                "picture": Picture(url="https://example.org/p.png", alt="A full hall"),
                "buttons": (
                    Button(label="I come", reply="YES"),
                    Button(label="Map", url="https://example.org/map"),
                ),
            },
            check=check_rich,
        ),
        Accepted(name="nothing but words", steps=(POSTED,), provider_id=PROVIDER_ID, check=check_words_only),
    ),
    checks=(
        (
            (
                Reply(
                    200,
                    {"ok": True, "team": "Example Union", "user": "asks", "team_id": "T1", "bot_id": "B1"},
                    {
                        "X-OAuth-Scopes": "chat:write,im:history,im:write,commands,"
                        "app_mentions:read,channels:read,groups:read"
                    },
                ),
            ),
            Health(who="Example Union / asks"),
        ),
        (
            (
                Reply(
                    200,
                    {"ok": True, "team": "Example Union", "user": "asks", "team_id": "T1", "bot_id": "B1"},
                    {"X-OAuth-Scopes": "chat:write, im:write, commands, app_mentions:read, channels:read, groups:read"},
                ),
            ),
            Health(
                who="Example Union / asks",
                mend=(
                    "Add the scope im:history under OAuth & Permissions and install the app again: "
                    "without it what people write to us in private, such as STOP, does not reach us",
                ),
            ),
        ),
        (
            (Reply(200, {"ok": True, "team": "Example Union", "user": "steve", "team_id": "T1"}),),
            Health(
                who="Example Union / steve",
                mend=("OUTREACH_SLACK_BOT_TOKEN is a person's token; use the Bot User OAuth Token",),
            ),
        ),
        ((error("invalid_auth"),), FailureClass.SENDER_CONFIG),
        ((error("account_inactive"),), FailureClass.SENDER_CONFIG),
    ),
    webhooks=(
        events(
            "a direct message",
            "message_im",
            direct(
                "Hello hello can you hear me?",
                "Ev0PV52K21",
                "A0PNCHHK2",
                datetime(2012, 12, 14, 20, 38, 43, tzinfo=UTC),
            ),
        ),
        events("what people say in a channel", "message_in_a_channel"),
        events(
            "a mention in a channel",
            "app_mention",
            Inbound(
                event_id="Ev123ABC456",
                sender="U061F7AUR",
                recipient="A123ABC456",
                text="is it everything a river should be?",
                at=WHOLE_DAY,
                group="C123ABC456",
            ),
        ),
        events("somebody joined", "member_joined_channel", group(GroupChange.JOINED, person="W123ABC456")),
        events("somebody left", "member_left_channel", group(GroupChange.LEFT, person="W123ABC456")),
        events("we were put out", "channel_left", group(GroupChange.REMOVED)),
        events("archived", "channel_archive", group(GroupChange.REMOVED, "C024BE91L")),
        events("renamed", "channel_rename"),
        events(
            "another id",
            "channel_id_changed",
            group(GroupChange.MOVED, "G012Y48650T", moved_to="C012Y48650T"),
        ),
        events("revoked", "tokens_revoked"),
        events("uninstalled", "app_uninstalled"),
        events("the question of the address", "url_verification", team_id="T123ABC456"),
        events(
            "of our workspace",
            "message_im",
            direct(
                "Hello hello can you hear me?",
                "Ev0PV52K21",
                "A0PNCHHK2",
                datetime(2012, 12, 14, 20, 38, 43, tzinfo=UTC),
            ),
            team_id="T123ABC456",
        ),
        events(
            "marked-up words",
            "marked_up",
            direct(
                "*stop* & example.org/a?b=1 <3 #general @here @ada see here (https://example.org)",
                "Ev123ABC456",
                "A123ABC456",
                WHOLE_DAY,
            ),
            invented=True,
        ),
        events("we were let in", "our_bot_joined", group(GroupChange.ADDED, person="U123456789"), invented=True),
        events("we are gone", "our_bot_left", group(GroupChange.REMOVED), invented=True),
        events("somebody joined us", "somebody_joined", group(GroupChange.JOINED, person="U2147483697"), invented=True),
        events("back from the archive", "channel_unarchive", group(GroupChange.ADDED, "C024BE91L"), invented=True),
        events("our own message", "our_own_message", invented=True),
        events("a bot's message", "a_bots_message", invented=True),
        events("an edited message", "message_changed", invented=True),
        events("a bot that mentions us", "a_bots_mention", invented=True),
        events(
            "a command after a mention, in a thread",
            "mention_in_a_thread",
            Inbound(
                event_id="Ev123ABC456",
                sender="U061F7AUR",
                recipient="A123ABC456",
                text="second 7",
                at=WHOLE_DAY,
                group="C123ABC456",
            ),
            invented=True,
        ),
        Webhook(
            name="pressed in a channel",
            fixture="slack_interactions",
            key="in_a_channel",
            events=(pressed("YES", "CBR2V3XEX"),),
            settings={"team_id": "T9TK3CUKW"},
        ),
        Webhook(
            name="pressed in private", fixture="slack_interactions", key="in_private", events=(pressed("STOP", ""),)
        ),
        Webhook(name="not our button", fixture="slack_interactions", key="of_another_app", events=()),
        Webhook(
            name="a command",
            fixture="slack_commands",
            key="weather",
            events=(command("/weather 94070", "C2147483705"),),
            settings={"team_id": "T0001"},
        ),
        Webhook(name="our own command", fixture="slack_commands", key="own_command", events=(command("/stop"),)),
        Webhook(
            name="our own command with words, in a channel",
            fixture="invented/slack_events",
            key="own_command_with_words",
            events=(command("/propose A picket on Friday", "C2147483705"),),
        ),
        Webhook(
            name="a command with marks",
            fixture="slack_commands",
            key="rsvp",
            events=(command("/rsvp yes & no", "C2147483705"),),
        ),
        Webhook(
            name="a command alone",
            fixture="slack_commands",
            key="alone",
            events=(command("/rsvp", "G2147483705"),),
        ),
    ),
    encode=encode,
    sign=sign,
)
