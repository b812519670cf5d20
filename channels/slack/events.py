"""What Slack tells us → our events. The same payloads come by webhook and over a socket. Pure.

Events API: https://docs.slack.dev/apis/events-api · pressed buttons:
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload · slash commands:
https://docs.slack.dev/interactivity/implementing-slash-commands
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from router.core.channel import Event, GroupChange, GroupEvent, Inbound
from router.core.model import DeliveryRef

Payload = Mapping[str, Any]

OWN_COMMAND = "/outreach"
"""The command that only says for whom the words are: ``/outreach stop`` is ``/stop``."""

SUBTYPES = frozenset({"", "file_share", "me_message"})
"""Messages of people. Others are edits, bots' messages and Slack's own notes:
https://docs.slack.dev/reference/events/message#subtypes"""

GROUP_CHANGES: Mapping[str, GroupChange] = {
    # https://docs.slack.dev/reference/events; `group_` events are those of private channels.
    "channel_left": GroupChange.REMOVED,  # it is always we who left
    "group_left": GroupChange.REMOVED,
    "channel_archive": GroupChange.REMOVED,
    "group_archive": GroupChange.REMOVED,
    "channel_deleted": GroupChange.REMOVED,
    "group_deleted": GroupChange.REMOVED,
    "channel_unarchive": GroupChange.ADDED,
    "group_unarchive": GroupChange.ADDED,
}

_PERSON = re.compile(r"[UW][A-Z0-9]{1,30}")
_GROUP = re.compile(r"[CG][A-Z0-9]{1,30}")
_MARK = re.compile(r"<([^<>]*)>")
_MENTION = re.compile(r"\A\s*<@[UW][A-Z0-9]+(?:\|[^<>]*)?>[\s:,]*|\s*<@[UW][A-Z0-9]+(?:\|[^<>]*)?>\s*\Z")


def events_of(payload: Payload, at: datetime) -> tuple[Event, ...]:
    """The events in one payload that came in at `at`. Anything unknown gives none."""
    match payload.get("type"):
        case "event_callback":
            event = _callback(payload, at)
            return () if event is None else (event,)
        case "block_actions":
            return _pressed(payload, at)
    command = _command(payload, at)
    return () if command is None else (command,)


def team_of(payload: Payload) -> str:
    """The workspace in which our app was addressed; "" where the payload belongs to none."""
    authorization = _first(payload.get("authorizations"))
    team = payload.get("team")
    return _text(authorization.get("team_id")) or _text(payload.get("team_id")) or _text(_map(team).get("id"))


def plain(text: str) -> str:
    """Words as a person typed them, without Slack's marks.

    https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages
    """
    words = _MARK.sub(lambda found: _unmarked(found.group(1)), text)
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _unmarked(mark: str) -> str:
    inside, _, label = mark.partition("|")
    if inside.startswith(("@", "#", "!")):
        sign = "@" if inside.startswith("!") else inside[0]
        return sign + (label or inside[1:]).lstrip("@#")
    return f"{label} ({inside})" if label and label not in inside else label or inside


def _callback(payload: Payload, at: datetime) -> Event | None:
    event, event_id = _map(payload.get("event")), _text(payload.get("event_id"))
    if not event_id:
        return None
    at = _moment(payload.get("event_time"), at)
    kind = _text(event.get("type"))
    if kind in ("message", "app_mention"):
        return _written(payload, event, event_id, at)
    if kind == "channel_id_changed":
        old, new = _known(_GROUP, event.get("old_channel_id")), _known(_GROUP, event.get("new_channel_id"))
        moved = GroupEvent(event_id=event_id, group=old, change=GroupChange.MOVED, at=at, moved_to=new)
        return moved if old and new else None
    group = _known(_GROUP, event.get("channel"))
    if not group:
        return None
    if kind in ("member_joined_channel", "member_left_channel"):
        return _came_or_went(payload, event, group, at)
    change = GROUP_CHANGES.get(kind)
    return None if change is None else GroupEvent(event_id=event_id, group=group, change=change, at=at)


