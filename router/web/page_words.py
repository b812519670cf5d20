"""What members' pages call the things that the ledger knows by name: channels, and what people did."""

from __future__ import annotations

from collections.abc import Mapping

from babel.dates import get_day_names

from router.core.catalogue import Translator, gettext_noop
from router.core.policy_words import runs_of
from router.core.quiet_hours_file import Week

CHANNELS: Mapping[str, str] = {
    "sms": gettext_noop("text message"),
    "email": gettext_noop("email"),
    "whatsapp": "WhatsApp",
    "telegram": "Telegram",
    "slack": "Slack",
    "webpush": gettext_noop("notification in the browser"),
    "fcm": gettext_noop("notification of our app"),
}
"""By which a message came."""

_DEEDS: Mapping[str, str] = {
    "yes": gettext_noop("said yes"),
    "no": gettext_noop("said no"),
    "click": gettext_noop("opened the link"),
    "signed": gettext_noop("signed"),
    "shared": gettext_noop("passed it on"),
    "share": gettext_noop("asked for a link to pass on"),
    "gave": gettext_noop("gave"),
    "give": gettext_noop("promised a gift"),
    "refund": gettext_noop("got a gift back"),
    "called": gettext_noop("called"),
    "call": gettext_noop("took on a call"),
    "came": gettext_noop("came"),
    "hosted": gettext_noop("hosted"),
    "host": gettext_noop("offered to host"),
    "volunteered": gettext_noop("volunteered"),
}


def channel_name(speak: Translator, channel: str) -> str:
    """How somebody is written to: ``text message``; a channel of the installation's own by its own name."""
    known = CHANNELS.get(channel)
    return speak.gettext(known) if known else channel.capitalize()


def week_in(speak: Translator, week: Week) -> str:
    """``Mon–Fri 09:00-20:30, Sat 10:00-20:00 and Sun closed``"""
    names = get_day_names("abbreviated", locale=speak.language)
    closed = speak.gettext("closed")
    said = []
    for hours, run in runs_of(week):
        first, last = names[run[0]], names[run[-1]]
        said.append(f"{first if first == last else f'{first}–{last}'} {hours or closed}")
    return speak.listed(said)


def deed_name(speak: Translator, kind: str) -> str:
    """What somebody did; a kind that a program of the movement's own made up is shown as it is called there."""
    known = _DEEDS.get(kind)
    return speak.gettext(known) if known else kind.replace("_", " ")
