"""The live total of an ask with a goal, as anybody may see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text

from router.core.giving import say_sum
from router.core.goals import Progress
from router.core.phrases import say
from router.goals import read_progress
from router.runtime import Runtime
from router.store.acts import MANY
from router.store.recent import Recent
from router.store.running import read_known_ask


class _Shown(NamedTuple):
    """What of a campaign is public."""

    progress: Progress
    currency: str
    default_locale: str


_FRESH, _FRESH_OF_MANY = timedelta(seconds=2), timedelta(seconds=10)
"""How old a total may be that is shown to everybody. Where it is of more than `MANY` it is counted anew beside."""


def _is_of_many(shown: _Shown | None) -> bool:
    return shown is not None and shown.progress.reached > MANY


_shown: Recent[_Shown | None] = Recent(
    lambda shown: _FRESH_OF_MANY if _is_of_many(shown) else _FRESH, read_ahead=_is_of_many
)


class Total(NamedTuple):
    """How far a goal is."""

    progress: Progress
    currency: str
    """"" where people are counted."""
    locale: str
    sentence: str
    """The same in words of that locale."""


async def read_total(runtime: Runtime, campaign_id: int, locale: str, *, now: datetime) -> Total | None:
    """A campaign's total in the words of `locale`, "" for the ask's own; of at most two seconds ago, of many ten.

    None where the campaign has no goal or was not launched: then it is nobody's business yet.
    """
    found = await _shown.get(runtime.store, campaign_id, lambda: _read(runtime, campaign_id), now=now)
    if found is None:
        return None
    spoken = locale or found.default_locale
    return Total(found.progress, found.currency, spoken, say_total(found.progress, found.currency, spoken))


def say_total(progress: Progress, currency: str, locale: str) -> str:
    """How far it is, in a sentence."""
    phrase = "giving.total_met" if progress.is_met else "giving.total"
    reached, target = (say_sum(number, currency, locale) for number in (progress.reached, progress.target))
    return say(phrase, locale, reached=reached, target=target)


async def _read(runtime: Runtime, campaign_id: int) -> _Shown | None:
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT text_version FROM campaign WHERE id = :id AND launched_at IS NOT NULL AND kind <> 'reply'"
                ),
                {"id": campaign_id},
            )
        ).one_or_none()
        if row is None:
            return None
        ask = await read_known_ask(runtime.store, connection, campaign_id, row.text_version)
        if ask.goal is None:
            return None
        progress = await read_progress(connection, campaign_id, ask.goal)
    return _Shown(progress, ask.goal.currency, ask.default_locale)
