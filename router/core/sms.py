"""How many text messages a text becomes. Providers bill and limit by the segment (FACTS.md 1.1).

GSM-7: 160 septets in one message, 153 in each part of a longer one; a character of the extension table costs two, and
the two are never torn apart. One character outside GSM-7 turns the whole text into UCS-2: 70 code units in one
message, 67 in each part, and a surrogate pair is never torn apart either.

Source: 3GPP TS 23.038 (GSM 03.38) 6.2.1 and 6.2.1.1 for the alphabets, TS 23.040 9.2.3.24 for the 6-byte header of
the parts of a concatenated message.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each. The escape itself (0x1B) is no character that a person can send."""
EXTENSION = "\f^{}\\[~]|€"
"""Two septets each: the escape and a letter."""

GSM_SINGLE, GSM_PART = 160, 153
UCS_SINGLE, UCS_PART = 70, 67

_GSM = frozenset(BASIC + EXTENSION)
_IS_BASIC = re.compile("[" + re.escape(BASIC) + "]*")
_IS_GSM = re.compile("[" + re.escape(BASIC + EXTENSION) + "]*")
_EXTENDED = re.compile("[" + re.escape(EXTENSION) + "]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ASCII_BASIC = "".join(c for c in BASIC if c.isascii()).encode("ascii")
_ASCII_EXTENSION = "".join(c for c in EXTENSION if c.isascii()).encode("ascii")


class SegmentCount(NamedTuple):
    """What a text weighs: its encoding, how many messages it is billed as, and the code units it fills.

    `characters` counts septets in GSM-7 and UTF-16 code units in UCS-2. No text is no message: 0 segments.
    """

    encoding: Literal["GSM-7", "UCS-2"]
    segments: int
    characters: int


def count_segments(text: str) -> SegmentCount:
    """Count the segments of `text` exactly. Called once per message: about a microsecond for a usual text."""
    if text.isascii():
        # bytes.translate is several times faster than any look at single characters.
        rest = text.encode("ascii").translate(None, _ASCII_BASIC)
        if not rest:
            return _plain(len(text))
        if not rest.translate(None, _ASCII_EXTENSION):
            return _gsm(text, len(rest))
        return _ucs(text)
    if _IS_BASIC.fullmatch(text):
        return _plain(len(text))
    if _IS_GSM.fullmatch(text):
        return _gsm(text, len(_EXTENDED.findall(text)))
    return _ucs(text)


def gsm_culprits(text: str) -> list[str]:
    """The characters that force `text` into UCS-2, each once, in the order in which they first stand there."""
    return [c for c in dict.fromkeys(text) if c not in _GSM]


@lru_cache(maxsize=4096)
def _plain(septets: int) -> SegmentCount:
    return SegmentCount("GSM-7", _parts(septets, GSM_SINGLE, GSM_PART), septets)


@lru_cache(maxsize=4096)
def _plain_ucs(units: int) -> SegmentCount:
    return SegmentCount("UCS-2", _parts(units, UCS_SINGLE, UCS_PART), units)


def _gsm(text: str, extended: int) -> SegmentCount:
    septets = len(text) + extended
    if septets <= GSM_SINGLE:
        return _plain(septets)
    return SegmentCount("GSM-7", _unbroken(text, _EXTENDED, GSM_PART), septets)


def _ucs(text: str) -> SegmentCount:
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units > UCS_SINGLE and units > len(text):
        return SegmentCount("UCS-2", _unbroken(text, _ASTRAL, UCS_PART), units)
    return _plain_ucs(units)


def _parts(units: int, single: int, part: int) -> int:
    return min(units, 1) if units <= single else -(-units // part)


def _unbroken(text: str, double: re.Pattern[str], part: int) -> int:
    """How many parts, where each match of `double` takes two units that must lie in the same part.

    Goes from one double to the next: all that lies between may be cut anywhere.
    """
    used = 0
    """Units since the beginning of the first part, gaps left at part ends included."""
    last = 0
    for match in double.finditer(text):
        used += match.start() - last
        if used % part == part - 1:
            used += 1
        used += 2
        last = match.end()
    used += len(text) - last
    return -(-used // part)
