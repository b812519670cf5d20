"""What is told of one member's part in one campaign. Nothing personal is in it but the member's number."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from router.core.model import DeliveryStatus, Reason


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Candidate(_View):
    """One address that was considered."""

    channel: str
    address: int
    verdict: str
    """``chosen``, ``also`` (an alert), ``full`` (passed over), or the reason why not."""
    at: datetime | None
    """When it was to leave at the earliest, where it was chosen."""
    waits: list[str]
    """What it waited for until then: ``local_start``, ``quiet_hours``, ``budget``."""


class Event(_View):
    """An attempt to hand the message to a provider, or a receipt."""

    at: datetime
    what: Literal["attempt", "receipt"]
    outcome: str
    failure: str | None
    """The class of the failure, where an attempt failed."""
    code: str
    """The provider's own code."""
    sentence: str


class Hop(_View):
    """One delivery, or one held row: the first decision, and one more for each retry or fallback."""

    delivery: str
    hop: int
    channel: str
    status: DeliveryStatus
    reason: Reason | None
    decided_at: datetime | None
    candidates: list[Candidate]
    events: list[Event]


class EarlierAsk(_View):
    """What held a place in the contact budget of the member, or of their household, at the first decision."""

    campaign: int
    title: str
    channel: str
    at: datetime
    """When it left, or was to leave."""


class Why(_View):
    """Why a member got a campaign's message, or did not. Holds nothing personal but the member's number."""

    member: int
    campaign: int
    title: str
    outcome: str
    """Status of the last delivery; where there is none ``not_launched``, ``not_routed``, ``outside``, ``dropped``."""
    hops: list[Hop]
    earlier: list[EarlierAsk]
    for_organizers: list[str]
    for_member: list[str]
