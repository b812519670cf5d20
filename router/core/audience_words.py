"""An audience filter in plain English, for those who did not write it."""

from __future__ import annotations

from router.core.audience import (
    Acted,
    And,
    Everyone,
    Filter,
    HasAttribute,
    HasChannel,
    InGroup,
    InPlace,
    Joined,
    Members,
    Not,
    Or,
    Received,
    Speaks,
    Tagged,
)

_FEW = 5
"""So many members are named one by one."""


def say_audience(audience: Filter) -> str:
    """``members who have the tag tenant and who did not act on ask 7``; ``all members``."""
    return "all members" if isinstance(audience, Everyone) else f"members {_who(audience)}"


def _who(part: Filter, inside: bool = False) -> str:
    if isinstance(part, And | Or):
        said = (" and " if isinstance(part, And) else " or ").join(_who(each, True) for each in part.of)
        return f"({said})" if inside and len(part.of) > 1 else said
    if isinstance(part, Not):
        return f"other than those {_who(part.of, True)}"
    return _one(part)


def _one(part: Filter) -> str:
    match part:
        case Everyone():
            return "of any kind"
        case Tagged():
            return f"who have the tag {part.tag}"
        case HasAttribute(equals=None):
            return f"of whom we know {part.name}"
        case HasAttribute():
            return f"whose {part.name} is {part.equals}"
        case Speaks():
            return f"who read {part.locale}"
        case Joined():
            since = f" on or after {part.since}" if part.since else ""
            return f"who joined{since}{' and' if since and part.before else ''}" + (
                f" before {part.before}" if part.before else ""
            )
        case InPlace():
            where = [part.place, part.country, f"postcode {part.postcode}…" if part.postcode else None]
            return f"who live in {', '.join(filter(None, where))}"
        case HasChannel():
            return f"whom we may write to by {part.channel}"
        case InGroup():
            return f"who are in the chat of group {part.group}"
        case Acted():
            return f"who acted on ask {part.campaign}" + (f" ({part.kind})" if part.kind else "")
        case Received():
            which = "" if part.variant is None else f" with the {'second' if part.variant else 'first'} text"
            versions = f" in version {', '.join(map(str, part.versions))}" if part.versions else ""
            return f"who got ask {part.campaign}{which}{versions}"
        case Members():
            named = ", ".join(map(str, part.ids[:_FEW]))
            return f"with the numbers {named}" + (f" and {len(part.ids) - _FEW:,} more" if len(part.ids) > _FEW else "")
    raise AssertionError(f"{part.op} has no words")
