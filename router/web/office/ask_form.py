"""An ask as the fields of a form, and back. Each text's fields are named by its place: ``texts.en.sms.text``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from router.core.ask import ANY_CHANNEL, LOCALE, Ask, Text
from router.core.audience import Everyone, Filter
from router.core.errors import BadInput
from router.web.office import form_values as values

Fields = dict[str, str]
"""Name → what stands in the box, line breaks as ``\\n``."""

PARTS: Final = ("text", "subject", "buttons", "template", "variables")
"""The boxes of one text."""
MOST_PLACES = 60
"""So many texts one form may have."""
SWITCHES: Final = ("urgent", "tonight", "alert", "paced", "stop_at_goal")
REST: Final = (
    "waterfall", "keywords", "gathering", "follows", "asks_permission", "hold_out", "about_versions",
)  # fmt: skip
"""What has no box of its own: written as JSON, by those who need it."""
BOXES: Final = (
    "title", "kind", "wants", "about", "default_locale", "link", "picture.url", "picture.alt", "starts", "starts_on",
    "deadline", "zone", "priority", "purpose", "goal.measure", "goal.target", "goal.currency", "goal.places",
    "spend_limit.amount", "spend_limit.currency", "groups", "channels", "rest", *SWITCHES,
)  # fmt: skip

_PLACE = re.compile(rf"(?P<place>(texts|second)\.({LOCALE[1:-1]})\.([a-z0-9_]{{1,20}}))\.({'|'.join(PARTS)})")
_AT: Final[Mapping[str, str]] = {
    "goal": "goal.measure", "picture": "picture.url", "spend_limit": "spend_limit.amount", "starts_at": "starts_on",
    "starts_at_local": "starts_on", **dict.fromkeys(REST, "rest"),
}  # fmt: skip
"""Part of an ask → the box beside which what is wrong with it is said."""
_PATTERNS: Final[Mapping[str, str]] = {
    "link": "write a whole web address, as in https://example.org/page",
    "picture.url": "write a whole web address, as in https://example.org/picture.jpg",
    "goal.measure": "write it in small letters: yes, signed, gave, called, came, hosted",
    "goal.currency": "write three capital letters, such as EUR",
    "spend_limit.currency": "write three capital letters, such as USD",
    "default_locale": "write a language as in en or pt-BR",
}


class WrongFields(Exception):
    """A form that cannot be an ask yet: box → what to do, "" for what concerns several."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("; ".join(wrong))
        self.wrong = dict(wrong)


def blank(locale: str = "en") -> Fields:
    """A new ask, before anything is written."""
    return dict.fromkeys(BOXES, "") | {
        "kind": "ask", "wants": "custom", "purpose": "general", "default_locale": locale, "starts": "now",
        "zone": "UTC", "priority": "0", f"texts.{locale}.{ANY_CHANNEL}.text": "",
    }  # fmt: skip


def fields_of(ask: Ask) -> Fields:
    """An ask as it stands in its form."""
    goal, spend, document = ask.goal, ask.spend_limit, ask.model_dump(mode="json", exclude_defaults=True)
    rest = {name: document[name] for name in REST if name in document}
    fields = blank(ask.default_locale) | {
        "title": ask.title, "kind": ask.kind.value, "wants": ask.wants.value, "purpose": ask.purpose.value,
        "about": "" if ask.about is None else str(ask.about), "link": ask.link, "priority": str(ask.priority),
        "picture.url": ask.picture.url if ask.picture else "", "picture.alt": ask.picture.alt if ask.picture else "",
        "starts": "at" if ask.starts_at else "local" if ask.starts_at_local else "now",
        "starts_on": values.say_moment(ask.starts_at or ask.starts_at_local),
        "deadline": values.say_moment(ask.deadline), "goal.measure": goal.measure if goal else "",
        "goal.target": str(goal.target) if goal and goal.target else "",
        "goal.currency": goal.currency if goal else "",
        "goal.places": values.say_lines(goal.places) if goal else "",
        "spend_limit.amount": values.say_amount(spend.amount) if spend else "",
        "spend_limit.currency": spend.currency if spend else "",
        "groups": values.say_words(ask.groups), "channels": values.say_words(ask.channels),
        "rest": json.dumps(rest, indent=2, ensure_ascii=False) if rest else "",
        **{name: "yes" if getattr(ask, name) else "" for name in SWITCHES},
    }  # fmt: skip
    del fields[f"texts.{ask.default_locale}.{ANY_CHANNEL}.text"]
    for place, _, _, words in ask.every_text():
        fields |= _boxes(place, words)
    return fields


def fields_in(form: Mapping[str, list[str]]) -> Fields:
    """The boxes of an ask among those of a form that came in."""
    found = dict.fromkeys(BOXES, "")
    for name, given in form.items():
        if name in found or _PLACE.fullmatch(name):
            kept = given if name == "channels" else given[:1]
            text = "\n".join(kept).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
            found[name] = text if name.endswith(".text") else text.strip()
    return found


def places_in(fields: Fields) -> list[str]:
    """The places of the texts, in their order: ``texts.en.default``."""
    return list(dict.fromkeys(found["place"] for name in fields if (found := _PLACE.fullmatch(name))))


def add_place(fields: Fields, part: str, locale: str, channel: str = ANY_CHANNEL) -> None:
    """Boxes for one more text. Raises `BadInput`."""
    name = f"{part}.{locale}.{channel}.text"
    if not _PLACE.fullmatch(name):
        raise BadInput("write a language as in en, es or pt-BR", place="new_locale")
    if len(places_in(fields)) >= MOST_PLACES:
        raise BadInput(f"an ask has at most {MOST_PLACES} texts here", place="new_locale")
    fields.setdefault(name, "")


