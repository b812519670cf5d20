"""The rules of the house as single values, and whether one of them lets us message more than another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from router.core.policy import Policy, read_policy
from router.core.policy_directions import Absent, Way, direction_of, key_of, name_in, path_of, row_of, with_name
from router.core.quiet_hours import QuietHours
from router.core.quiet_hours_file import Week, common_week, week_of

FILES = ("policy", "quiet_hours")
"""The files whose values these are."""

Values = Mapping[str, Any]
"""key (`core.policy_directions`) → value as TOML has it."""


def values_of(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """All values of the files, by key."""
    found: dict[str, Any] = {}

    def walk(path: tuple[str, ...], node: Any) -> None:
        if isinstance(node, dict) and node and row_of(key_of(path)) is None:
            for name, below in node.items():
                walk((*path, name), below)
        else:
            found[key_of(path)] = node

    for name in FILES:
        walk((name,), files[name])
    return found


def kept(values: Values) -> dict[str, Any]:
    """Those that have a direction: what the ledger keeps."""
    return {key: value for key, value in values.items() if direction_of(key) is not None}


def rules_from(values: Values) -> tuple[Policy, QuietHours]:
    """The rules that all these values make together. Raises `BadInput` where they contradict one another."""
    files: dict[str, Any] = {name: {} for name in FILES}
    for key in sorted(values):
        *above, last = path_of(key)
        node = files
        for part in above:
            node = node.setdefault(part, {})
        node.setdefault(last, {})
        if values[key] != {}:
            node[last] = values[key]
    return read_policy(files["policy"]), QuietHours.from_toml(files["quiet_hours"])


def is_looser(key: str, old: Values, new: Values) -> bool:
    """Whether `new` lets us message more than `old` by this key. False for a key without a direction."""
    direction = direction_of(key)
    if direction is None or old.get(key) == new.get(key):
        return False
    before, after = resolved(key, old), resolved(key, new)
    if _loosens(direction.looser, before, after):
        return True
    if key in new or direction.absent is not Absent.DEFAULT:
        return False
    # A row of its own is given up for the default, which may still be another one than the file says.
    return _loosens(direction.looser, before, old.get(with_name(key, "default")))


def resolved(key: str, values: Values) -> Any:
    """The value that holds for a key; None where nothing limits it."""
    direction = direction_of(key)
    if key in values or direction is None:
        return values.get(key)
    match direction.absent:
        case Absent.DEFAULT:
            return values.get(with_name(key, "default"))
        case Absent.ITSELF:
            return [name_in(key)]
        case Absent.LIMITLESS:
            return None


def _loosens(way: Way, old: Any, new: Any) -> bool:
    if old is None or new is None:
        # Where either has no row, a member's unknown clock follows another rule altogether.
        return way is Way.PLACE or (new is None and old is not None)
    match way:
        case Way.HIGHER:
            return bool(new > old)
        case Way.LOWER:
            return bool(new < old)
        case Way.FEWER:
            return not set(new) >= set(old)
        case Way.HOURS:
            return not _within(week_of(new), week_of(old))
        case Way.MONEY:
            return _frees_money(old, new)
        case Way.PLACE:
            hours = [week_of({"daily": row["window"]}) for row in (new, old)]
            return bool(new["zone"] != old["zone"] or not _within(*hours))
        case Way.OTHER:
            return bool(new != old)


def _frees_money(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether asks for money may arrive at a time, on a channel or in an area in which they might not."""
    if not (set(new["purposes"]) >= set(old["purposes"]) and set(new["channels"]) >= set(old["channels"])):
        return True
    if not _within(week_of(new), week_of(old)):
        return True
    areas, were = new.get("areas", {}), old.get("areas", {})
    return any(area not in areas or not _within(week_of(areas[area]), week_of(were[area])) for area in were)


def _within(week: Week, other: Week) -> bool:
    return common_week([week, other]) == week
