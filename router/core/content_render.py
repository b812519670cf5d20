"""From an ask and a member to the words that leave: fast, because it runs once for every message.

A `Renderer` reads each text of an ask once, fills in what is the same for everybody, and per member only puts
strings together. What members typed themselves is cleaned on the way: no control characters and no line breaks (so no
header injection and no forged line), no web addresses in names (a sign-up form is open to anybody), nothing endless.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import escape

from router.core.ask import Ask, AskButton
from router.core.channel import ChannelSpec, Template
from router.core.content_dates import WORDS
from router.core.content_syntax import (
    ATTRIBUTE,
    ATTRIBUTE_LENGTH,
    MEMBER_LENGTHS,
    REPORTED,
    Piece,
    merged,
    read_template,
    variables,
)
from router.core.errors import BadInput
from router.core.giving import say_sum
from router.core.model import AskKind, Member
from router.core.own_part import EXAMPLE, say_part

CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks of every kind, direction overrides, halves of characters."""
_ADDRESS_IN_NAME: Final = re.compile(r"://|www\.|\w\.\w+/", re.IGNORECASE)
_LINK: Final = re.compile(r"https?://(?:[^\s&]|&amp;)+(?<![.,;:!?)\]])")
"""A web address in escaped HTML; the full stop after it is not part of it."""
_RIGHT_TO_LEFT: Final = frozenset(["ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"])
_MARK: Final = re.compile("\x00(subject|body|unsubscribe_url)\x00")
_MOST_KEPT = 2_000
"""Locales and zones come from imported rows: what is remembered of them must not grow for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What stands under an email in one language."""

    why: str
    """Why you get this; ``{organization}`` stands for the sender."""
    unsubscribe: str
    """What the link to stop is called."""
    door: str
    """What the link to the member's own page is called: the way there is sent to them (``/u/…/door``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTemplates:
    """The files of ``templates/messages``, read by `router.messages`."""

    email_html: str
    footers: Mapping[str, Footer]
    """language → footer; ``en`` is always there."""


class Rendered(NamedTuple):
    """One message in the words that its member reads."""

    text: str
    subject: str
    """"" where the channel has none."""
    html: str
    """"" where the channel has none."""
    locale: str
    """The locale of the text."""
    is_default_locale: bool
    """Whether it is the ask's default because there is no text in the member's own language."""
    template: Template | None = None
    """The approved text that goes out where ours may not."""


BUTTON: Final = "button:"
"""What the value of a template's variable begins with where it is what a button carries."""


def clean(value: object, length: int) -> str:
    """What a member typed, fit for one line of a message: at most `length` characters, no control characters."""
    text = value if isinstance(value, str) else str(value)
    if not text.isprintable():
        text = " ".join(CONTROLS.sub(" ", text).split())
    return text if len(text) <= length else text[:length]


def clean_name(value: str, length: int) -> str:
    """As `clean`; "" for a name with a web address in it, so that ``default`` takes over."""
    if ("/" in value or "." in value) and _ADDRESS_IN_NAME.search(value):
        return ""
    return clean(value, length)


def constants_of(ask: Ask, organization: str) -> dict[str, str]:
    """The variables that are the same for every member."""
    return {"title": clean(ask.title, 200), "organization": clean(organization, 200)}


def with_sender(pieces: tuple[Piece, ...], organization: str) -> tuple[Piece, ...]:
    """A text message must say who sends it (CTIA Messaging Principles): put first where the text does not have it."""
    name = clean(organization, 200)
    said = any(name.casefold() in piece.casefold() for piece in pieces if isinstance(piece, str))
    return pieces if said or not name else merged([f"{name}: ", *pieces])


def zone_of(name: str) -> tzinfo | None:
    """The time zone of that IANA name, None where there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def say_deadline(deadline: datetime, zone: str, locale: str) -> str:
    """``Thu 1 Dec, 18:00`` by the member's own clock; by UTC, and saying so, where their zone is not known."""
    days, months = WORDS.get(locale.partition("-")[0], WORDS["en"])
    at_home = zone_of(zone)
    there = deadline.astimezone(at_home or UTC)
    said = f"{days[there.weekday()]} {there.day} {months[there.month - 1]}, {there:%H:%M}"
    return said if at_home else f"{said} UTC"


def longest_deadline(locale: str) -> int:
    """The most characters that `say_deadline` comes to in this locale."""
    days, months = WORDS.get(locale.partition("-")[0], WORDS["en"])
    return max(map(len, days)) + max(map(len, months)) + len(" 31 , 18:00 UTC")


class _Email(NamedTuple):
    """The HTML of an email and the foot of its text, with everything in place but the member's own part."""

    html: tuple[str, ...]
    """Text, name of a part, text, name of a part, … text."""
    foot: str
    door: str
    """What its last link is called."""