def drop_place(fields: Fields, place: str) -> None:
    """Take a text out."""
    for name in [name for name in fields if name.startswith(f"{place}.")]:
        del fields[name]


def ask_of(fields: Fields, *, audience: Filter | None = None) -> Ask:
    """The ask that a form's fields make, for `audience`. Raises `WrongFields`."""
    wrong: dict[str, str] = {}

    def read(name: str, reader: Callable[[str], Any], empty: Any = None) -> Any:
        try:
            return reader(fields.get(name, "")) if fields.get(name, "").strip() else empty
        except BadInput as error:
            wrong.setdefault(error.place or name, values.as_sentence(error.sentence))
            return empty

    def moment(name: str) -> datetime | None:
        found: datetime | None = read(name, lambda text: values.read_moment_at(text, fields["zone"]))
        return found

    document: dict[str, Any] = {
        "title": fields["title"], "kind": fields["kind"] or "ask", "wants": fields["wants"] or "custom",
        "purpose": fields["purpose"] or "general", "default_locale": fields["default_locale"],
        "about": read("about", values.read_whole), "link": fields["link"],
        "priority": read("priority", values.read_whole, 0), "deadline": moment("deadline"),
        "groups": values.read_words(fields["groups"]), "channels": values.read_words(fields["channels"]),
        "audience": (audience or Everyone()).model_dump(),
        **{name: bool(fields[name]) for name in SWITCHES}, **read("rest", _rest, {}),
    }  # fmt: skip
    if fields["starts"] == "at":
        document["starts_at"] = moment("starts_on")
    if fields["starts"] == "local":
        document["starts_at_local"] = read("starts_on", values.read_moment)
    if fields["starts"] in ("at", "local") and not fields["starts_on"]:
        wrong["starts_on"] = "Say when, or choose to start at once."
    if fields["picture.url"] or fields["picture.alt"]:
        document["picture"] = {"url": fields["picture.url"], "alt": fields["picture.alt"]}
    if fields["spend_limit.amount"]:
        document["spend_limit"] = {
            "amount": read("spend_limit.amount", values.read_amount, 1),
            "currency": fields["spend_limit.currency"] or "USD",
        }
    if any(fields[name] for name in BOXES if name.startswith("goal.")):
        document["goal"] = {
            "measure": fields["goal.measure"], "target": read("goal.target", values.read_whole),
            "currency": fields["goal.currency"], "places": read("goal.places", _targets, {}),
        }  # fmt: skip
    document |= {"texts": {}, "second": {}}
    for place in places_in(fields):
        part, locale, channel = place.split(".")
        document[part].setdefault(locale, {})[channel] = {
            "text": fields.get(f"{place}.text", ""), "subject": fields.get(f"{place}.subject", ""),
            "template": fields.get(f"{place}.template", ""),
            "buttons": read(f"{place}.buttons", values.read_buttons, []),
            "variables": read(f"{place}.variables", values.read_lines, {}),
        }  # fmt: skip
    if wrong:
        raise WrongFields(wrong)
    try:
        return Ask.model_validate(document)
    except ValidationError as error:
        found: dict[str, str] = {}
        for one in error.errors(include_url=False, include_input=False):
            name = box_of([str(part) for part in one["loc"]], fields)
            found.setdefault(
                name, values.as_sentence(_PATTERNS.get(name, "") if _misfits(one["type"]) else "") or _say(one)
            )
        raise WrongFields(found) from None


def beside(error: BadInput, fields: Iterable[str]) -> dict[str, str]:
    """What the program says of an ask, at the box that it speaks of."""
    place, _, where = error.place.partition(", ")
    name = box_of(place.split("."), fields)
    told = f"{where[:1].upper()}{where[1:]}: {error.sentence}" if where else error.sentence
    return {name: values.as_sentence(told if name else f"{place}: {told}" if place else told)}


def box_of(place: list[str], fields: Iterable[str]) -> str:
    """The box at which something is said of this place in an ask; "" where it has none."""
    known = set(fields)
    for end in range(len(place), 0, -1):
        name = ".".join(place[:end])
        name = _AT.get(name, name)
        if name in known:
            return name
        if f"{name}.text" in known:
            return f"{name}.text"
    return next((name for name in known if name.startswith(f"{place[0]}.{place[1]}.")), "") if len(place) > 1 else ""


def _boxes(place: str, words: Text) -> Fields:
    return {
        f"{place}.text": words.text.replace("\r\n", "\n"), f"{place}.subject": words.subject,
        f"{place}.buttons": values.say_buttons(words.buttons), f"{place}.template": words.template,
        f"{place}.variables": values.say_lines(words.variables),
    }  # fmt: skip


def _rest(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput('is no JSON; write it as in {"keywords": ["RENT"]}') from None
    if not isinstance(found, dict) or (unknown := next((name for name in found if name not in REST), "")):
        named = f"; {unknown[:40]} is not among them" if isinstance(found, dict) else ""
        raise BadInput(f"takes {', '.join(REST)}{named}")
    return found


def _targets(text: str) -> dict[str, int]:
    return {name: values.read_whole(target) or 0 for name, target in values.read_lines(text).items()}


def _misfits(kind: str) -> bool:
    return kind in ("string_pattern_mismatch", "string_too_short", "missing")


def _say(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "string_too_short" | "missing":
            return "Write something here, or take it out."
        case "string_too_long" | "too_long":
            return f"At most {error['ctx']['max_length']:,}, please; this is more."
        case "string_pattern_mismatch":
            return "This cannot be written so; see the hint."
        case _:
            return values.as_sentence(str(error["msg"]).removeprefix("Value error, ").removeprefix("Input "))
