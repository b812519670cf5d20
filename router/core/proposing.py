"""What an idea must be before it is shown to others: long enough to mean something, and in words that we moderate."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from enum import StrEnum

from router.core.proposal_policy import ProposalPolicy


class Fault(StrEnum):
    """What is wrong with the words of an idea; each has a phrase ``proposals.VALUE``."""

    EMPTY = "how"
    """There are none: they are told how it is done."""
    SHORT = "short"
    LONG = "long"
    LINKS = "links"
    """Links, and hardly a word beside them."""
    LANGUAGE = "language"
    """Written in letters of languages that nobody here moderates."""


_FOREIGN_SHARE = 0.1
"""Such a share of the letters may be of another script: a name, a word that is quoted (house rule)."""

_SCRIPTS: Mapping[str, str] = (
    dict.fromkeys(("ar", "ckb", "fa", "ps", "sd", "ug", "ur"), "ARABIC")
    | dict.fromkeys(("be", "bg", "kk", "ky", "mk", "mn", "ru", "tg", "uk"), "CYRILLIC")
    | dict.fromkeys(("hi", "mr", "ne"), "DEVANAGARI")
    | dict.fromkeys(("he", "yi"), "HEBREW")
    | dict.fromkeys(("am", "ti"), "ETHIOPIC")
    | {"bn": "BENGALI", "el": "GREEK", "gu": "GUJARATI", "hy": "ARMENIAN", "ja": "CJK HIRAGANA KATAKANA"}
    | {"ka": "GEORGIAN", "km": "KHMER", "kn": "KANNADA", "ko": "HANGUL CJK", "lo": "LAO", "ml": "MALAYALAM"}
    | {"my": "MYANMAR", "or": "ORIYA", "pa": "GURMUKHI", "si": "SINHALA", "sr": "CYRILLIC LATIN", "ta": "TAMIL"}
    | {"te": "TELUGU", "th": "THAI", "zh": "CJK BOPOMOFO"}
)
"""Language → its scripts, by the first word of their letters' names in Unicode; Latin where it is not listed
(Unicode CLDR 46, supplemental data, languageData)."""

_NAMES: Mapping[str, str] = {
    "ar": "العربية", "bn": "বাংলা", "de": "Deutsch", "el": "ελληνικά", "en": "English", "es": "español",
    "fa": "فارسی", "fr": "français", "he": "עברית", "hi": "हिन्दी", "it": "italiano", "ja": "日本語", "ko": "한국어",
    "nl": "Nederlands", "pl": "polski", "pt": "português", "ro": "română", "ru": "русский", "so": "Soomaali",
    "sw": "Kiswahili", "ti": "ትግርኛ", "tr": "Türkçe", "uk": "українська", "ur": "اردو", "vi": "Tiếng Việt", "zh": "中文",
}  # fmt: skip
"""Language → what those who speak it call it (Unicode CLDR 46, localeDisplayNames); its code where it is not listed."""

_JOINERS = "\u200c\u200d"
"""Persian and Hindi words are written with them, and many emoji."""

_SPACES = frozenset({"Cc", "Zl", "Zp", "Zs"})
_UNSEEN = frozenset({"Cf", "Cs", "Co", "Cn"})

_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b(?:/\S*)?", re.IGNORECASE)


def tidy(words: str) -> str:
    """The words in one line, without what nobody sees: control characters, and those that turn the reading around."""
    shown = (
        " " if category in _SPACES else c
        for c in unicodedata.normalize("NFC", words)
        if (category := unicodedata.category(c)) not in _UNSEEN or c in _JOINERS
    )
    return " ".join("".join(shown).split())


def with_its_end(value: str, text: str) -> str:
    """`value`, which was found in `text`, with the mark that ends its sentence there."""
    found = re.search(re.escape(value) + r"([.!?…؟]+)", text) if value else None
    return value + (found[1] if found else "")


def find_fault(words: str, policy: ProposalPolicy) -> Fault | None:
    """What is wrong with tidied words; None where they are an idea."""
    if not words:
        return Fault.EMPTY
    if len(words) > policy.longest:
        return Fault.LONG
    if _weight(words) < policy.shortest:
        return Fault.SHORT
    if _weight(_LINK.sub(" ", words)) < policy.shortest:
        return Fault.LINKS
    return None if _is_readable(words, policy.languages) else Fault.LANGUAGE


def is_moderated(locale: str, policy: ProposalPolicy) -> bool:
    """Whether somebody moderates the language of this locale; a member of whom we know none is taken at their word."""
    language = locale.partition("-")[0].lower()
    return not language or language in policy.languages


def name_languages(policy: ProposalPolicy) -> str:
    """The languages that are moderated, each in its own words."""
    return ", ".join(_NAMES.get(language, language) for language in policy.languages)


def same(one: str, other: str) -> bool:
    """Whether two ideas say the same, letter by letter: case, spaces, accents' form and marks aside."""
    return _letters(one) == _letters(other)


def _letters(words: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", words).casefold() if c.isalnum())


def _weight(words: str) -> int:
    return sum(c.isalnum() for c in words)


def _is_readable(words: str, languages: Collection[str]) -> bool:
    known = {script for language in languages for script in _SCRIPTS.get(language, "LATIN").split()}
    letters = [c for c in unicodedata.normalize("NFKC", words) if c.isalpha() and unicodedata.category(c) != "Lm"]
    foreign = sum(unicodedata.name(c, "").partition(" ")[0] not in known for c in letters)
    return foreign <= _FOREIGN_SHARE * len(letters)