def _written(payload: Payload, event: Payload, event_id: str, at: datetime) -> Inbound | None:
    """A direct message, or one that mentions us in a channel.

    What else is said in channels is none of our business, even where a scope lets us hear it.
    """
    sender = _known(_PERSON, event.get("user"))
    if not sender or event.get("bot_id") or sender in _us(payload) or _text(event.get("subtype")) not in SUBTYPES:
        return None
    text, group = _text(event.get("text")), ""
    if event.get("type") == "app_mention":
        text, group = _MENTION.sub("", text), _known(_GROUP, event.get("channel"))
        if not group:
            return None
    elif event.get("channel_type") not in ("im", "app_home"):
        return None
    return Inbound(event_id=event_id, sender=sender, recipient=_app(payload), text=plain(text), at=at, group=group)


def _came_or_went(payload: Payload, event: Payload, group: str, at: datetime) -> GroupEvent | None:
    person = _known(_PERSON, event.get("user"))
    came = event.get("type") == "member_joined_channel"
    if not person:
        return None
    change = GroupChange.JOINED if came else GroupChange.LEFT
    if person in _us(payload):
        change = GroupChange.ADDED if came else GroupChange.REMOVED
        person = _known(_PERSON, event.get("inviter")) if came else ""
    return GroupEvent(event_id=_text(payload.get("event_id")), group=group, change=change, at=at, person=person)


def _pressed(payload: Payload, at: datetime) -> tuple[Event, ...]:
    """Buttons of ours that somebody pressed; Slack sends one at a time."""
    sender = _known(_PERSON, _map(payload.get("user")).get("id"))
    place = _map(payload.get("channel")).get("id") or _map(payload.get("container")).get("channel_id")
    trigger = _text(payload.get("trigger_id"))
    actions = payload.get("actions")
    events = []
    for number, item in enumerate(actions[:25] if isinstance(actions, list) else ()):
        action = _map(item)
        keyword, _, name = _text(action.get("value")).rpartition("|")
        when = _text(action.get("action_ts"))
        event_id = trigger or (when and f"{when}:{sender}")
        try:
            delivery = DeliveryRef.parse(name)
        except ValueError:
            continue
        if sender and keyword and event_id:
            events.append(
                Inbound(
                    event_id=f"{event_id}:{number}" if number else event_id,
                    sender=sender,
                    recipient=_app(payload),
                    text=keyword,
                    at=_moment(when, at),
                    button=True,
                    delivery=delivery,
                    group=_known(_GROUP, place),
                )
            )
    return tuple(events)


def _command(payload: Payload, at: datetime) -> Inbound | None:
    """A slash command: its own word and what follows it, as the person typed them."""
    command, words = _text(payload.get("command")).strip(), plain(_text(payload.get("text")))
    sender, event_id = _known(_PERSON, payload.get("user_id")), _text(payload.get("trigger_id"))
    if not (command.startswith("/") and sender and event_id):
        return None
    if command == OWN_COMMAND and words:
        command, words = "/" + words.removeprefix("/"), ""
    return Inbound(
        event_id=event_id,
        sender=sender,
        recipient=_app(payload),
        text=f"{command} {words}".strip(),
        at=at,
        group=_known(_GROUP, payload.get("channel_id")),
    )


def _us(payload: Payload) -> frozenset[str]:
    """Our bot's user, where the payload tells: https://docs.slack.dev/apis/events-api#authorizations"""
    authorization = _first(payload.get("authorizations"))
    return frozenset({_text(authorization.get("user_id"))}) if authorization.get("is_bot") is True else frozenset()


def _app(payload: Payload) -> str:
    return _text(payload.get("api_app_id"))


def _moment(seconds: object, latest: datetime) -> datetime:
    """A time of Slack's (``1548426417.840180`` or 1548426417), never later than `latest`; else `latest`."""
    try:
        return min(datetime.fromtimestamp(float(str(seconds)), UTC), latest)
    except (ValueError, OverflowError, OSError):
        return latest


def _text(value: object) -> str:
    """A string that any database takes: no NUL, no half of a surrogate pair; "" for anything else."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _known(shape: re.Pattern[str], value: object) -> str:
    """An id of this shape, or ""."""
    return value if isinstance(value, str) and shape.fullmatch(value) else ""


def _map(value: object) -> Payload:
    return value if isinstance(value, dict) else {}


def _first(value: object) -> Payload:
    return _map(value[0]) if isinstance(value, list) and value else {}
