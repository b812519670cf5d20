"""The tone guard: what in an ask's words may cost the movement its good name. It advises and holds nothing back.

Each finding marks its words, says why they do harm and what to write instead, and names the source of that. "Last
chance: hearing 9 am" can be true, so the author decides. Evidence: Mathur et al., "Manipulative tactics are the norm
in political emails", Big Data & Society 2023, doi 10.1177/20539517221145371; FACTS.md 3. The words are data:
``config/tone.toml``.

tone_reading   a text's words and their places, without variables and web addresses
tone_table     the phrases, and what an author is told
tone_shapes    what is seen without knowing the language

The work is linear in the length of the text: one walk along its words, and patterns without nested repetition.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from router.core.ask import ANY_CHANNEL, Ask
from router.core.channel import ChannelSpec
from router.core.content_render import BUTTON, constants_of, with_sender
from router.core.content_syntax import merged, read_template
from router.core.keywords import fold
from router.core.model import AskKind
from router.core.tone_reading import Reading, Word, fold_words, read_text
from router.core.tone_shapes import find_emoji, find_hidden_links, find_marks, find_shouting, hides_host
from router.core.tone_table import Phrase, ToneKind, ToneSeverity, ToneTable

_NEAR = 80
"""So many characters before and after words of urgency, in their line, may say what moment they speak of."""
_LONGEST_PREFIX = 24
_LONG_WORD = 4
"""Shorter words of a name (of, for, the) say nothing about whose it is."""
_MOMENT = re.compile(r"(?<![\d.,$€£])\d{1,2}(?!\d|[.,]\d|\s?[%٪€$£xX×])")
"""A small number that is no percentage, sum or factor: an hour, a day, a date."""
_MILDER = {ToneSeverity.HIGH: ToneSeverity.MEDIUM, ToneSeverity.MEDIUM: ToneSeverity.LOW}
_COLON = re.compile("[:：]")


class ToneFinding(BaseModel):
    """Words that may do harm."""

    model_config = ConfigDict(frozen=True)

    kind: ToneKind
    severity: ToneSeverity
    place: str
    """``texts.en.sms.text``."""
    start: int
    """Of the words in the text at `place`, in characters, as its author wrote it."""
    end: int
    words: str
    """What stands from `start` to `end`; "" where words are missing."""
    why: str
    """Why it harms the movement's name."""
    instead: str
    """What to write instead."""
    source: str


_Found = tuple[ToneKind, int, int, Phrase | None]
"""Kind, start, end, and the phrase where it is one of the table."""


def find_tone(
    ask: Ask,
    table: ToneTable,
    specs: Mapping[str, ChannelSpec],
    *,
    organization: str = "",
    from_names: Mapping[str, str] | None = None,
) -> list[ToneFinding]:
    """Everything in an ask that its author should look at again, sorted by place.

    `specs` are the channels that exist here; `from_names` has the name in the From line of those with one of their own.
    """
    answers = [button.reply for _, _, _, words in ask.every_text() for button in words.buttons]
    spared = frozenset(word for name in (organization, *answers) for word in fold_words(name))
    findings: list[ToneFinding] = []
    for place, source, locale, is_subject in _sources(ask):
        is_answer = ask.kind is AskKind.REPLY
        findings += judge_text(
            source, table, place=place, locale=locale, is_subject=is_subject, is_answer=is_answer, spared=spared
        )
    if ask.link and hides_host(ask.link):
        findings.append(_finding(table, "link", ask.link, (ToneKind.HIDDEN_LINK, 0, len(ask.link), None)))
    for place in _without_sender(ask, specs, organization):
        findings.append(_finding(table, place, "", (ToneKind.NO_SENDER, 0, 0, None)))
    for channel, name in (from_names or {}).items():
        if _names_nobody_known(name, organization):
            found = (ToneKind.PERSONAL_SENDER, 0, len(name), None)
            findings.append(_finding(table, f"from_names.{channel}", name, found))
    return sorted(findings, key=_order)


def judge_text(
    source: str,
    table: ToneTable,
    *,
    place: str,
    locale: str = "",
    is_subject: bool = False,
    is_answer: bool = False,
    spared: Set[str] = frozenset(),
) -> list[ToneFinding]:
    """What one text says in the wrong tone, sorted. Variables are never judged.

    `spared` are folded words that do not shout in capitals (the organization's name, the keywords of buttons);
    `is_answer` says that a ``Re:`` would be true.
    """
    reading = read_text(source)
    emoji = table.runs.emoji_in_subject if is_subject else table.runs.emoji
    found: list[_Found] = list(_phrases(reading, table, locale))
    if is_subject and not is_answer:
        found += _reply_prefix(reading, table, locale)
    for kind, spans in (
        (ToneKind.SHOUTING, find_shouting(reading, table, spared)),
        (ToneKind.MARKS, find_marks(reading, table.runs.marks)),
        (ToneKind.EMOJI, find_emoji(reading, emoji)),
        (ToneKind.HIDDEN_LINK, find_hidden_links(reading)),
    ):
        found += ((kind, start, end, None) for start, end in spans)
    return sorted((_finding(table, place, source, one) for one in found), key=_order)


