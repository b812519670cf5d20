"""The rules of the house that an operator may change: ``config/policy.toml``, checked when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from router.core.budget_limits import BudgetRules, rules_of
from router.core.budget_policy import BudgetSection
from router.core.changes_policy import ChangesPolicy
from router.core.errors import BadInput
from router.core.group_policy import GroupPolicy
from router.core.inbox_policy import InboxPolicy
from router.core.launch_policy import (
    ComparisonPolicy,
    GuardPolicy,
    HoldOutPolicy,
    LaunchPolicy,
    SpendPolicy,
    SurgePolicy,
    Wait,
)
from router.core.proposal_policy import ProposalPolicy
from router.core.report_policy import OpenPolicy, ReportBackPolicy
from router.core.retention_policy import RetentionPolicy


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LifetimePolicy(_Section):
    """How long an ask is worth sending after its launch, where its deadline does not end it sooner."""

    normal_hours: Annotated[int, Field(ge=1, le=24 * 30)]
    urgent_hours: Annotated[int, Field(ge=1, le=24 * 7)]


class RetryPolicy(_Section):
    """When a failed delivery is tried again (`core.delivery`)."""

    recipient_minutes: Annotated[list[int], Field(min_length=1, max_length=10)]
    """Waits before each further try of a phone that is off or a mailbox that is full."""
    transport_seconds: Annotated[list[int], Field(min_length=1, max_length=10)]
    """Waits before each further try after a connect error."""
    rate_seconds: Annotated[int, Field(ge=1, le=3600)]
    """How long a bucket pauses where the provider throttles without saying for how long."""
    dead_after_failures: Annotated[int, Field(ge=1, le=100)]
    """An address that was out of reach so often in a row …"""
    dead_after_days: Annotated[int, Field(ge=0, le=365)]
    """… over so many days is taken for dead."""
    unknown_horizon_hours: Annotated[int, Field(ge=1, le=24 * 30)]
    """After so long without a receipt an unknown outcome is final."""


class BreakerPolicy(_Section):
    """When a sender rests, and how weight moves between those of a pool (`core.standing`)."""

    config_failures: Annotated[int, Field(ge=1, le=1000)]
    """So many faults of our own among the last sends, and it rests."""
    failing_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """So large a share of failures among the last sends, and it rests."""
    of_last: Annotated[int, Field(ge=1, le=10_000)]
    """How many are the last."""
    rest_seconds: Annotated[int, Field(ge=1, le=86_400)]
    worrying_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """So large a share of failures and slow answers, and weight moves to the others of its pool."""
    shift: Annotated[float, Field(gt=0, le=1, strict=False)]
    """How much of its weight moves at once."""
    shift_seconds: Annotated[int, Field(ge=1, le=86_400)]
    drift_seconds: Annotated[int, Field(ge=1, le=86_400)]
    """How often weights that moved go one step back."""


class Policy(_Section):
    """All of ``config/policy.toml``."""

    budget: BudgetSection
    lifetime: LifetimePolicy
    launch: LaunchPolicy
    retry: RetryPolicy
    breaker: BreakerPolicy
    guard: GuardPolicy
    spend: SpendPolicy
    waits: Mapping[str, Wait]
    """channel → how long it is waited for before the next one's turn; ``default`` for the others."""
    surge: SurgePolicy
    hold_out: HoldOutPolicy
    comparison: ComparisonPolicy
    inbox: InboxPolicy
    report_back: ReportBackPolicy
    open: OpenPolicy
    retention: RetentionPolicy
    groups: GroupPolicy
    proposals: ProposalPolicy
    changes: ChangesPolicy
    stop_covers: Mapping[str, list[str]]
    """channel → the channels that a STOP there silences too."""

    @field_validator("waits")
    @classmethod
    def _has_default(cls, waits: Mapping[str, Wait]) -> Mapping[str, Wait]:
        if "default" not in waits:
            raise ValueError("needs a default for channels without a wait of their own")
        return waits

    @cached_property
    def budget_rules(self) -> BudgetRules:
        """`budget`, made ready for decisions."""
        return rules_of(self.budget)


def read_policy(data: Mapping[str, Any], *, file: str = "policy.toml") -> Policy:
    """Check a policy file's content; raises `BadInput` with file, key and sentence."""
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(first["msg"], place=f"{file}: {'.'.join(str(part) for part in first['loc'])}") from None
