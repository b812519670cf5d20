"""An ask: what we want of people, in which words, from whom, by when. One model for ``ASK.toml`` and for the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.core.audience import Everyone, Filter, Number, check_size
from router.core.ladder import Rung
from router.core.model import AskKind, Purpose
from router.core.moments import LocalTime, Moment

LOCALE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
ANY_CHANNEL = "default"
"""The key under which a locale keeps the text for every channel that has none of its own."""


class AskButton(BaseModel):
    """Something to press under the text, on channels that have buttons; elsewhere the text itself says what to do."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    label: Annotated[str, Field(min_length=1, max_length=20)]
    """WhatsApp takes 20 characters, the narrowest of all."""
    reply: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9 ]{0,18}[A-Z0-9])?$")] = ""
    """The keyword that pressing it stands for (``YES``), as if it had been written."""
    link: bool = False
    """Or it opens the ask's link."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> AskButton:
        if bool(self.reply) == self.link:
            raise ValueError("a button has either a reply or link = true")
        return self


class AskPicture(BaseModel):
    """One picture; channels without pictures get its address under the text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: Annotated[str, Field(max_length=1_000, pattern=r"^https?://[^\s]+$")]
    alt: Annotated[str, Field(min_length=1, max_length=400)]
    """What it shows, for those who cannot see it."""


class WaterfallStep(BaseModel):
    """How long to wait on one channel, and what ends the waiting well."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    channel: Annotated[str, Field(min_length=1, max_length=20)]
    wait_minutes: Annotated[int | None, Field(ge=1, le=7 * 24 * 60)] = None
    """The provider may try for so long; the policy's wait where it is left out."""
    success: Literal["delivered", "acted"] = "delivered"
    """``delivered``: the next channel only once non-delivery is proven. ``acted``: also where nobody acted in time,
    once, and it costs contact budget."""


class Goal(BaseModel):
    """What the ask is meant to reach, measured by the actions it brings."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    measure: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    """The kind of action that counts: ``yes``, ``signed``, ``gave``, ``host`` …"""
    target: Annotated[int | None, Field(ge=1, le=10**12)] = None
    """How many of them; with `currency` how much, in whole units of it."""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    places: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[int, Field(ge=1)]], Field(max_length=1000)
    ] = {}
    """Or one target for each place, as `member.place` names it; capitals and spaces around it make no difference."""

    @model_validator(mode="after")
    def _has_one_target(self) -> Goal:
        if (self.target is None) == (not self.places):
            raise ValueError("a goal has either a target or places with a target each")
        names = [name.strip().casefold() for name in self.places]
        if twice := next((name for name in self.places if names.count(name.strip().casefold()) > 1), ""):
            raise ValueError(f"places names {twice} twice, apart from capitals and spaces; give it one target")
        return self


class Gathering(BaseModel):
    """Many local events of one ask, which its people host and come to."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    """What each is called where its host gives it no name of its own."""
    starts_at_local: LocalTime
    """By the clock of the place where each is."""
    minutes: Annotated[int, Field(ge=15, le=24 * 60)] = 120
    seats: Annotated[int, Field(ge=1, le=10_000)] = 8
    """For guests, where a host does not say."""
    of: Number | None = None
    """The campaign whose events these are (hosts were asked there); its own where it is left out."""
    approval: bool = True
    """Organizers look at an event before it opens, except those of trusted hosts."""
    sides: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z ]{0,18}[A-Z]$")], ...], Field(max_length=2, strict=False)
    ] = ()
    """Two groups of people who are to meet (``NEWCOMER``, ``NEIGHBOUR``); guests say which they are. Empty: none."""

    @model_validator(mode="after")
    def _two_or_none(self) -> Gathering:
        if len(set(self.sides)) == 1:
            raise ValueError("sides are two different ones, or none")
        return self


class Spend(BaseModel):
    """At most so much money."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    amount: Annotated[float, Field(gt=0, le=10**9, strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"


class Text(BaseModel):
    """The words for one locale and one channel (or for all: `ANY_CHANNEL`). Jinja2, limited to what is offered."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    subject: Annotated[str, Field(max_length=200)] = ""
    """For channels with titles (email, notifications); the ask's title where it is empty."""
    buttons: Annotated[tuple[AskButton, ...], Field(max_length=8, strict=False)] = ()
    template: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """The provider's name of an approved text (WhatsApp: a Content SID), which goes out where ours may not."""
    variables: Annotated[dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,40}$")], str], Field(max_length=50)] = {}
    """What fills that text's holes, each a small text like ours. ``button:YES`` is what a button that means YES
    carries."""


