"""Telegram's updates to events: https://core.telegram.org/bots/api#update

Pure. What is not known, edited or not meant for us gives no event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from telegram.constants import ChatMemberStatus, ChatType, UpdateType

from channels.telegram.fields import Fields, inner, items, moment, number, person, place, posted, pressed, text
from router.core.channel import Event, GroupChange, GroupEvent, Inbound, Keyword, OptOut

WANTED = (UpdateType.MESSAGE.value, UpdateType.CALLBACK_QUERY.value, UpdateType.MY_CHAT_MEMBER.value)
"""The kinds of update that we ask for."""

KEYWORDS: Mapping[str, Keyword] = {
    # Commands that every bot should know: https://core.telegram.org/bots/features#global-commands
    "start": Keyword.START,
    "stop": Keyword.STOP,
    "help": Keyword.HELP,
}

_COMMAND = re.compile(r"/([a-z0-9_]{1,32})(?:@(\w{1,64}))?(?:\s+(.*))?", re.ASCII | re.IGNORECASE | re.DOTALL)
_WORD = "[A-Za-z0-9_]"
_FORWARDED = ("forward_origin", "forward_from", "forward_from_chat", "forward_date")


@dataclass(frozen=True, slots=True)
class Bot:
    """Who we are at Telegram."""

    id: int
    username: str
    """Without @; "" where it is not known."""

    def is_meant(self, name: str) -> bool:
        """Whether ``/command@name`` is for us."""
        return not (name and self.username) or name.lower() == self.username.lower()

    def unmentioned(self, words: str) -> str | None:
        """`words` without the mention of us, None where there is none."""
        if not self.username:
            return None
        rest, mentions = re.subn(
            rf"(?<!{_WORD})@{re.escape(self.username)}(?!{_WORD})", " ", words, flags=re.IGNORECASE
        )
        return rest.strip() if mentions else None


def callback_id(update: Fields) -> str:
    """What a press of a button is answered by; "" of any other update."""
    return text(inner(update, UpdateType.CALLBACK_QUERY.value), "id")


def read_update(update: Fields, bot: Bot, received_at: datetime | None) -> tuple[Event, ...]:
    """The events of one update. `received_at` stands in for a time that Telegram does not give, where it is known."""
    event_id = str(number(update, "update_id"))
    if event_id == "0":
        return ()
    if message := inner(update, UpdateType.MESSAGE.value):
        return _message(message, bot, event_id, received_at)
    if query := inner(update, UpdateType.CALLBACK_QUERY.value):
        return _press(query, bot, event_id, received_at)
    if change := inner(update, UpdateType.MY_CHAT_MEMBER.value):
        return _ourselves(change, event_id, received_at)
    return ()


def _message(message: Fields, bot: Bot, event_id: str, received_at: datetime | None) -> tuple[Event, ...]:
    at = moment(message, received_at)
    chat = inner(message, "chat")
    where = number(chat, "id")
    if at is None or not where:
        return ()
    if where < 0 and (moved_to := number(message, "migrate_to_chat_id")):
        return (
            GroupEvent(
                event_id=event_id,
                group=str(where),
                change=GroupChange.MOVED,
                at=at,
                title=text(chat, "title"),
                moved_to=str(moved_to),
            ),
        )
    people = _came_and_went(message, event_id, at) if where < 0 else ()
    said = _said(message, bot, event_id, at)
    return people or ((said,) if said else ())


def _came_and_went(message: Fields, event_id: str, at: datetime) -> tuple[GroupEvent, ...]:
    came = [(GroupChange.JOINED, person(user)) for user in items(message, "new_chat_members")]
    went = [(GroupChange.LEFT, person(inner(message, "left_chat_member")))]
    chat = inner(message, "chat")
    return tuple(
        GroupEvent(
            event_id=f"{event_id}:{who}",
            group=str(number(chat, "id")),
            change=change,
            at=at,
            title=text(chat, "title"),
            person=who,
        )
        for change, who in (*came, *went)
        if who
    )


def _said(message: Fields, bot: Bot, event_id: str, at: datetime) -> Inbound | None:
    """What somebody wrote to us; None where it is somebody else's words, or chatter of a group."""
    sender = person(inner(message, "from"))
    words = text(message, "text") or text(message, "caption")
    if not (sender and words) or "sender_chat" in message or any(name in message for name in _FORWARDED):
        return None
    group = place(message) if number(inner(message, "chat"), "id") < 0 else ""
    answered = inner(message, "reply_to_message")
    to_us = _is_ours(answered, bot)
    keyword: Keyword | None = None
    payload = ""
    if command := _COMMAND.fullmatch(words):
        name, addressee, rest = command[1].lower(), command[2] or "", (command[3] or "").strip()
        if not bot.is_meant(addressee):
            return None
        keyword = KEYWORDS.get(name)
        if name == "start":
            payload, rest = rest, ""
            if group:  # whoever adds us by a link says so in the group: no word to us in private
                keyword = None
        words = f"/{name} {rest}".strip()
    elif group:
        mentioned = bot.unmentioned(words)
        if mentioned is None and not to_us:
            return None
        words = words if mentioned is None else mentioned
    return Inbound(
        event_id=event_id,
        sender=sender,
        recipient=str(bot.id),
        text=words,
        at=at,
        delivery=posted(answered) if to_us else None,
        group=group,
        payload=payload,
        keyword=keyword,
    )


