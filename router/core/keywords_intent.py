"""What a reply means."""

from __future__ import annotations

from dataclasses import dataclass

STOP = "stop"
START = "start"
HELP = "help"
YES = "yes"
NO = "no"
NONE = "none"
NUMBER = "number"
POSTCODE = "postcode"
AMOUNT = "amount"
CHANNEL = "channel"
PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a reply means, and whether that is beyond doubt.

    `kind` is ``stop``, ``start``, ``help``, ``yes``, ``no``, another row's of the table, that of a keyword that the ask
    offers (``host``), ``postcode``, ``amount``, ``number``, or ``none``: then nobody is opted in or out.
    """

    kind: str
    locale: str = ""
    """The language of the words that decided it."""
    word: str = ""
    """Those words as `fold` writes them."""
    value: str = ""
    """What was given along: a postcode (``SW1A 1AA``), an amount (``25.00 EUR``), the days or the month of a pause
    (``14``, ``--01``; see `keywords_values.pause_days`), a channel (``email``), a code or a text."""
    guests: int | None = None
    """How many they will be in all, themselves included. Beyond `keywords_values.MOST_GUESTS` it is not `certain`."""
    suggestion: str = ""
    """Where `kind` is ``none``, what a person might find that it means. Nothing acts on it by itself."""
    certain: bool = True
    """False where the meaning was guessed at (a slip of the thumb, a number that is too large) or there is none."""
