"""Addresses and secrets in words that were not meant to hold any: the net below code that logs none.

What has the shape of a phone number, a mailbox, a token, a secret with its name, or a login within an address of a
server becomes one word in parentheses. A net lets things through (a person's name has no shape) and catches some that
are harmless (a long number); so nobody may lean on it who could leave the thing out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

PHONE, EMAIL, TOKEN, SECRET = "(phone)", "(email)", "(token)", "(secret)"

_MANY_DIGITS, _FEWEST_DIGITS = 10, 7
"""Digits from which a number is taken for a phone's: a bare one, and one that is written with + (E.164: up to 15)."""

_DEEPEST = 4
_CALLED = r"(?:pass(?:word|wd)?|secret|token|authorization|cookie|api[_-]?key|private[_-]?key|dkim_key|credentials?)"
_NAMED = re.compile(rf"(?i){_CALLED}(?:$|_|-)")
_NAME = rf"\b[\w-]{{0,40}}{_CALLED}[\w-]{{0,20}}"
_PART = r"[^\s@<>\"'(),;:=\[\]{}/]"

_SHAPES = re.compile(
    rf"""
    (?P<login>   \b[a-z][a-z0-9+.-]{{1,20}}:// )[^\s/@"']*:[^\s@"']*@                # postgresql://user:password@host
  | (?P<query>   \bhttps?://[^\s"'<>?]+\? )[^\s"'<>]+                               # https://host/path?anything
  | (?P<link>    /(?:a|u|m|f|e/\d+|host|push|propose|shared|confirm|welcome)/ )[\w-]{{8,}}(?:\.[\w-]+)*
  | (?P<scheme>  \b(?:bearer|basic)\s+ )[\w.~+/=-]{{6,}}
  | (?P<named>   {_NAME}["']?\s*[=:]\s*["']?(?!\() )(?!(?:bearer|basic)\b)[^\s"',;&}})]+
  | (?P<email>   (?<!{_PART}){_PART}+@{_PART}+\.{_PART}+ )
  | (?P<bot>     (?<!\w)\d{{6,12}}:[\w-]{{30,}} )                                   # Telegram's
  | (?P<jwt>     (?<![\w-])[\w-]{{10,}}\.[\w-]{{10,}}\.[\w-]{{10,}} )
  | (?P<long>    (?<![\w-])[A-Za-z0-9_-]{{20,}}={{0,2}}(?![\w-]) )
  | (?P<phone>   (?<![\w.])(?:\+|00)?\(?\d[\d ().\-/\u00a0]{{5,22}}\d(?!\w) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def mask(text: str, known: re.Pattern[str] | None = None) -> str:
    """The same text without what looks like an address or a secret, and without what `known` matches."""
    if known is not None:
        text = known.sub(SECRET, text)
    return _SHAPES.sub(_word, text)


def mask_value(name: str, value: Any, known: re.Pattern[str] | None = None, depth: int = 0) -> Any:
    """A value that is logged as `name`: numbers and truth values as they are, everything else as masked text."""
    if is_secret(name):
        return SECRET
    match value:
        case None | bool() | float():
            return value
        case int():
            return PHONE if abs(value) >= 10 ** (_MANY_DIGITS - 1) else value
        case str():
            return mask(value, known)
        case Mapping() if depth < _DEEPEST:
            return {mask(str(key), known): mask_value(str(key), one, known, depth + 1) for key, one in value.items()}
        case Sequence() | set() | frozenset() if depth < _DEEPEST and not isinstance(value, bytes | bytearray):
            return [mask_value("", one, known, depth + 1) for one in value]
        case _:
            return mask(str(value), known)


def is_secret(name: str) -> bool:
    """Whether what is called so should never be seen: ``auth_token``, ``Authorization``, ``api_key_secret``."""
    return _NAMED.search(name) is not None


def exactly(secrets: Sequence[str], *, shortest: int = 6) -> re.Pattern[str] | None:
    """Matches these secrets wherever they stand; shorter ones would be found by chance. None without any."""
    wanted = sorted({one for one in secrets if len(one) >= shortest}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, wanted))) if wanted else None


def _word(found: re.Match[str]) -> str:
    kind = found.lastgroup
    text = found.group()
    match kind:
        case "login":
            return f"{found['login']}{SECRET}@"
        case "query":
            return f"{found['query']}{SECRET}"
        case "link":
            return f"{found['link']}{TOKEN}"
        case "scheme":
            return f"{found['scheme']}{TOKEN}"
        case "named":
            return f"{found['named']}{SECRET}"
        case "email":
            return EMAIL
        case "long":
            return TOKEN if _is_drawn(text) else text
        case "phone":
            return _phone(text)
        case _:
            return TOKEN


def _phone(text: str) -> str:
    digits = sum(letter.isdigit() for letter in text)
    enough = _FEWEST_DIGITS if text.startswith(("+", "00")) else _MANY_DIGITS
    harmless = digits < enough or _DATE.match(text) or _IPV4.fullmatch(text)
    return text if harmless else PHONE


def _is_drawn(text: str) -> bool:
    """Whether a long word was drawn by lot, as tokens are, and not written by somebody: CamelCase, snake_case."""
    letters = [letter for letter in text if letter.isalpha()]
    if any(letter.isdigit() for letter in text):
        return True
    large = sum(letter.isupper() for letter in letters)
    return 0.25 * len(letters) < large < len(letters)
