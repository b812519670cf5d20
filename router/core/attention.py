"""What the contact budget is asked about, and what it answers: the ask, its recipient, the dial, the refusal."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Dial(StrEnum):
    """How much of us a member wants. Each step keeps what the one before it keeps, so that less is never more."""

    EVERYTHING = "everything"
    WEEKLY = "weekly"
    """One ask in seven days."""
    URGENT_ONLY = "urgent_only"
    """Of these only the urgent ones."""
    PAUSED = "paused"
    """None, until the member turns the dial back. For a pause that ends by itself see `Recipient.paused_until`."""


class Refusal(StrEnum):
    """Why an ask may not come. `told` is the reason that the member reads, `sentence` its words."""

    CAP = "cap"
    """As many asks as one person bears in a day, a week or a month."""
    GAP = "gap"
    """Too soon after, or before, another one. For the member this is `CAP`."""
    DIAL = "dial"
    """The member asked for less."""
    PAUSED = "paused"
    """The member asked for a pause."""
    NEWCOMER = "newcomer"
    """Somebody who joined lately hears less at first."""
    SILENT = "silent"
    """No answer for so long that the next ask must be whether they still want to hear from us."""
    LET_GO = "let_go"
    """That was asked once, and not answered either."""

    @property
    def told(self) -> Refusal:
        """What the member is told: a gap is a cap to them."""
        return Refusal.CAP if self is Refusal.GAP else self

    @property
    def sentence(self) -> str:
        """What a member reads when they ask why."""
        return _SENTENCES[self.told]


_SENTENCES: Mapping[Refusal, str] = {
    Refusal.CAP: "You had heard from us often enough; this one was left out to spare your attention.",
    Refusal.DIAL: "You asked to hear from us less, so this one was left out.",
    Refusal.PAUSED: "You asked us to pause, so we did.",
    Refusal.NEWCOMER: "You joined only lately, and we begin with few messages; this one was left out.",
    Refusal.SILENT: "You have not answered for a long time, so we ask first whether you still want to hear from us.",
    Refusal.LET_GO: "You have not answered for a long time, nor when we asked, so we stopped. Write to us if you like.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The follow-ups of one campaign, for those who said YES to it. They cost nothing until `until`, its deadline."""

    campaign: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAsk:
    """What the budget must know of an ask; the same for all its members."""

    campaign: int
    priority: int = 0
    """Higher is more important. Only a higher one may take a slot; equals never take from one another."""
    deadline: datetime | None = None
    """After this it is of no use. Of two lesser asks the one with more time left gives way."""
    urgent: bool = False
    """Passes a dial that stands at `Dial.URGENT_ONLY`. Lifts no cap."""
    override: bool = False
    """A second approver raised the budget to its ceiling for this ask, and that approval has not run out."""
    answerable: bool = False
    """An answer could be seen (tracked link, keyword, button, connected action source), so that none means none."""
    unseen: Set[str] = frozenset()
    """Channels on which it could not be seen all the same."""
    permission: bool = False
    """It only asks whether the member still wants to hear from us."""
    free: bool = False
    """A service message or a report-back: costs nothing, and passes everything that is decided here."""
    thread: Thread | None = None
    """It follows up a campaign, free for those who said YES to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What the budget must know of one member beside the purse, which a household shares."""

    dial: Dial = Dial.EVERYTHING
    paused_until: datetime | None = None
    """No ask before this moment; afterwards what `dial` says."""
    joined_at: datetime | None = None
    """None where it is not known, or too long ago to matter."""
    joined_by: int = 0
    """The campaign through which they joined; 0 where it is not known."""
    said_yes: bool = False
    """To the campaign that the ask's `thread` follows up."""


ANYBODY = Recipient()
"""Joined long ago, wants everything, said nothing: most people, so that nothing must be made for them."""
