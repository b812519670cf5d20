"""What a change of the rules means, in the words of those whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from router.core.policy_directions import Way, direction_of, name_in
from router.core.policy_values import Values, resolved
from router.core.quiet_hours_file import Week, week_of

CHANNELS: Mapping[str, str] = {
    "sms": "text message", "email": "email", "whatsapp": "WhatsApp", "telegram": "Telegram", "slack": "Slack",
    "push": "notification", "webpush": "notification in the browser", "fcm": "notification of our app",
    "default": "any other channel", "call": "telephone",
}  # fmt: skip

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TIMES = {0: "never", 1: "once", 2: "twice"}


def sentence_of(key: str, old: Values, new: Values) -> str:
    """What becomes of a member when `new` holds instead of `old` at `key`, without a full stop and in English.

    ``a member may be asked 3 times in 7 days instead of twice``
    """
    direction = direction_of(key)
    if direction is None:
        raise ValueError(f"{key} has no direction")
    before, after = limits_of(key, old, new)
    say, name = UNITS[direction.unit], _name(direction.unit, name_in(key))
    return direction.says.format_map({"new": say(after), "old": say(before), "name": name})


def limits_of(key: str, old: Values, new: Values) -> tuple[Any, Any]:
    """The values that hold at `key` before and after; None where nothing limits it.

    Of the hours of asks for money only those areas that change.
    """
    before, after = resolved(key, old), resolved(key, new)
    direction = direction_of(key)
    if direction and direction.looser is Way.MONEY and before and after:
        return _without_common_areas(before, after), _without_common_areas(after, before)
    return before, after


def short(value: Any) -> str:
    """A value in a notice: as it stands in the file, but no longer than a line."""
    words = "none" if value is None else str(value)
    return words if len(words) <= 60 else f"{words[:59]}…"


def week_in_words(week: Week) -> str:
    """``Monday to Friday 09:00-20:30, Saturday 10:00-20:00, never on Sunday``"""
    runs = runs_of(week)
    if len(runs) == 1:
        return f"every day {runs[0][0]}"
    return ", ".join(f"{_span(days)} {hours}" if hours else f"never on {_span(days)}" for hours, days in runs)


def runs_of(week: Week) -> list[tuple[str, list[int]]]:
    """Days in a row with the same hours: ``("09:00-20:00", [0, 1, 2, 3, 4])``, ``""`` where they are closed."""
    return [("" if hours is None else _clock(hours), list(days)) for hours, days in groupby(range(7), week.__getitem__)]


def _span(days: Sequence[int]) -> str:
    first, last = _DAYS[days[0]], _DAYS[days[-1]]
    return first if len(days) == 1 else f"{first} {'and' if len(days) == 2 else 'to'} {last}"


def _clock(hours: tuple[int, int]) -> str:
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in hours)


def _counted(one: str, more: str, none: str = "any number of {}") -> Callable[[Any], str]:
    def say(value: Any) -> str:
        if value is None:
            return none.format(more)
        return f"{value:,} {one if value == 1 else more}"

    return say


def _often(value: Any) -> str:
    return "any number of times" if value is None else _TIMES.get(value, f"{value:,} times")


def _share(value: Any) -> str:
    return "any share" if value is None else f"{value * 100:.4g} %"


def _fold(value: Any) -> str:
    return _TIMES.get(value, f"{value} times")


def _money(value: Any) -> str:
    return "any sum of" if value is None else f"{value:,.2f}"


def _name(unit: str, name: str) -> str:
    if unit == "place":
        return "any other country" if name == "default" else name
    return CHANNELS.get(name, name)


def _names(value: Any) -> str:
    return " and ".join(CHANNELS.get(name, name) for name in value or ()) or "nothing"


def _money_week(value: Any) -> str:
    """The hours of asks for money, with their areas: those are most of the table."""
    if value is None:
        return "at all hours of other asks"
    said = f"{week_in_words(week_of(value))} by {_names(value['channels'])}"
    areas = [f"{area} {week_in_words(week_of(days))}" for area, days in sorted(value.get("areas", {}).items())]
    return f"{said} ({'; '.join(areas)})" if areas else said


def _without_common_areas(rules: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Only the areas that change are worth a word."""
    were = other.get("areas", {})
    areas = {area: days for area, days in rules.get("areas", {}).items() if were.get(area) != days}
    return {**rules, "areas": areas}


def _place(value: Any) -> str:
    if value is None:
        return "in the hours that its clocks share"
    return f"{value['window']} by the clock of {value['zone']}"


UNITS: Mapping[str, Callable[[Any], str]] = {
    "": str,
    "times": _often,
    "fold": _fold,
    "share": _share,
    "shares": lambda value: ", then ".join(map(_share, value)),
    "money": _money,
    "hours": _counted("hour", "hours", "no time"),
    "days": _counted("day", "days"),
    "minutes": _counted("minute", "minutes"),
    "seconds": _counted("second", "seconds"),
    "people": _counted("person", "people"),
    "asks": _counted("ask", "asks"),
    "messages": _counted("message", "messages"),
    "failures": _counted("failure", "failures"),
    "talks": _counted("conversation", "conversations"),
    "ideas": _counted("idea", "ideas"),
    "reports": _counted("report", "reports"),
    "objections": _counted("objection", "objections"),
    "seconds of members": _counted("second of a member", "seconds of members"),
    "channels": _names,
    "week": lambda value: "at any hour" if value is None else week_in_words(week_of(value)),
    "money week": _money_week,
    "place": _place,
}
"""How the values of each unit are said; None is where there is no limit."""
