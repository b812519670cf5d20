"""Changes of the rules in the reader's language."""

from __future__ import annotations

from typing import Any, NamedTuple

from router.core.catalogue import Translator
from router.core.policy_directions import Direction, Way, direction_of, name_in
from router.core.quiet_hours_file import week_of
from router.policy_changes.sights import Change
from router.web.page_words import channel_name, week_in


class Said(NamedTuple):
    """A sentence and its language."""

    words: str
    language: str


def say_change(speak: Translator, change: Change) -> Said:
    """What a change means to a member, with a capital and a full stop; in English where nobody has translated it."""
    direction = direction_of(change.rule)
    words, language = change.sentence, "en"
    if direction and speak.language != "en" and speak.knows(direction.says):
        words, language = _in_own(speak, change, direction), speak.language
    return Said(f"{words[:1].upper()}{words[1:]}.", language)


def _in_own(speak: Translator, change: Change, direction: Direction) -> str:
    return speak.gettext(direction.says).format(
        new=_limit(speak, direction, change.after),
        old=_limit(speak, direction, change.before),
        name=_name(speak, direction.unit, name_in(change.rule)),
    )


def _limit(speak: Translator, direction: Direction, value: Any) -> str:
    """A value, or what holds where there is none."""
    if value is not None:
        return _value(speak, direction.unit, value)
    match direction.unit:
        case "week":
            return speak.gettext("at any hour")
        case "money week":
            return speak.gettext("at all hours of other asks")
        case "place":
            return speak.gettext("in the hours that its clocks share")
        case "share":
            return _value(speak, "share", 1)
        case _:
            return _value(speak, "", 0) if direction.looser is Way.LOWER else "∞"


def _value(speak: Translator, unit: str, value: Any) -> str:
    match unit:
        case "share":
            return f"{speak.number(value * 100)}%"  # half a percent is not none
        case "shares":
            return speak.listed(_value(speak, "share", one) for one in value)
        case "channels":
            return speak.listed(_channel(speak, one) for one in value)
        case "week":
            return week_in(speak, week_of(value))
        case "money week":
            said = f"{_value(speak, 'week', value)} ({_value(speak, 'channels', value['channels'])})"
            areas = [f"{area} {_value(speak, 'week', days)}" for area, days in sorted(value.get("areas", {}).items())]
            return "; ".join([said, *areas])
        case "place":
            return f"{value['window']} ({value['zone']})"
        case _:
            return speak.number(value)


def _name(speak: Translator, unit: str, name: str) -> str:
    if unit == "money":
        return name
    if unit == "place":
        return speak.gettext("any other country") if name == "default" else name
    return _channel(speak, name)


def _channel(speak: Translator, name: str) -> str:
    match name:
        case "default":
            return speak.gettext("any other channel")
        case "push":
            return speak.gettext("notification")
        case "call":
            return speak.gettext("telephone")
        case _:
            return channel_name(speak, name)
