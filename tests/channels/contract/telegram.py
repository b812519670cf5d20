"""The cases of the telegram channel."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from channels.telegram.adapter import TelegramChannel
from router.core.channel import Button, GroupChange, GroupEvent, Health, HttpRequest, Inbound, Keyword, OptOut, Picture
from router.core.errors import FailureClass, Moved, NotSent, OutcomeUnknown, Refused, Throttled
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import DELIVERY, NOW, WEBHOOK_URL, Accepted, ChannelTable, Failing, Fault, Webhook

BOT = 2000001
TOKEN = f"{BOT}:hush-telegram_bot-Token"
SECRET = "hush-telegram_webhook-Secret"
TO = "5550142"
GROUP = "-1001043020159"


class TelegramProvider(HttpProvider):
    """By Telegram's design the token stands in every address; what remains of the request lines must hold no secret."""

    def seen(self) -> str:
        return super().seen().replace(f"/bot{TOKEN}/", "/bot…/")


def sent(chat: str = TO, number: int = 77) -> Reply:
    return Reply(200, {"ok": True, "result": {"message_id": number, "chat": {"id": int(chat)}, "date": 1, "text": "…"}})


def error(status: int, description: str, **parameters: Any) -> Reply:
    """https://core.telegram.org/bots/api#making-requests"""
    body = {"ok": False, "error_code": status, "description": description}
    return Reply(status, body | ({"parameters": parameters} if parameters else {}))


def sign(url: str, body: bytes, at: datetime) -> HttpRequest:
    """https://core.telegram.org/bots/api#setwebhook"""
    headers = {"content-type": "application/json", "x-telegram-bot-api-secret-token": SECRET}
    return HttpRequest(method="POST", url=url, headers=headers, body=body, received_at=at)


def payload(provider: HttpProvider) -> Any:
    [request] = provider.requests
    return json.loads(request.body)


def check_plain(provider: HttpProvider) -> None:
    [request] = provider.requests
    assert request.line == f"POST /bot{TOKEN}/sendMessage HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert payload(provider) == {
        "chat_id": int(TO),
        "text": "Come on Saturday!",
        "link_preview_options": {"is_disabled": True},
    }


def check_buttons(provider: HttpProvider) -> None:
    assert payload(provider)["reply_markup"] == {
        "inline_keyboard": [
            [{"text": "I'm in", "callback_data": f"YES|{DELIVERY}"}, {"text": "No", "callback_data": f"NO|{DELIVERY}"}],
            [{"text": "Where?", "url": "https://router.example.org/a/1?b=ä"}],
        ]
    }


def check_picture(provider: HttpProvider) -> None:
    assert payload(provider)["text"] == "<b>½</b> _price_ 🎉\n?"
    assert payload(provider)["link_preview_options"] == {
        "url": "https://example.org/street.jpg",
        "prefer_large_media": True,
        "show_above_text": True,
    }


def failing(status: int, description: str, failure: FailureClass, code: str) -> Failing:
    return Failing(
        name=description, steps=(error(status, description),), error=Refused, failure=failure, code=f"{status} {code}"
    )


def inbound(number: int, text: str, **more: Any) -> Inbound:
    values: dict[str, Any] = {"sender": "2000000", "at": datetime.fromtimestamp(1795262300, UTC)}
    return Inbound(event_id=str(500 + number), recipient=str(BOT), text=text, **(values | more))


def example(text: str, **more: Any) -> Inbound:
    at = datetime(2015, 9, 7, 17, 5, 32, tzinfo=UTC)
    return Inbound(event_id="10000", sender="1111111", recipient=str(BOT), text=text, at=at, **more)


def change(number: int, kind: GroupChange, **more: Any) -> GroupEvent:
    values: dict[str, Any] = {
        "event_id": str(500 + number),
        "group": GROUP,
        "title": "Riverside tenants",
        "person": "2000000",
        "at": datetime.fromtimestamp(1795262300, UTC),
    }
    return GroupEvent(change=kind, **(values | more))


def published(name: str, key: str, *events: Any) -> Webhook:
    return Webhook(name=f"{name} {key}", fixture=f"telegram_{name}", key=key, events=events)


def invented(key: str, *events: Any) -> Webhook:
    return Webhook(name=key, fixture="invented/telegram", key=key, events=events)