def _is_ours(message: Fields, bot: Bot) -> bool:
    """Whether a message that was answered is one of our posts.

    In a topic every message counts as an answer to the one that opened the topic; that is no answer to us.
    """
    return number(inner(message, "from"), "id") == bot.id and "forum_topic_created" not in message


def _press(query: Fields, bot: Bot, event_id: str, received_at: datetime | None) -> tuple[Event, ...]:
    message = inner(query, "message")
    at = received_at or moment(message, None)
    where, sender, button = place(message), person(inner(query, "from")), pressed(text(query, "data"))
    if at is None or not (where and sender and button):
        return ()
    keyword, delivery = button
    return (
        Inbound(
            event_id=event_id,
            sender=sender,
            recipient=str(bot.id),
            text=keyword,
            at=at,
            button=True,
            delivery=delivery,
            group=where if where.startswith("-") else "",
        ),
    )


def _ourselves(change: Fields, event_id: str, received_at: datetime | None) -> tuple[Event, ...]:
    """We were blocked, let in or put out: https://core.telegram.org/bots/api#chatmemberupdated"""
    at = moment(change, received_at)
    chat, now = inner(change, "chat"), inner(change, "new_chat_member")
    where = number(chat, "id")
    if at is None or not where:
        return ()
    if where > 0:
        blocked = text(now, "status") == ChatMemberStatus.BANNED.value
        return (OptOut(event_id=event_id, address=str(where), at=at),) if blocked else ()
    channel = text(chat, "type") == ChatType.CHANNEL.value
    may, might = _may_write(now, channel), _may_write(inner(change, "old_chat_member"), channel)
    if may == might:
        return ()
    return (
        GroupEvent(
            event_id=event_id,
            group=str(where),
            change=GroupChange.ADDED if may else GroupChange.REMOVED,
            at=at,
            title=text(chat, "title"),
            person=person(inner(change, "from")),
        ),
    )


def _may_write(member: Fields, channel: bool) -> bool:
    """Whether somebody of this standing may write: https://core.telegram.org/bots/api#chatmember"""
    status = text(member, "status")
    if status == ChatMemberStatus.OWNER.value:
        return True
    if status == ChatMemberStatus.ADMINISTRATOR.value:
        return not channel or member.get("can_post_messages") is True
    if status == ChatMemberStatus.RESTRICTED.value:
        return not channel and member.get("is_member") is True and member.get("can_send_messages") is True
    return not channel and status == ChatMemberStatus.MEMBER.value
