"""Who must approve a campaign before it may leave: above so many people, somebody other than its authors.

FACTS.md 4.0: "Approval by a second organizer above 1,000 recipients; with only one organizer a 5-minute undo and a
notice to all staff." An *organizer* is who has an account, or holds an unrevoked token, that may launch, known by its
name. Whoever has the command line holds the ledger itself, so the name that is given there counts as it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.errors import NotAllowed
from router.core.roles import Role
from router.runtime import Runtime
from router.store.audience import audience_of
from router.store.tables import from_ms, member

MAY_LAUNCH = frozenset({"campaigns:launch", "admin"})
"""Scopes whose holders are organizers."""

MAY_ANSWER = MAY_LAUNCH | {"inbox:write"}
"""Scopes whose holders work through the inbox."""


class ApprovalMissing(NotAllowed):
    """A second organizer has to approve first; the sentence names who can, and how."""

    def __init__(self, asked: Approval) -> None:
        super().__init__(asked.missing)
        self.on_a_page = asked.wanted
        """The same for whoever is signed in: there, the page is how."""


class Verdict(Enum):
    """What an approval by somebody is worth."""

    ENOUGH = auto()
    ALONE = auto()
    """It is an author's own, and there is nobody else: a longer undo time and a notice take the second's place."""
    MISSING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What approving a campaign depends on."""

    campaign: int
    recipients: int
    above: int
    """More recipients than this need a second organizer."""
    authors: frozenset[str]
    """Who saved it first and who saved its present words, folded by `fold`."""
    others: tuple[str, ...]
    """The organizers beside them, in order of name."""
    approved_by: str | None
    saved_at: datetime
    """When its present words were saved."""

    @property
    def is_needed(self) -> bool:
        """Whether it goes to so many that its authors may not approve it themselves."""
        return self.recipients > self.above

    def of(self, by: str | None) -> Verdict:
        """What the approval by `by` is worth, None where nobody approved."""
        if not self.is_needed or (by is not None and fold(by) not in self.authors):
            return Verdict.ENOUGH
        return Verdict.MISSING if by is None or self.others else Verdict.ALONE

    @property
    def missing(self) -> str:
        """The sentence for `Verdict.MISSING`."""
        return (
            f"{who_of(self.others)} must approve it: outreach approve {self.campaign} --by NAME, or"
            f" POST /api/v1/campaigns/{self.campaign}/approve; {self._size}"
        )

    @property
    def wanted(self) -> str:
        """The same without saying how."""
        return f"{who_of(self.others)} must approve it; {self._size}"

    @property
    def _size(self) -> str:
        own = f", and above {self.above:,} its author's own approval is not enough" if self.others else ""
        return f"it goes to {self.recipients:,} people{own}"

    @property
    def grown(self) -> str:
        """The sentence for an author who is alone, and launched it when it went to fewer."""
        return (
            f"its audience has grown to {self.recipients:,} people since its launch; whoever may launch can let it go"
            f" to all: outreach resume {self.campaign}, or POST /api/v1/campaigns/{self.campaign}/resume"
        )

    def notice(self, starts_at: datetime) -> str:
        """What all staff are told where its author approved it alone."""
        return (
            f"Campaign {self.campaign} goes to {self.recipients:,} people at {starts_at:%Y-%m-%d %H:%M} UTC, approved"
            f" by its author {self.approved_by} alone; until then anybody who may launch can stop it:"
            f" outreach cancel {self.campaign}, or POST /api/v1/campaigns/{self.campaign}/cancel"
        )


def fold(name: str) -> str:
    """Names that differ in case and outer spaces only are one."""
    return name.strip().casefold()


def who_of(others: Sequence[str]) -> str:
    """The organizers who can help, the first two by name."""
    match others:
        case ():
            return "an organizer"
        case (one,):
            return one
        case (one, two):
            return f"{one} or {two}"
        case _:
            return f"{others[0]}, {others[1]} or another organizer"


async def count_recipients(runtime: Runtime, connection: AsyncConnection, ask: Ask) -> int:
    """How many people and groups the audience of an ask has now, whether they may be written to or not."""
    where = audience_of(ask, dialect=runtime.store.dialect)
    return int(await connection.scalar(select(func.count()).select_from(member).where(where)) or 0)


async def read_approval(
    runtime: Runtime, connection: AsyncConnection, campaign_id: int, *, recipients: int
) -> Approval:
    """What approving this campaign depends on now, where it goes to so many."""
    row = (
        await connection.execute(
            text(
                "SELECT c.created_by, c.approved_by, v.saved_by, v.saved_at FROM campaign c"
                " JOIN ask_version v ON v.campaign_id = c.id AND v.version = c.text_version WHERE c.id = :id"
            ),
            {"id": campaign_id},
        )
    ).one()
    authors = frozenset((fold(row.created_by), fold(row.saved_by)))
    return Approval(
        campaign=campaign_id,
        recipients=recipients,
        above=runtime.policy.launch.approval_above,
        authors=authors,
        others=tuple(name for name in await organizers(connection) if fold(name) not in authors),
        approved_by=row.approved_by,
        saved_at=from_ms(row.saved_at),
    )


async def organizers(connection: AsyncConnection, scopes: frozenset[str] = MAY_LAUNCH) -> list[str]:
    """The names of those whose account or token has any of these scopes, each once, in order."""
    rows = await connection.execute(text("SELECT name, scopes FROM api_token WHERE revoked_at IS NULL"))
    names = {fold(row.name): row.name.strip() for row in rows if scopes.intersection(row.scopes.split())}
    rows = await connection.execute(text("SELECT name, role FROM organizer WHERE disabled_at IS NULL"))
    names |= {fold(row.name): row.name for row in rows if scopes.intersection(Role(row.role).scopes)}
    return [names[key] for key in sorted(names)]
