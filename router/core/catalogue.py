"""What members' pages say, in each language: gettext catalogues, ``templates/locale/*/LC_MESSAGES/pages.po``.

The English sentence itself is the key, in templates and in code; ``make catalogues`` takes them from there into the
catalogues, where their translations are written. They are read as they are: nothing is compiled beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from gettext import NullTranslations
from io import BytesIO

from babel.dates import format_date, format_time, get_datetime_format
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from babel.support import Translations

from router.core.data import data_folder
from router.core.event_words import day_and_time, day_of
from router.core.phrases import LANGUAGES

DOMAIN = "pages"
CATALOGUES = data_folder("templates") / "locale"
RIGHT_TO_LEFT = frozenset({"ar"})
"""Of `LANGUAGES`, those that are written from right to left."""


def gettext_noop(message: str) -> str:
    """Marks a sentence that is translated later, where it is shown."""
    return message


class Translator:
    """One language: its sentences, and how its speakers write dates, numbers, sums and lists."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._messages = _read(language)
        self._locale = "en_GB" if language == "en" else language

    def gettext(self, message: str, /, **values: object) -> str:
        """A sentence, its ``%(holes)s`` filled; in English where there is no translation."""
        found = self._messages.gettext(message)
        return found % values if values else found

    def ngettext(self, one: str, more: str, count: int, /, **values: object) -> str:
        """The form of a sentence that goes with `count`, which fills ``%(num)s``; other holes only where given."""
        found = self._messages.ngettext(one, more, count).replace("%(num)s", self.number(count))
        return found % values if values else found

    def knows(self, message: str) -> bool:
        """Whether a sentence that was made elsewhere can be said in this language."""
        return self.language == "en" or self._messages.gettext(message) != message

    def number(self, number: float) -> str:
        """``1,240``."""
        return format_decimal(number, locale=self._locale)

    def percent(self, share: float) -> str:
        """``5%`` for 0.05."""
        return format_percent(share, locale=self._locale)

    def money(self, amount: float, currency: str) -> str:
        """``€12.50`` for 12.5 EUR."""
        return format_currency(amount, currency, locale=self._locale)

    def listed(self, items: Iterable[str]) -> str:
        """``a, b and c``."""
        return format_list(list(items), locale=self._locale)

    def day(self, at: datetime, zone: str = "") -> str:
        """``3 Dec 2026`` by the clock of a place, by UTC's where none is given."""
        return day_of(at, zone, self.language)

    def clock_time(self, local: datetime) -> str:
        """``Thursday, 3 December 2026, 19:00``, as the clocks of a place show it (without a zone)."""
        day, hour = format_date(local, "full", self._locale), format_time(local, "short", locale=self._locale)
        return str(get_datetime_format("full", self._locale)).format(hour, day)

    def moment(self, at: datetime, zone: str = "") -> str:
        """``Thu 3 Dec 19:00`` by the clock of a place, by UTC's where none is given."""
        return day_and_time(at, zone, self.language)


@cache
def translator(language: str) -> Translator:
    """One of `LANGUAGES`; KeyError for any other."""
    if language not in LANGUAGES:
        raise KeyError(language)
    return Translator(language)


def load_catalogues() -> None:
    """Read them all now, so that no page waits for it: about a tenth of a second each."""
    for language in LANGUAGES:
        translator(language)


def spoken(locale: str) -> str:
    """The language of a locale where we speak it, else "" (``es`` for ``es-MX``)."""
    language = locale.replace("_", "-").partition("-")[0].strip().lower()
    return language if language in LANGUAGES else ""


def _read(language: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    with (CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)