def _order(finding: ToneFinding) -> tuple[str, int, int, str]:
    return finding.place, finding.start, finding.end, finding.kind.value


def _finding(table: ToneTable, place: str, source: str, found: _Found) -> ToneFinding:
    kind, start, end, phrase = found
    told = table.kinds[kind]
    return ToneFinding(
        kind=kind,
        severity=phrase.severity if phrase else told.severity,
        place=place,
        start=start,
        end=end,
        words=source[start:end],
        why=told.why,
        instead=told.instead,
        source=phrase.source if phrase else told.source,
    )


def _sources(ask: Ask) -> Iterator[tuple[str, str, str, bool]]:
    """Every text that somebody reads: its place, itself, its locale, and whether it is a subject."""
    yield "title", ask.title, ask.default_locale, True
    for place, locale, _, words in ask.every_text():
        yield f"{place}.subject", words.subject, locale, True
        yield f"{place}.text", words.text, locale, False
        for number, button in enumerate(words.buttons):
            yield f"{place}.buttons.{number}.label", button.label, locale, False
        for name, value in words.variables.items():
            if not value.startswith(BUTTON):
                yield f"{place}.variables.{name}", value, locale, False


def _phrases(reading: Reading, table: ToneTable, locale: str) -> Iterator[_Found]:
    """Phrases of the table from left to right, no word in two of them."""
    free = 0
    for first, after, phrase in table.find_phrases(reading.words, locale):
        start, end = reading.words[first].start, reading.words[after - 1].end
        if first < free or (phrase.when == "shouted" and not _is_shouted(reading, reading.words[first:after])):
            continue
        free = after
        if phrase.kind is ToneKind.URGENCY and _says_when(reading, start, end):
            phrase = replace(phrase, severity=_MILDER.get(phrase.severity, phrase.severity))
        yield phrase.kind, start, end, phrase


def _is_shouted(reading: Reading, words: tuple[Word, ...]) -> bool:
    following = reading.text[words[-1].end : words[-1].end + 3].lstrip()[:1]
    begins_with_it = words[0] is reading.words[0] and following in (":", "：")
    return following in ("!", "！") or begins_with_it or all(map(reading.is_capital, words))


def _says_when(reading: Reading, start: int, end: int) -> bool:
    """Whether the line says a moment, so that the hurry is likely true."""
    text = reading.text
    low = max(start - _NEAR, text.rfind("\n", max(start - _NEAR, 0), start) + 1)
    line_end = text.find("\n", end, end + _NEAR)
    high = end + _NEAR if line_end < 0 else line_end
    if _MOMENT.search(text, low, start) or _MOMENT.search(text, end, high):
        return True
    slots = reading.slots[bisect_left(reading.slots, (low, 0)) : bisect_left(reading.slots, (high, 0))]
    return any("deadline" in reading.source[a:b] for a, b in slots)


def _reply_prefix(reading: Reading, table: ToneTable, locale: str) -> Iterator[_Found]:
    start = len(reading.text) - len(reading.text.lstrip())
    head = _COLON.split(reading.text[start : start + _LONGEST_PREFIX], maxsplit=1)
    phrase = table.reply_prefix(head[0], locale) if len(head) == 2 else None
    if phrase:
        yield ToneKind.FAKE_REPLY, start, start + len(head[0]) + 1, phrase


def _without_sender(ask: Ask, specs: Mapping[str, ChannelSpec], organization: str) -> Iterator[str]:
    """Places of texts that go out as text messages and name the organization only in the prefix that we put there."""
    if not organization.strip():
        return
    for place, locale, channel, words in ask.every_text():
        if _is_texted(ask, specs, place, locale, channel):
            pieces, problems = read_template(words.text, f"{place}.text")
            settled = merged(pieces, constants_of(ask, organization))
            if not problems and with_sender(settled, organization) != settled:
                yield f"{place}.text"


def _is_texted(ask: Ask, specs: Mapping[str, ChannelSpec], place: str, locale: str, channel: str) -> bool:
    names = {channel}
    if channel == ANY_CHANNEL:
        second = place.startswith("second.")
        names = {name for name in ask.channels or specs if not ask.has_own_words(locale, name, second=second)}
    return any(specs[name].counts_segments for name in names if name in specs)


def _names_nobody_known(name: str, organization: str) -> bool:
    """Whether a From line shares no word with the organization's name, nor its initials."""
    ours = fold_words(organization)
    telling = [word for word in ours if len(word) >= _LONG_WORD] or ours
    initials = "".join(word[0] for word in ours)
    said = fold_words(name)
    if not said or not ours or fold(organization) in fold(name):
        return False
    return {*telling, initials}.isdisjoint(said)
