"""What the refusals of the Bot API mean, in our failure classes.

Telegram's codes are HTTP statuses and say little; what happened stands in the description
(https://core.telegram.org/bots/api#making-requests). There is no list of these: they come from the server's source,
https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp. Classes: FACTS.md 1.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, TelegramError

from channels.http import failure_of, json_object
from router.core.channel import HttpReply
from router.core.errors import FailureClass, Moved, OutcomeUnknown, Refused, SendError, Throttled

UNCHANGED = "message is not modified"
"""How Telegram answers an edit that changes nothing."""

DESCRIPTIONS: Mapping[str, FailureClass] = {
    # Looked for in the description of a 400 or 403, lower-case; the first that is found counts.
    "bot was blocked by the user": FailureClass.OPT_OUT,
    "user is deactivated": FailureClass.OPT_OUT,
    "chat not found": FailureClass.ADDRESS_DEAD,
    "bot was kicked": FailureClass.ADDRESS_DEAD,  # from the group, supergroup or channel chat
    "not a member": FailureClass.ADDRESS_DEAD,
    "group chat was deleted": FailureClass.ADDRESS_DEAD,
    "have no rights": FailureClass.ADDRESS_DEAD,  # to send a message
    "not enough rights": FailureClass.ADDRESS_DEAD,  # to send text messages to the chat
    "need administrator rights": FailureClass.ADDRESS_DEAD,  # in the channel chat
    "chat_write_forbidden": FailureClass.ADDRESS_DEAD,
    "chat_restricted": FailureClass.ADDRESS_DEAD,
    "message thread not found": FailureClass.ADDRESS_DEAD,  # the topic is gone
    "topic_closed": FailureClass.ADDRESS_DEAD,
    "topic_deleted": FailureClass.ADDRESS_DEAD,
    "can't initiate conversation": FailureClass.ADDRESS_DEAD,  # they never pressed Start
    "can't send messages to bots": FailureClass.ADDRESS_DEAD,
    "can't send messages to the bot": FailureClass.ADDRESS_DEAD,
    "message is too long": FailureClass.CONTENT,
    "message text is empty": FailureClass.CONTENT,
    "button_data_invalid": FailureClass.CONTENT,  # over 64 bytes
    "button_url_invalid": FailureClass.CONTENT,
    UNCHANGED: FailureClass.CONTENT,
    "message to edit not found": FailureClass.EXPIRED,
    "message can't be edited": FailureClass.EXPIRED,
}

NAMED = frozenset({400, 401, 403, 404, 409})
"""The HTTP statuses that python-telegram-bot has a class for; the others it lumps together."""

_LONGEST_WAIT = 86_400
_WORDS = re.compile(r"[a-z](?:[a-z ,_-]|(?<=[a-z])'(?=[a-z])){0,35}")
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


def refusal(error: TelegramError) -> SendError:
    """What an error of python-telegram-bot means."""
    if isinstance(error.__cause__, SendError):  # the wire's, or of `unnamed`
        return error.__cause__
    if isinstance(error, ChatMigrated):
        return Moved(str(error.new_chat_id), "400 migrated")
    if isinstance(error, InvalidToken):  # an unknown token is answered 401, a malformed one 404
        return Refused(FailureClass.SENDER_CONFIG, "401 token")
    if isinstance(error, Conflict):  # a webhook is set, or somebody else polls
        return Refused(FailureClass.SENDER_CONFIG, "409 conflict")
    if isinstance(error, Forbidden | BadRequest):
        return _described(403 if isinstance(error, Forbidden) else 400, error.message.lower())
    return OutcomeUnknown("telegram")


def unnamed(reply: HttpReply) -> SendError:
    """What an answer means that python-telegram-bot has no class for.

    429 is among these: constructing its `RetryAfter` warns of a deprecation of its own.
    """
    if reply.status == 429:
        parameters = json_object(reply.body).get("parameters")
        seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
        if isinstance(seconds, int) and seconds >= 0:
            return Throttled("429", float(min(seconds, _LONGEST_WAIT)))
        return Throttled("429")
    return failure_of(reply, None, "", _ANY_TIME)  # the time matters to a 429 only


def _described(status: int, description: str) -> Refused:
    for words, failure in DESCRIPTIONS.items():
        if words in description:
            return Refused(failure, f"{status} {words}")
    # An unknown description is worth knowing, but only as far as it repeats nothing of the message.
    start = _WORDS.match(description.removeprefix("bad request: ").removeprefix("forbidden: "))
    return Refused(FailureClass.UNKNOWN, f"{status} {start.group() if start else ''}".strip())
