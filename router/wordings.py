"""An ask's words as phones will show them: one `Wording` for each channel and locale, and what to look at again."""

from __future__ import annotations

import itertools

from pydantic import BaseModel, ConfigDict

from router.core.ask import Ask, AskPicture
from router.core.channel import ChannelSpec
from router.core.content import find_problems, sample_member
from router.core.content_render import Renderer
from router.core.errors import BadInput
from router.core.sms import count_segments, gsm_culprits
from router.core.tone import ToneFinding
from router.drafting import longest_link
from router.letters import renderer_of
from router.preview import tone_of
from router.runtime import Runtime


class Wording(BaseModel):
    """One message as somebody with long names reads it."""

    model_config = ConfigDict(frozen=True)

    channel: str
    locale: str
    second: bool = False
    """Whether it is the second of two texts that are compared."""
    wrong: str = ""
    """Why it cannot be shown; "" where it can."""
    subject: str = ""
    """An email's subject, a notification's first line."""
    text: str = ""
    cut: str = ""
    """What the channel would leave out of it, because it is too long."""
    buttons: list[str] = []
    left_out: list[str] = []
    """Buttons that the channel has no room for."""
    picture: AskPicture | None = None
    """Where the channel shows pictures; elsewhere the picture's address stands in the text."""
    encoding: str = ""
    """Where segments are counted: GSM-7, or UCS-2 in which fewer characters fit."""
    segments: int = 0
    dear: str = ""
    """The characters that make it UCS-2."""
    price: float = 0.0
    currency: str = ""


class Marked(BaseModel):
    """One of an ask's texts as its author wrote it, with the words marked that they should look at again."""

    model_config = ConfigDict(frozen=True)

    place: str
    pieces: list[tuple[str, bool]]
    """(words, whether they are marked)."""
    findings: list[ToneFinding]


def wordings_of(runtime: Runtime, ask: Ask) -> list[Wording]:
    """How an ask looks on each channel that is set up and that it has words for, its locales side by side."""
    renderer = renderer_of(runtime, ask)
    allowed = [name for name in sorted(runtime.channels) if not ask.channels or name in ask.channels]
    return [
        _wording(runtime, ask, renderer, runtime.specs[channel], locale, variant)
        for channel in allowed
        for locale in ask.texts
        for variant in (0, 1)
        if ask.words(locale, channel) is not None
        and (not variant or ask.words(locale, channel, 1) != ask.words(locale, channel))
    ]


def marked_texts(runtime: Runtime, ask: Ask) -> list[Marked]:
    """The texts in which the tone of something may do harm."""
    found: dict[str, list[ToneFinding]] = {}
    for finding in tone_of(runtime, ask):
        found.setdefault(finding.place, []).append(finding)
    sources = {"title": ask.title, "link": ask.link}
    for place, _, _, words in ask.every_text():
        sources |= {f"{place}.text": words.text, f"{place}.subject": words.subject}
    return [
        Marked(place=place, pieces=_pieces(sources.get(place, ""), findings), findings=findings)
        for place, findings in found.items()
    ]


def problems_of(runtime: Runtime, ask: Ask) -> list[BadInput]:
    """Everything that keeps an ask's words from being saved."""
    return find_problems(ask, runtime.specs, organization=runtime.settings.organization, link=longest_link(runtime))


def _wording(runtime: Runtime, ask: Ask, renderer: Renderer, spec: ChannelSpec, locale: str, variant: int) -> Wording:
    person, link, about = sample_member(ask, locale), longest_link(runtime), {"channel": spec.name, "locale": locale}
    base = runtime.settings.public_url.rstrip("/")
    try:
        shown = renderer.render(
            person, spec.name, spec, link=link, unsubscribe_url=f"{base}/u/…", variant=variant, forward=link
        )
    except BadInput as error:
        return Wording(**about, second=bool(variant), wrong=error.sentence)
    found = ask.words(locale, spec.name, variant)
    buttons = [button.label for button in found[1].buttons] if found is not None else []
    rules, weight = runtime.rules_of(spec.name), count_segments(shown.text)
    return Wording(
        **about,
        second=bool(variant),
        subject=shown.subject,
        text=shown.text[: spec.max_length],
        cut=shown.text[spec.max_length :],
        buttons=buttons[: spec.buttons],
        left_out=buttons[spec.buttons :],
        picture=ask.picture if spec.media else None,
        encoding=weight.encoding if spec.counts_segments else "",
        segments=weight.segments if spec.counts_segments else 1,
        dear=" ".join(gsm_culprits(shown.text)[:20]) if spec.counts_segments else "",
        price=round(rules.price * (weight.segments if spec.counts_segments else 1), 4),
        currency=rules.currency,
    )


def _pieces(source: str, findings: list[ToneFinding]) -> list[tuple[str, bool]]:
    """The text, cut where marked words begin and end."""
    cuts = sorted({0, len(source), *(at for one in findings for at in (one.start, one.end))})
    return [
        (source[start:end], any(one.start <= start and end <= one.end for one in findings))
        for start, end in itertools.pairwise(cuts)
        if start < end
    ]