class Ask(BaseModel):
    """One ask as its author writes it. What cannot work is refused when it is saved, never when it is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Annotated[AskKind, Field(strict=False)] = AskKind.ASK
    about: Number | None = None
    """For service messages: the campaign that people signed up to (or got the wrong text of)."""
    about_versions: Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], Field(max_length=100)] = []
    """For corrections: the text versions that were wrong; all of them where it is empty."""
    texts: Annotated[dict[Annotated[str, Field(pattern=LOCALE)], dict[str, Text]], Field(min_length=1)]
    """locale → channel name or ``default`` → words."""
    default_locale: Annotated[str, Field(pattern=LOCALE)] = "en"
    link: Annotated[str, Field(max_length=2_000, pattern=r"^https?://[^\s]+$|^$")] = ""
    """Where ``{{ link }}`` leads, by way of a short link of our own. May be edited after the launch."""
    picture: AskPicture | None = None
    channels: Annotated[list[str], Field(max_length=20)] = []
    """Only these channels; all that are set up where it is empty."""
    audience: Filter = Everyone()
    groups: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)] = []
    """Also post it in the chats of groups with any of these tags; ``group:42`` is one by its number, ``all`` every one.
    Their members hear of it there first (`core.group_first`)."""
    priority: Annotated[int, Field(ge=-10, le=10)] = 0
    """Of asks that compete for somebody's attention the higher one goes first. Lifts no cap."""
    purpose: Annotated[Purpose, Field(strict=False)] = Purpose.GENERAL
    wants: Annotated[Rung, Field(strict=False)] = Rung.CUSTOM
    """What it asks people to do; decides what their replies mean (``core/ladder.py``)."""
    keywords: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Z0-9]([A-Z0-9 ]{0,18}[A-Z0-9])?$")]], Field(max_length=20)
    ] = []
    """Words of its own that people may answer with, beside its buttons and those that `wants` brings."""
    gathering: Gathering | None = None
    """For asks to host or to come to many local events at once."""
    paced: bool = False
    """It goes out only as fast as organizers can answer those who write back."""
    follows: Number | None = None
    """The campaign whose thread this belongs to: free for those who said YES to it (`core.attention.Thread`)."""
    asks_permission: bool = False
    """It only asks whether people still want to hear from us: the one ask that those who fell silent get."""
    alert: bool = False
    """To those who agreed to alerts: on all their channels at once, at any hour. Never for fundraising."""
    tonight: bool = False
    """The preset for an emergency: urgent, a ramp instead of a canary, short waits between channels."""
    waterfall: Annotated[list[WaterfallStep], Field(max_length=20)] = []
    """The order of channels after the member's own, and how long to wait on each."""
    goal: Goal | None = None
    stop_at_goal: bool = False
    """Once the goal is met, whoever was not asked yet is left in peace."""
    spend_limit: Spend | None = None
    """It pauses before it costs more."""
    second: dict[Annotated[str, Field(pattern=LOCALE)], dict[str, Text]] = {}
    """A second text for half of the people, to be compared; same shape as `texts`."""
    hold_out: bool = False
    """Leave some out by lot, to learn what blasts really change."""
    urgent: bool = False
    """Goes in the urgent lane and lives 6 h instead of 72 h. Lifts no cap and no consent."""
    deadline: Moment | None = None
    """After this moment it is of no use any more and is not sent."""
    starts_at: Moment | None = None
    """When it may leave at the earliest; at once where it is left out."""
    starts_at_local: LocalTime | None = None
    """The same by each member's own clock (``2026-12-01T18:00``). Not together with `starts_at`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Ask:
        if self.default_locale not in self.texts:
            raise ValueError(f"texts has no {self.default_locale!r}, which is the default_locale")
        if ANY_CHANNEL not in self.texts[self.default_locale] and not self.channels:
            raise ValueError(f"texts.{self.default_locale} needs a default text, or channels must name those it has")
        if self.starts_at and self.starts_at_local:
            raise ValueError("give starts_at or starts_at_local, not both")
        if self.starts_at and self.deadline and self.starts_at >= self.deadline:
            raise ValueError("starts_at must lie before the deadline")
        needs_about = self.kind.is_service and self.kind not in (AskKind.WELCOME, AskKind.REPLY)
        if needs_about and self.about is None:
            raise ValueError(f"a {self.kind.value} must say with about which campaign it belongs to")
        if self.about_versions and self.kind is not AskKind.CORRECTION:
            raise ValueError("about_versions goes with a correction only")
        check_size(self.audience)
        for sentence in self._contradictions():
            raise ValueError(sentence)
        return self

    def _contradictions(self) -> Iterator[str]:
        """What cannot be meant, in one sentence each."""
        owed = self.purpose.is_owed or self.kind.is_service
        named = [step.channel for step in self.waterfall]
        if twice := next((name for name in named if named.count(name) > 1), ""):
            yield f"waterfall names {twice} twice; each channel has one step"
        if self.channels and (unknown := next((name for name in named if name not in self.channels), "")):
            yield f"waterfall has a step for {unknown}, which channels leaves out"
        if self.kind.is_service and any(step.success == "acted" for step in self.waterfall):
            yield f"a {self.kind.value} asks for nothing, so nobody's silence is waited for; leave out success = acted"
        if self.stop_at_goal and self.goal is None:
            yield "stop_at_goal needs a goal with a measure and a target"
        if self.stop_at_goal and owed:
            yield "everybody is owed a ballot, a meeting, a notice and a service message: no goal stops them"
        if self.alert and self.purpose is Purpose.FUNDRAISING:
            yield "an alert is never for fundraising"
        if self.tonight and self.deadline is None:
            yield "tonight needs a deadline"
        if self.wants is not Rung.CUSTOM and self.kind is not AskKind.ASK:
            yield f"a {self.kind.value} asks for nothing; leave out wants"
        if self.gathering is not None and self.wants not in (Rung.ATTEND, Rung.HOST):
            yield "a gathering goes with wants = attend or host"
        if self.paced and (self.is_urgent or owed):
            yield "what is urgent or owed to everybody does not wait for organizers; leave out paced"
        if self.hold_out and (owed or self.alert):
            yield "nobody is held out of a ballot, a meeting, a notice, an alert or a service message"
        if self.follows is not None and self.kind is not AskKind.ASK:
            yield "only an ask can follow a campaign; other kinds cost nothing anyway"
        if self.asks_permission and self.kind is not AskKind.ASK:
            yield "asks_permission goes with an ask only"
        if missing := next((name for name in self.second if name not in self.texts), ""):
            yield f"second has words in {missing!r}, texts has none to compare them with"

    @property
    def is_urgent(self) -> bool:
        """Urgent by itself, as an alert, or by the preset for tonight."""
        return self.urgent or self.alert or self.tonight

    @property
    def is_answerable(self) -> bool:
        """Whether an answer could be seen: a link of ours, a keyword, or a button."""
        return (
            bool(self.link or self.keywords)
            or self.wants is not Rung.CUSTOM
            or any(words.buttons for by_channel in self.texts.values() for words in by_channel.values())
        )

    def words(self, locale: str, channel: str, variant: int = 0) -> tuple[str, Text] | None:
        """The text for a member's `locale` on `channel` and the locale it is in, or None where there is none.

        Looks for the exact locale, then its language, then the default locale; in each for the channel's own text,
        then for the text for all. With `variant` 1 it is the second text there, where there is one: the channel's own,
        or the one for all in place of the first one for all.
        """
        for candidate in (locale, locale.partition("-")[0], self.default_locale):
            by_channel = self.texts.get(candidate)
            if by_channel:
                found = by_channel.get(channel) or by_channel.get(ANY_CHANNEL)
                if found:
                    return candidate, (self._second(candidate, channel) if variant else None) or found
        return None

    def _second(self, locale: str, channel: str) -> Text | None:
        by_channel = self.second.get(locale, {})
        return by_channel.get(channel) or (None if channel in self.texts[locale] else by_channel.get(ANY_CHANNEL))

    def every_text(self) -> Iterator[tuple[str, str, str, Text]]:
        """Each text, the first and the second, as (place, locale, channel, words): ``second.en.sms``."""
        for name, texts in (("texts", self.texts), ("second", self.second)):
            for locale, by_channel in texts.items():
                for channel, words in by_channel.items():
                    yield f"{name}.{locale}.{channel}", locale, channel, words

    def has_own_words(self, locale: str, channel: str, *, second: bool = False) -> bool:
        """Whether a channel has words of its own in a locale, so that those for all, or their `second`, stay away."""
        return channel in self.texts[locale] or (second and channel in self.second.get(locale, {}))
