"""The names of days and months in message texts, by language. English stands in for the rest.

Spelled here because the standard library's depend on the machine's locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[list[str], list[str]]]] = {
    "en": (
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    ),
    "es": (
        ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
        ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
    ),
    "fr": (
        ["lun", "mar", "mer", "jeu", "ven", "sam", "dim"],
        ["janv", "févr", "mars", "avr", "mai", "juin", "juil", "août", "sept", "oct", "nov", "déc"],
    ),
    "de": (
        ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
        ["Jan", "Feb", "März", "Apr", "Mai", "Juni", "Juli", "Aug", "Sept", "Okt", "Nov", "Dez"],
    ),
    "pt": (
        ["seg", "ter", "qua", "qui", "sex", "sáb", "dom"],
        ["jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez"],
    ),
    "ar": (
        ["الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"],
        ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"],
    ),
}
"""language → days from Monday, months from January."""