class _Ready(NamedTuple):
    """The words for one locale and channel, read and settled."""

    text: tuple[Piece, ...]
    subject: tuple[Piece, ...]
    locale: str
    is_default_locale: bool
    email: _Email | None
    template: str
    variables: tuple[tuple[str, tuple[Piece, ...]], ...]
    buttons: tuple[AskButton, ...]


class Renderer:
    """Renders one version of an ask. Build it once; `render` is called for every message."""

    def __init__(self, ask: Ask, *, organization: str, postal_address: str, templates: MessageTemplates) -> None:
        self._ask = ask
        self._organization = clean(organization, 200)
        self._postal_address = postal_address
        self._templates = templates
        self._constants = constants_of(ask, organization)
        self._locales = {locale.lower(): locale for locale in ask.texts}
        self._ready: dict[tuple[str, str, int], _Ready] = {}
        self._deadlines: dict[tuple[str, str], str] = {}
        self.reached = 0
        """How far the ask's goal is, for ``{{ total }}``: brought up to date by whoever sends."""

    def render(
        self,
        member: Member,
        channel: str,
        spec: ChannelSpec,
        *,
        link: str,
        unsubscribe_url: str,
        variant: int = 0,
        forward: str = "",
    ) -> Rendered:
        """The message for one member; `link` and `forward` are their own links, to follow and to pass on.

        Raises `BadInput` only for an ask that `check_ask` would have refused.
        """
        ready = self._ready.get((member.locale, channel, variant)) or self._get_ready(
            member.locale, channel, spec, variant
        )
        links = link, forward
        text = self._fill(ready.text, member, links, ready.locale)
        subject = self._fill(ready.subject, member, links, ready.locale) if ready.subject else ""
        if ready.email is None:
            template = self._template(ready, member, links) if ready.template else None
            return Rendered(text, subject, "", ready.locale, ready.is_default_locale, template)
        part = {"subject": str(escape(subject)), "body": to_html(text), "unsubscribe_url": str(escape(unsubscribe_url))}
        html = "".join([part[p] if index % 2 else p for index, p in enumerate(ready.email.html)])
        text = f"{text}{ready.email.foot}{unsubscribe_url}\n{ready.email.door}: {unsubscribe_url}/door\n"
        return Rendered(text, subject, html, ready.locale, ready.is_default_locale)

    def buttons(self, member: Member, channel: str, spec: ChannelSpec, variant: int = 0) -> tuple[AskButton, ...]:
        """The buttons under this member's message, no more than the channel has."""
        ready = self._ready.get((member.locale, channel, variant)) or self._get_ready(
            member.locale, channel, spec, variant
        )
        return ready.buttons

    @property
    def shows_total(self) -> bool:
        """Whether any of the ask's texts says how far its goal is."""
        return self._ask.goal is not None and self._shows("total")

    @property
    def shows_forward(self) -> bool:
        """Whether any of the ask's texts holds a link to pass on."""
        return self._shows("forward")

    def _shows(self, variable: str) -> bool:
        return any(
            variable in variables(read_template(source, place)[0])
            for place, _, _, words in self._ask.every_text()
            for source in (words.text, words.subject, *words.variables.values())
        )

    def variables(self, locale: str, channel: str, spec: ChannelSpec, variant: int = 0) -> frozenset[str]:
        """What the text for members of this locale takes from the member (their links are everybody's own, too)."""
        ready = self._ready.get((locale, channel, variant)) or self._get_ready(locale, channel, spec, variant)
        return frozenset(piece.variable for piece in ready.text if not isinstance(piece, str))

    def _template(self, ready: _Ready, member: Member, links: tuple[str, str]) -> Template:
        values = {name: self._fill(pieces, member, links, ready.locale) for name, pieces in ready.variables}
        return Template(id=ready.template, variables=values)

    def has_words(self, locale: str, channel: str) -> bool:
        """Whether there is a text for members of this locale on this channel."""
        return self._ask.words(self._closest(locale), channel) is not None

    def _fill(self, pieces: tuple[Piece, ...], member: Member, links: tuple[str, str], locale: str) -> str:
        shown = []
        for piece in pieces:
            if isinstance(piece, str):
                shown.append(piece)
            else:
                value = self._value(piece.variable, member, links, locale)
                shown.append(piece.apply(value) if piece.filters else value)
        return "".join(shown)

    def _value(self, variable: str, member: Member, links: tuple[str, str], locale: str) -> str:
        if variable == "first_name":
            if member.is_group:  # a chat is greeted like somebody whose name we do not know
                return ""
            return clean_name(member.first_name, MEMBER_LENGTHS["first_name"])
        if variable == "link":
            return links[0]
        if variable == "forward":
            return links[1]
        if variable == "last_name":
            return clean_name(member.last_name, MEMBER_LENGTHS["last_name"])
        if variable == "place":
            return clean_name(member.place, MEMBER_LENGTHS["place"])
        if variable == "total":
            return say_sum(self.reached, self._ask.goal.currency if self._ask.goal else "", locale)
        if variable == "deadline":
            return self._deadlines.get((member.zone, locale)) or self._deadline(member.zone, locale)
        if variable in REPORTED:
            return say_part(variable, member.part or EXAMPLE, locale)
        return clean(member.attributes.get(variable.removeprefix(f"{ATTRIBUTE}."), ""), ATTRIBUTE_LENGTH)

    def _deadline(self, zone: str, locale: str) -> str:
        if self._ask.deadline is None:
            return ""
        if len(self._deadlines) >= _MOST_KEPT:
            self._deadlines.clear()
        said = self._deadlines[zone, locale] = say_deadline(self._ask.deadline, zone, locale)
        return said

    def _closest(self, locale: str) -> str:
        """The ask's own spelling of a locale, or of the nearest wider one that it has; else the locale as it is."""
        wanted = locale.replace("_", "-").lower()
        while wanted:
            if wanted in self._locales:
                return self._locales[wanted]
            wanted = wanted.rpartition("-")[0]
        return locale

    def _get_ready(self, locale: str, channel: str, spec: ChannelSpec, variant: int = 0) -> _Ready:
        found = self._ask.words(self._closest(locale), channel, variant)
        if found is None:
            raise BadInput(f"there is no text for {channel}", place=f"texts.{self._ask.default_locale}")
        own, words = found
        pieces = self._read(words.text, f"texts.{own}.{channel}.text")
        subject: tuple[Piece, ...] = ()
        if spec.counts_segments:
            pieces = with_sender(pieces, self._organization)
        if spec.subject:
            subject = self._read(words.subject or "{{ title }}", f"texts.{own}.{channel}.subject")
            subject = tuple(CONTROLS.sub(" ", piece) if isinstance(piece, str) else piece for piece in subject)
        is_default = own == self._ask.default_locale and _language(own) != _language(locale)
        if len(self._ready) >= _MOST_KEPT:
            self._ready.clear()
        picture = self._ask.picture
        if picture is not None and not spec.media:
            pieces = merged([*pieces, f"\n{picture.url}"])
        variables: tuple[tuple[str, tuple[Piece, ...]], ...] = ()
        if spec.templates and words.template:
            place = f"texts.{own}.{channel}.variables"
            variables = tuple(
                (name, self._read(value, f"{place}.{name}")) for name, value in sorted(words.variables.items())
            )
        ready = _Ready(
            text=pieces,
            subject=subject,
            locale=own,
            is_default_locale=is_default,
            email=self._email(own) if spec.html else None,
            template=words.template if spec.templates else "",
            variables=variables,
            buttons=words.buttons[: spec.buttons],
        )
        self._ready[locale, channel, variant] = ready
        return ready

    def _read(self, source: str, place: str) -> tuple[Piece, ...]:
        pieces, problems = read_template(source, place, reports=self._ask.kind is AskKind.REPORT_BACK)
        if problems:
            raise problems[0]
        return merged(pieces, self._constants)

    def _email(self, locale: str) -> _Email:
        footer = self._templates.footers.get(_language(locale)) or self._templates.footers["en"]
        why = footer.why.replace("{organization}", self._organization)
        lines = [self._organization, *self._postal_address.splitlines(), "", why]
        foot = "\n\n-- \n" + "\n".join(lines) + f"\n{footer.unsubscribe}: "
        html = _page(self._templates.email_html, locale, self._organization, self._postal_address, why, footer)
        return _Email(html, foot, footer.door)


def to_html(text: str) -> str:
    """A message's text as HTML: escaped, web addresses clickable, empty lines between paragraphs."""
    linked = _LINK.sub(r'<a href="\g<0>">\g<0></a>', str(escape(text.strip("\n"))))
    paragraphs = linked.replace("\n", "<br>\n").replace("<br>\n<br>\n", '</p>\n<p style="margin:0 0 16px">')
    return f'<p style="margin:0 0 16px">{paragraphs}</p>'


def _language(locale: str) -> str:
    return locale.replace("_", "-").partition("-")[0].lower()


def _page(
    source: str, locale: str, organization: str, postal_address: str, why: str, footer: Footer
) -> tuple[str, ...]:
    """``email.html`` rendered once, cut where each member's own parts go."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
    page = environment.from_string(source).render(
        lang=locale,
        dir="rtl" if _language(locale) in _RIGHT_TO_LEFT else "ltr",
        organization=organization,
        postal_address=[clean(line, 200) for line in postal_address.splitlines()],
        why=why,
        unsubscribe=footer.unsubscribe,
        door=footer.door,
        **{name: f"\x00{name}\x00" for name in ("subject", "body", "unsubscribe_url")},
    )
    return tuple(_MARK.split(page))
