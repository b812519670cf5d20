"""What can be wrong with an ask's words, found when it is saved: nothing of it is left to be found at send time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from router.core.ask import ANY_CHANNEL, Ask
from router.core.channel import ChannelSpec
from router.core.content_render import CONTROLS, constants_of, longest_deadline, with_sender
from router.core.content_syntax import (
    ATTRIBUTE,
    Piece,
    fill,
    longest,
    merged,
    read_template,
    variables,
)
from router.core.errors import BadInput
from router.core.giving import LONGEST_SUM
from router.core.model import AskKind, Member

SHORTENERS: Final = frozenset(
    [
        "adf.ly",
        "bit.do",
        "bit.ly",
        "bitly.com",
        "bl.ink",
        "buff.ly",
        "clck.ru",
        "cutt.ly",
        "dlvr.it",
        "fb.me",
        "goo.gl",
        "goo.su",
        "ht.ly",
        "ift.tt",
        "is.gd",
        "j.mp",
        "lnkd.in",
        "mcaf.ee",
        "n9.cl",
        "ow.ly",
        "qr.ae",
        "rb.gy",
        "rebrand.ly",
        "s.id",
        "short.gy",
        "short.io",
        "shorte.st",
        "shorturl.at",
        "snip.ly",
        "soo.gd",
        "surl.li",
        "t.co",
        "t.ly",
        "t2m.io",
        "tiny.cc",
        "tiny.one",
        "tinyurl.com",
        "tr.im",
        "trib.al",
        "u.to",
        "urlz.fr",
        "v.gd",
        "wp.me",
        "x.co",
    ]
)
"""Public link shorteners: carriers filter messages that have one (FACTS.md 2.1, twilio-compliance-traffic)."""

LONGEST_LINK = "https://" + "x" * 80
"""Stands for a personal link where the caller does not say how long ours are."""

_LINKED = {"link": "x", "forward": "x", "deadline": "x", "total": "x"}
"""Variables that no member fills."""

_CONTROLS_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_HOST_LIKE = re.compile(r"[a-z0-9.-]+")


def check_ask(ask: Ask, specs: Mapping[str, ChannelSpec], *, organization: str = "", link: str = LONGEST_LINK) -> None:
    """Raise the first of `find_problems`."""
    for problem in find_problems(ask, specs, organization=organization, link=link):
        raise problem


def find_problems(
    ask: Ask, specs: Mapping[str, ChannelSpec], *, organization: str = "", link: str = LONGEST_LINK
) -> list[BadInput]:
    """Everything that keeps an ask from being sent, each with its place (``texts.en.sms.text, line 2 column 5``).

    `specs` are the channels that exist here; `link` is a personal link of ours at its longest.
    """
    problems = [*_of_title(ask), *_of_deadline(ask), *_of_link(ask), *_of_channels(ask, specs), *_of_templates(ask)]
    for place, locale, key, words in ask.every_text():
        pieces, found = _read(ask, words.text, f"{place}.text")
        _, in_subject = _read(ask, words.subject, f"{place}.subject", is_subject=True)
        problems += found + in_subject
        if not found:
            reached = [specs[name] for name in _channels_reading(ask, specs, place, locale, key)]
            problems += _of_size(ask, pieces, reached, locale, place, organization, link)
    return problems


def sample_member(ask: Ask, locale: str = "") -> Member:
    """Somebody with long names and every attribute that the ask speaks of, to show a rendering without a member."""
    names = {
        variable.removeprefix(f"{ATTRIBUTE}.")
        for _, _, _, words in ask.every_text()
        for source in (words.text, words.subject)
        for variable in variables(read_template(source, "", reports=True)[0])
        if variable.startswith(f"{ATTRIBUTE}.")
    }
    return Member(
        id=0,
        first_name="Wilhelmina-Alexandra",
        last_name="Featherstonehaugh-Li",
        locale=locale or ask.default_locale,
        zone="UTC",
        place="Newcastle upon Tyne",
        attributes={name: f"({name.replace('_', ' ')})" for name in sorted(names)},
    )


def shorteners_in(text: str) -> list[str]:
    """The public link shorteners that a text names, in the order of their appearance."""
    hosts = (found.strip(".-") for found in _HOST_LIKE.findall(unicodedata.normalize("NFKC", text).lower()))
    return [shortener for host in hosts if (shortener := _shortener(host))]


def _shortener(host: str) -> str:
    two = ".".join(host.split(".")[-2:])
    return two if two in SHORTENERS else ""


def _of_title(ask: Ask) -> Iterator[BadInput]:
    if not ask.title.strip():
        yield BadInput("give it a title", place="title")
    if CONTROLS.search(ask.title):
        yield BadInput("holds a control character or a line break", place="title")


def _of_deadline(ask: Ask) -> Iterator[BadInput]:
    if ask.deadline and not 2000 <= ask.deadline.year <= 2200:
        yield BadInput("lies in no year that a message is sent in", place="deadline")


def _of_link(ask: Ask) -> Iterator[BadInput]:
    if not ask.link:
        return
    try:
        host = urlsplit(ask.link).hostname or ""
    except ValueError:
        host = ""
    if not host:
        yield BadInput("is no web address; write it like https://example.org/page", place="link")
    elif shortener := _shortener(host):
        yield BadInput(
            f"leads through {shortener}; give the address itself: we make a short link of our own", place="link"
        )
    if CONTROLS.search(ask.link):
        yield BadInput("holds a control character", place="link")


def _of_channels(ask: Ask, specs: Mapping[str, ChannelSpec]) -> Iterator[BadInput]:
    known = f"known are {', '.join(sorted(specs))}"
    for step in ask.waterfall:
        if step.channel not in specs:
            yield BadInput(f"there is no channel {step.channel!r}; {known}", place="waterfall")
    for name in ask.channels:
        if name not in specs:
            yield BadInput(f"there is no channel {name[:60]!r}; {known}", place="channels")
        elif ask.words(ask.default_locale, name) is None:
            place = f"texts.{ask.default_locale}"
            yield BadInput(f"has no text for {name}, which channels names; add one or a {ANY_CHANNEL}", place=place)
    for place, texts in (("texts", ask.texts), ("second", ask.second)):
        for locale, by_channel in texts.items():
            if not by_channel:
                sentence = f"has no text; add {place}.{locale}.{ANY_CHANNEL} or take it out"
                yield BadInput(sentence, place=f"{place}.{locale}")
            for key in by_channel:
                if key not in specs and key != ANY_CHANNEL:
                    sentence = f"there is no channel {key[:60]!r}; {known}; {ANY_CHANNEL} stands for all"
                    yield BadInput(sentence, place=f"{place}.{locale}.{key[:60]}")
                elif texts is ask.second and not {key, ANY_CHANNEL} & ask.texts[locale].keys():
                    sentence = f"has no first text to be compared with; add texts.{locale}.{key} or take it out"
                    yield BadInput(sentence, place=f"{place}.{locale}.{key}")


def _of_templates(ask: Ask) -> Iterator[BadInput]:
    """What is wrong with the buttons and with what fills the holes of approved texts."""
    for place, _, _, words in ask.every_text():
        if any(button.link for button in words.buttons) and not ask.link:
            yield BadInput("a button opens the ask's link, but it has none; set link", place=f"{place}.buttons")
        for number, button in enumerate(words.buttons):
            if CONTROLS.search(button.label) or not button.label.strip():
                yield BadInput("needs a label of plain words", place=f"{place}.buttons.{number}.label")
        if words.variables and not words.template:
            yield BadInput("goes with a template only; name the template", place=f"{place}.variables")
        for name, value in words.variables.items():
            pieces, found = _read(ask, value, f"{place}.variables.{name}", is_subject=True)
            yield from found
            # Twilio refuses a template with an empty variable (twilio.com/docs/api/errors/21656).
            if not found and not fill(merged(pieces, {"title": "x", "organization": "x"}), _LINKED).strip():
                sentence = "is empty for members of whom we know nothing; add | default(…)"
                yield BadInput(sentence, place=f"{place}.variables.{name}")


def _read(ask: Ask, source: str, place: str, *, is_subject: bool = False) -> tuple[tuple[Piece, ...], list[BadInput]]:
    """The pieces of one text, and what is wrong with it wherever it goes."""
    pieces, problems = read_template(source, place, reports=ask.kind is AskKind.REPORT_BACK)
    controls = (CONTROLS if is_subject else _CONTROLS_BUT_LAYOUT).search(source)
    controls = controls or _CONTROLS_BUT_LAYOUT.search(fill(pieces, {}))
    if controls:
        problems.append(BadInput("holds a control character" + (" or a line break" * is_subject), place=place))
    problems += [
        BadInput(f"{name} is a public link shortener, which carriers filter; use {{{{ link }}}}", place=place)
        for name in dict.fromkeys(shorteners_in(source))
    ]
    used = variables(pieces)
    if "link" in used and not ask.link:
        problems.append(BadInput("uses {{ link }}, but the ask has no link; set link", place=place))
    if "forward" in used and ask.kind.is_service:
        problems.append(BadInput("uses {{ forward }}, but only an ask is passed on; take it out", place=place))
    if "deadline" in used and ask.deadline is None:
        problems.append(BadInput("uses {{ deadline }}, but the ask has no deadline; set deadline", place=place))
    if "total" in used and ask.goal is None:
        problems.append(BadInput("uses {{ total }}, but the ask has no goal; set goal", place=place))
    return pieces, problems


def _channels_reading(ask: Ask, specs: Mapping[str, ChannelSpec], place: str, locale: str, key: str) -> Iterable[str]:
    """The channels on which the text at `place`, under `key` of this locale, may go out."""
    if key != ANY_CHANNEL:
        return [key] if key in specs else []
    second = place.startswith("second.")
    wanted = [name for name in ask.channels or specs if name in specs]
    return [name for name in wanted if not ask.has_own_words(locale, name, second=second)]


def _of_size(
    ask: Ask,
    pieces: tuple[Piece, ...],
    reached: Iterable[ChannelSpec],
    locale: str,
    place: str,
    organization: str,
    link: str,
) -> Iterator[BadInput]:
    """Whether the text at `place` is empty for somebody, or too long for somebody on one of the channels."""
    settled = merged(pieces, constants_of(ask, organization))
    if not fill(settled, {**_LINKED, "link": link, "forward": link}).strip():
        yield BadInput(
            "is empty, at least for members of whom we know nothing; add words of its own", place=f"{place}.text"
        )
    # A link to pass on is as long as the member's own (`core.forward_links`).
    lengths = {
        "link": len(link), "forward": len(link), "deadline": longest_deadline(locale), "total": LONGEST_SUM,
    }  # fmt: skip
    for spec in reached:
        pieces_there = with_sender(settled, organization) if spec.counts_segments else settled
        size = longest(pieces_there, lengths)
        if ask.picture is not None and not spec.media:
            size += 1 + len(ask.picture.url)
        if size > spec.max_length:
            yield BadInput(
                f"can come to {size:,} characters, but {spec.name} carries {spec.max_length:,}; shorten it or give "
                f"{place.partition('.')[0]}.{locale}.{spec.name} words of its own",
                place=f"{place}.text",
            )