ME = {"id": BOT, "is_bot": True, "first_name": "My Bot", "username": "MyBot", "can_join_groups": True}
HOOK = {"url": WEBHOOK_URL, "has_custom_certificate": False, "pending_update_count": 0}


def told(me: dict[str, Any], webhook: dict[str, Any]) -> tuple[Reply, Reply]:
    return Reply(200, {"ok": True, "result": ME | me}), Reply(200, {"ok": True, "result": HOOK | webhook})


TABLE = ChannelTable(
    channel=TelegramChannel,
    to=TO,
    settings={"token": TOKEN, "webhook_secret": SECRET, "username": "mybot"},
    secrets=(TOKEN, TOKEN.partition(":")[2], SECRET),
    provider=TelegramProvider,
    signs_body=False,
    faults={
        Fault.CONNECT: Failing(
            name="connect", steps=(), error=NotSent, failure=FailureClass.TRANSPORT, code="connect", listening=False
        ),
        Fault.SILENCE: Failing(
            name="silence", steps=(Reply(hang=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
        Fault.CUT: Failing(name="cut", steps=(Reply(cut=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT),
        Fault.ERROR: Failing(
            name="500",
            steps=(error(500, "Internal Server Error: restart"),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
            code="http 500",
        ),
        Fault.UNAVAILABLE: Failing(
            name="503", steps=(Reply(503),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT, code="http 503"
        ),
        Fault.THROTTLED: Failing(
            name="429",
            steps=(error(429, "Too Many Requests: retry after 7", retry_after=7),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="429",
            retry_after=7.0,
        ),
        Fault.UNAUTHORIZED: Failing(
            name="401",
            steps=(error(401, "Unauthorized"),),
            error=Refused,
            failure=FailureClass.SENDER_CONFIG,
            code="401 token",
        ),
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
        failing(403, "Forbidden: bot was blocked by the user", FailureClass.OPT_OUT, "bot was blocked by the user"),
        failing(403, "Forbidden: user is deactivated", FailureClass.OPT_OUT, "user is deactivated"),
        failing(403, "Forbidden: bot was kicked from the supergroup chat", FailureClass.ADDRESS_DEAD, "bot was kicked"),
        failing(403, "Forbidden: bot is not a member of the channel chat", FailureClass.ADDRESS_DEAD, "not a member"),
        failing(400, "Bad Request: have no rights to send a message", FailureClass.ADDRESS_DEAD, "have no rights"),
        failing(400, "Bad Request: CHAT_WRITE_FORBIDDEN", FailureClass.ADDRESS_DEAD, "chat_write_forbidden"),
        failing(
            400,
            "Bad Request: not enough rights to send text messages to the chat",
            FailureClass.ADDRESS_DEAD,
            "not enough rights",
        ),
        failing(
            400,
            "Bad Request: need administrator rights in the channel chat",
            FailureClass.ADDRESS_DEAD,
            "need administrator rights",
        ),
        failing(400, "Bad Request: TOPIC_CLOSED", FailureClass.ADDRESS_DEAD, "topic_closed"),
        failing(403, "Forbidden: the group chat was deleted", FailureClass.ADDRESS_DEAD, "group chat was deleted"),
        failing(400, "Bad Request: chat not found", FailureClass.ADDRESS_DEAD, "chat not found"),
        failing(400, "Bad Request: message thread not found", FailureClass.ADDRESS_DEAD, "message thread not found"),
        failing(400, "Bad Request: message is too long", FailureClass.CONTENT, "message is too long"),
        failing(400, "Bad Request: BUTTON_DATA_INVALID", FailureClass.CONTENT, "button_data_invalid"),
        failing(403, "Forbidden: something new", FailureClass.UNKNOWN, "something new"),
        failing(
            400,
            "Bad Request: inline keyboard button URL 'https://router.example.org/a' is invalid: 5550142",
            FailureClass.UNKNOWN,
            "inline keyboard button url",
        ),
        Failing(
            name="an unknown token",
            steps=(error(404, "Not Found"),),
            error=Refused,
            failure=FailureClass.SENDER_CONFIG,
        ),
        Failing(
            name="moved",
            steps=(
                error(
                    400,
                    "Bad Request: group chat was upgraded to a supergroup chat",
                    migrate_to_chat_id=-1001557912345,
                ),
            ),
            error=Moved,
            failure=FailureClass.ADDRESS_DEAD,
            code="400 migrated",
        ),
        Failing(
            name="throttled for longer than a day",
            steps=(error(429, "Too Many Requests", retry_after=10**400),),
            error=Throttled,
            failure=FailureClass.RATE,
            retry_after=86_400.0,
        ),
        Failing(
            name="throttled without a word of when",
            steps=(Reply(429, [], {"Retry-After": "5"}),),
            error=Throttled,
            failure=FailureClass.RATE,
        ),
        Failing(name="html 400", steps=(Reply(400, b"<html>"),), error=Refused, failure=FailureClass.UNKNOWN),
        Failing(name="[] 403", steps=(Reply(403, []),), error=Refused, failure=FailureClass.UNKNOWN),
        Failing(
            name="fields of other types",
            steps=(Reply(400, {"description": 5, "parameters": [{"migrate_to_chat_id": "x"}]}),),
            error=Refused,
            failure=FailureClass.UNKNOWN,
        ),
        Failing(
            name="a move to nowhere",
            steps=(error(400, "Bad Request: chat not found", migrate_to_chat_id="-100"),),
            error=Refused,
            failure=FailureClass.ADDRESS_DEAD,
        ),
        Failing(name="413", steps=(Reply(413),), error=Refused, failure=FailureClass.CONTENT, code="http 413"),
        Failing(name="409", steps=(error(409, "Conflict"),), error=Refused, failure=FailureClass.SENDER_CONFIG),
        Failing(
            name="a redirect is not followed",
            steps=(Reply(302, b"", {"Location": "/elsewhere"}),),
            error=Refused,
            failure=FailureClass.SENDER_CONFIG,
        ),
        Failing(
            name="no message in the answer",
            steps=(Reply(200, {"ok": True, "result": {"message_id": True, "chat": 5}}),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
        ),
    ),
    accepted=(
        Accepted(name="plain text", steps=(sent(),), provider_id=f"{TO}:77", check=check_plain),
        Accepted(
            name="with buttons",
            steps=(sent(),),
            provider_id=f"{TO}:77",
            message={
                "buttons": (
                    Button(label="I'm in", reply="YES"),
                    Button(label="No", reply="NO"),
                    Button(label="Where?", url="https://router.example.org/a/1?b=ä"),
                )
            },
            check=check_buttons,
        ),
        Accepted(
            name="with a picture",
            steps=(sent(),),
            provider_id=f"{TO}:77",
            message={
                "text": "<b>½</b> _price_ 🎉\n\ud83d",
                "picture": Picture(url="https://example.org/street.jpg", alt="Our street"),
            },
            check=check_picture,
        ),
    ),
    checks=(
        (
            told({}, {"last_error_date": int(NOW.timestamp()) - 7200, "last_error_message": "Connection timed out"}),
            Health(who="@MyBot", webhook=WEBHOOK_URL),
        ),
        (
            told(
                {"username": "TheirBot", "can_join_groups": False, "can_read_all_group_messages": True},
                {
                    "allowed_updates": ["message", "poll"],
                    "last_error_date": int(NOW.timestamp()) - 60,
                    "last_error_message": "Wrong response from the webhook: 403 Forbidden",
                },
            ),
            Health(
                who="@TheirBot",
                webhook=WEBHOOK_URL,
                mend=(
                    "set OUTREACH_TELEGRAM_USERNAME=TheirBot, so that links to the bot and words to it in groups are"
                    " known",
                    "the webhook leaves out callback_query, my_chat_member: call setWebhook with allowed_updates",
                    "Telegram could not reach the webhook lately: Wrong response from the webhook: 403 Forbidden",
                    "the bot cannot be added to groups: /setjoingroups at @BotFather",
                    "Telegram shows the bot every word of its groups: turn privacy mode on with /setprivacy",
                ),
            ),
        ),
        (
            told({}, {"url": "", "last_error_date": int(NOW.timestamp()) - 60}),
            Health(
                who="@MyBot",
                webhook="",
                mend=(f"Telegram does not call {WEBHOOK_URL}: call setWebhook with it and the webhook secret",),
            ),
        ),
        ((error(401, "Unauthorized"),), FailureClass.SENDER_CONFIG),
        ((Reply(200, {"ok": True, "result": ME}), Reply(200, [])), FailureClass.TRANSPORT),
    ),
    webhooks=(
        published("examples", "start", example("/start", keyword=Keyword.START)),
        published("examples", "without_chat_type", example("/start", keyword=Keyword.START)),
        published("examples", "forwarded"),
        published("examples", "reply", example("/start", keyword=Keyword.START)),
        published("examples", "edited"),
        published("examples", "entities", example("Bold and italics")),
        published("examples", "voice"),
        published("examples", "inline_query"),
        published("examples", "callback"),
        published(
            "blocked",
            "blocked",
            OptOut(event_id="276740005", address="2000000", at=datetime(2022, 7, 2, 13, 20, 3, tzinfo=UTC)),
        ),
        published(
            "migrated_to",
            "migrated",
            GroupEvent(
                event_id="61708811",
                group="-4518810793",
                change=GroupChange.MOVED,
                at=datetime(2024, 11, 15, 18, 14, 31, tzinfo=UTC),
                title="Test 2",
                moved_to="-1002471352452",
            ),
        ),
        published("migrated_from", "migrated"),
        published(
            "left",
            "left",
            GroupEvent(
                event_id="933920:216024544",
                group=GROUP,
                change=GroupChange.LEFT,
                at=datetime(2016, 8, 4, 19, 18, 43, tzinfo=UTC),
                title="s@",
                person="216024544",
            ),
        ),
        invented("start_payload", inbound(1, "/start", keyword=Keyword.START, payload="a-Zq_09")),
        invented("stop", inbound(2, "/stop", keyword=Keyword.STOP)),
        invented("help", inbound(3, "/help please", keyword=Keyword.HELP)),
        invented("text", inbound(4, "Yes, I'll bring 3 friends & a çake 🎂")),
        invented("caption", inbound(5, "Our street")),
        invented("answer", inbound(6, "at what time?", delivery=DELIVERY)),
        invented("press", inbound(7, "YES", button=True, delivery=DELIVERY, at=NOW)),
        invented("press_in_group", inbound(8, "NO", button=True, delivery=DELIVERY, group=GROUP, at=NOW)),
        invented("press_in_topic", inbound(9, "YES", button=True, delivery=DELIVERY, group=f"{GROUP}/45", at=NOW)),
        invented("press_of_an_old_post", inbound(10, "YES", button=True, delivery=DELIVERY, group=GROUP, at=NOW)),
        invented("press_of_another_button"),
        invented("chatter"),
        invented("command", inbound(13, "/propose A picket on Friday\nat noon", group=GROUP)),
        invented("bare_command", inbound(14, "/calls", group=GROUP)),
        invented("command_for_another"),
        invented("added_by_link", inbound(16, "/start", payload="a-Zq_09", group=GROUP)),
        invented("mention", inbound(17, "YES", group=GROUP)),
        invented("answer_in_group", inbound(18, "count me in", group=GROUP, delivery=DELIVERY)),
        invented("answer_to_somebody"),
        invented("command_in_topic", inbound(20, "/calls", group=f"{GROUP}/45")),
        invented("chatter_in_topic"),
        invented("anonymous"),
        invented(
            "joined",
            change(23, GroupChange.JOINED, event_id="523:2000000"),
            change(23, GroupChange.JOINED, event_id="523:216024544", person="216024544"),
        ),
        invented("unblocked"),
        invented("added", change(25, GroupChange.ADDED)),
        invented("removed", change(26, GroupChange.REMOVED)),
        invented("promoted"),
        invented("silenced", change(28, GroupChange.REMOVED)),
        invented("heard_again", change(29, GroupChange.ADDED)),
        invented("channel_admin", change(30, GroupChange.ADDED, group="-1001893407333", title="Riverside news")),
        invented(
            "channel_without_posting",
            change(31, GroupChange.REMOVED, group="-1001893407333", title="Riverside news"),
        ),
        invented("channel_member", change(32, GroupChange.REMOVED, group="-1001893407333", title="Riverside news")),
        invented("channel_post"),
        invented("second", inbound(34, "/second 7", group=GROUP)),
        invented("second_for_another"),
        invented("bots_command"),
        invented(
            "press_by_an_anonymous_admin", inbound(37, "YES", button=True, delivery=DELIVERY, group=GROUP, at=NOW)
        ),
        invented("command_in_the_general_topic", inbound(38, "/why", group=GROUP)),
        invented("command_in_a_chain_of_replies", inbound(39, "/why", group=GROUP)),
        invented("bot_left", change(40, GroupChange.REMOVED)),
        invented("other_bot_joined"),
    ),
    encode=lambda payload: json.dumps(payload, ensure_ascii=False).encode(),
    sign=sign,
)
