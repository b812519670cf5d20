"""Changes of the rules in the reader's language: those that members meet most; the others are said in English."""

from __future__ import annotations

from typing import Any, NamedTuple

from babel.dates import get_day_names

from router.core.catalogue import Translator, gettext_noop
from router.core.policy_directions import Direction, direction_of, name_in
from router.core.policy_words import runs_of
from router.core.quiet_hours_file import week_of
from router.policy_changes.sights import Change
from router.web.page_words import channel_name

SPOKEN = frozenset(
    {
        gettext_noop("a member may be asked {new} a day instead of {old}"),
        gettext_noop("a member may be asked {new} in 7 days instead of {old}"),
        gettext_noop("a member may be asked {new} in 30 days instead of {old}"),
        gettext_noop("a member may be asked again after {new} instead of {old}"),
        gettext_noop("a member may be asked {new} a day by {name} instead of {old}"),
        gettext_noop("a member may be asked {new} in 7 days by {name} instead of {old}"),
        gettext_noop("a member may be asked {new} in 30 days by {name} instead of {old}"),
        gettext_noop("a member may be asked again by {name} after {new} instead of {old}"),
        gettext_noop("a new member may be asked {new} a day instead of {old}"),
        gettext_noop("a new member may be asked {new} in 7 days instead of {old}"),
        gettext_noop("a new member may be asked {new} in 30 days instead of {old}"),
        gettext_noop("we go on asking somebody who never answers for {new} instead of {old}"),
        gettext_noop("a member who wants less may be asked {new} in 7 days instead of {old}"),
        gettext_noop("one organizer alone may ask {new} instead of {old}"),
        gettext_noop("messages by {name} may arrive {new} instead of {old}"),
        gettext_noop("a STOP by {name} silences {new} instead of {old}"),
        gettext_noop("an ask stops itself when {new} of those it reaches by {name} want no more, instead of {old}"),
        gettext_noop("changes like these are announced {new} ahead instead of {old}"),
    }
)
"""What `core.policy_directions` says in these cases. A translation has the unit in it and bare numbers in its holes."""


class Said(NamedTuple):
    """A sentence and its language."""

    words: str
    language: str


def say_change(speak: Translator, change: Change) -> Said:
    """What a change means to a member, with a capital and a full stop."""
    direction = direction_of(change.rule)
    words, language = change.sentence, "en"
    is_spoken = direction is not None and direction.says in SPOKEN and speak.knows(direction.says)
    if direction and is_spoken and speak.language != "en" and None not in (change.old, change.new):
        words, language = _in_own(speak, change, direction), speak.language
    return Said(f"{words[:1].upper()}{words[1:]}.", language)


def _in_own(speak: Translator, change: Change, direction: Direction) -> str:
    return speak.gettext(direction.says).format(
        new=_value(speak, direction.unit, change.new),
        old=_value(speak, direction.unit, change.old),
        name=_name(speak, name_in(change.rule)),
    )


def _value(speak: Translator, unit: str, value: Any) -> str:
    match unit:
        case "share":
            return f"{speak.number(value * 100)}%"  # half a percent is not none
        case "channels":
            return speak.listed(_name(speak, one) for one in value)
        case "week":
            return _week(speak, value)
        case _:
            return speak.number(value)


def _week(speak: Translator, days: Any) -> str:
    names = get_day_names("abbreviated", locale=speak.language)
    closed = speak.gettext("closed")
    said = []
    for hours, run in runs_of(week_of(days)):
        first, last = names[run[0]], names[run[-1]]
        said.append(f"{first if first == last else f'{first}–{last}'} {hours or closed}")
    return speak.listed(said)


def _name(speak: Translator, channel: str) -> str:
    if channel == "default":
        return speak.gettext("any other channel")
    if channel == "push":
        return speak.gettext("notification")
    return channel_name(speak, channel)
