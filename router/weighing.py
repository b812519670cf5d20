"""The language and the weight of each member's text, weighed once for all whose words are as long as one another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from router.core.ask import Ask
from router.core.consent import Allow
from router.core.links import action_token
from router.core.model import DeliveryRef, Member
from router.core.sms import count_segments
from router.letters import Letter, renderer_of
from router.runtime import Runtime
from router.store.profiles import KIND, LOCALE, WORDS, ZONE, Telling, read_person

_MOST_KEPT = 50_000
"""Texts that are remembered at a time."""

_COLUMN_OF = {"first_name": "first_name", "last_name": "last_name", "place": "place", "deadline": "zone"}
"""Variable of a text → the column it comes from; ``attribute.NAME`` from ``attributes``."""

_NOT_OF_MEMBERS = frozenset({"link", "forward", "total"})
"""Variables that come from no column."""


class Weights:
    """The language of each member's text, and how many units it counts."""

    def __init__(self, runtime: Runtime, ask: Ask, telling: Telling, now: datetime) -> None:
        self._runtime = runtime
        self._ask = ask
        self._telling = telling
        self._renderer = renderer_of(runtime, ask)
        self._link = f"{runtime.settings.public_url.rstrip('/')}/a/{action_token(runtime.key, unsent_ref(now))}"
        wanted = {
            _COLUMN_OF.get(variable, "attributes")
            for name in runtime.channels
            if runtime.specs[name].counts_segments
            for locale in ask.texts
            if ask.words(locale, name)
            for variant in ((0, 1) if ask.second else (0,))
            for variable in self._renderer.variables(locale, name, runtime.specs[name], variant)
            if variable not in _NOT_OF_MEMBERS
        }
        self.columns = tuple(sorted(wanted - {"zone"}))
        """What must be read of a member beside what routing looks at: `words` of `router.store.profiles`."""
        # By place instead of by name: it is asked for every member.
        self._places = {"zone": ZONE} | {name: WORDS + place for place, name in enumerate(self.columns)}
        self._words: dict[tuple[str, str, int], tuple[str, bool, tuple[int, ...] | None]] = {}
        self._known: dict[Any, int] = {}

    def of(self, profile: Sequence[Any], channel: str, variant: int) -> tuple[str, bool, int]:
        """(locale of the text, whether it is the default for want of theirs, units)."""
        key = profile[LOCALE], channel, variant
        words = self._words.get(key)
        if words is None:
            if len(self._words) >= _MOST_KEPT:
                self._words.clear()
            words = self._words[key] = self._read(*key)
        locale, is_default, places = words
        if places is None:
            return locale, is_default, 1
        shape = (*key, profile[KIND], *[profile[place] for place in places])
        units = self._known.get(shape)
        if units is None:
            person = read_person(profile, "", "", False, self._telling, self.columns)
            rendered = self._renderer.render(
                person, channel, self._runtime.specs[channel], link=self._link, unsubscribe_url="", variant=variant,
                forward=self._link,
            )  # fmt: skip
            units = count_segments(rendered.text).segments
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[shape] = units
        return locale, is_default, units

    def _read(self, member_locale: str, channel: str, variant: int) -> tuple[str, bool, tuple[int, ...] | None]:
        found = self._ask.words(member_locale, channel)
        locale = found[0] if found else self._ask.default_locale
        language = member_locale.partition("-")[0]
        is_default = bool(language) and language != locale.partition("-")[0]
        spec = self._runtime.specs[channel]
        if not spec.counts_segments:
            return locale, is_default, None
        variables = self._renderer.variables(member_locale, channel, spec, variant) - _NOT_OF_MEMBERS
        columns = sorted({_COLUMN_OF.get(name, "attributes") for name in variables})
        return locale, is_default, tuple(self._places[name] for name in columns)


def unsent_ref(now: datetime) -> DeliveryRef:
    """The number of a message that is never sent; it is as long as a real one, so that its link is too."""
    return DeliveryRef(now.year * 100 + now.month, 10_000_000)


def unsent_letter(now: datetime, person: Member, allow: Allow) -> Letter:
    """A letter that shows what somebody would read."""
    return Letter(
        ref=unsent_ref(now),
        member=person,
        allow=allow,
        attempts=1,
        hop=0,
        costs=False,
        valid_seconds=1,
        expires_at=None,
    )
