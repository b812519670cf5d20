"""From an ask to a running campaign: save, preview, approve, launch, pause, edit, resume, cancel, correct.

API, command line and dashboard call these functions; they hold no rules of their own. Each takes the `Runtime`, who
does it (`by`) and the moment (`now`), checks the state it needs inside one transaction, and leaves an audit row.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from router.core.ask import Ask
from router.core.model import AskKind, CampaignStatus
from router.runtime import Runtime


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class CampaignView(_View):
    """One campaign as its organizers see it."""

    id: int
    title: str
    kind: AskKind
    status: CampaignStatus
    text_version: int
    created_by: str
    approved_by: str | None
    created_at: datetime
    launched_at: datetime | None
    starts_at: datetime | None
    """Nothing leaves before."""
    expires_at: datetime | None
    pause_reason: str
    routed: int
    """How many ranges of the audience are routed …"""
    ranges: int
    """… of how many."""
    counts: dict[str, dict[str, int]]
    """channel → delivery status → how many; "" for those held before a channel was chosen."""
    held: dict[str, int]
    """reason → how many were held back."""
    ask: Ask


class Preview(_View):
    """What a launch would do now, by the very function that decides it then."""

    members: int
    """How many the audience has."""
    by_channel: dict[str, int]
    by_reason: dict[str, int]
    """Held back, by `Reason`."""
    by_locale: dict[str, int]
    """How many would read it in each locale."""
    default_text: int
    """How many get the default locale's text because theirs is missing."""
    deferred: int
    """How many wait for their quiet hours to end."""
    segments: int
    """SMS segments in all."""
    cost: dict[str, float]
    """currency → price of it all."""
    seconds: float
    """How long the sending takes at the present rates, quiet hours apart."""
    finishes_at: datetime
    samples: dict[str, str]
    """channel → the message as a first member would read it."""


async def save_campaign(runtime: Runtime, ask: Ask, *, by: str, now: datetime) -> CampaignView:
    """Check an ask against everything that could fail later, and save it as a draft. Raises `BadInput`."""
    raise NotImplementedError


async def view_campaign(runtime: Runtime, campaign_id: int) -> CampaignView:
    """One campaign with its counts. Raises `NotFound`."""
    raise NotImplementedError


async def list_campaigns(runtime: Runtime, *, limit: int = 50, before: int | None = None) -> list[CampaignView]:
    """The newest campaigns first; `before` is the id to go on from."""
    raise NotImplementedError


async def preview_campaign(runtime: Runtime, campaign_id: int, *, now: datetime) -> Preview:
    """A dry run: nothing is written."""
    raise NotImplementedError


async def approve_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """draft → approved. Raises `NotAllowed` from any other state."""
    raise NotImplementedError


async def launch_campaign(
    runtime: Runtime, campaign_id: int, *, by: str, now: datetime, undo_seconds: int | None = None
) -> CampaignView:
    """approved → scheduled. Nothing leaves before the undo time and the schedule are over."""
    raise NotImplementedError


async def pause_campaign(runtime: Runtime, campaign_id: int, *, by: str, reason: str, now: datetime) -> CampaignView:
    """scheduled or running → paused."""
    raise NotImplementedError


async def edit_campaign(runtime: Runtime, campaign_id: int, ask: Ask, *, by: str, now: datetime) -> CampaignView:
    """New words for a draft or a paused campaign; who has it already is not written to again."""
    raise NotImplementedError


async def resume_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """paused → running (or scheduled, if it had not begun)."""
    raise NotImplementedError


async def cancel_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """Any state that is not final → cancelled. What has not left is withdrawn and its budget refunded."""
    raise NotImplementedError


async def test_send(runtime: Runtime, ask: Ask, *, to: str, now: datetime) -> str:
    """Send the real rendering to one address of one's own; returns a sentence that says what went where."""
    raise NotImplementedError
