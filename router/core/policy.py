"""The rules of the house that an operator may change: ``config/policy.toml``, checked when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.core.errors import BadInput


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BudgetPolicy(_Section):
    """How many asks one person bears. Service messages cost nothing."""

    asks: Annotated[int, Field(ge=1, le=100)]
    """At most so many asks …"""
    days: Annotated[int, Field(ge=1, le=30)]
    """… within so many days."""


class LifetimePolicy(_Section):
    """How long an ask is worth sending after its launch, where its deadline does not end it sooner."""

    normal_hours: Annotated[int, Field(ge=1, le=24 * 30)]
    urgent_hours: Annotated[int, Field(ge=1, le=24 * 7)]


class LaunchPolicy(_Section):
    """What happens between the launch and the first message."""

    undo_seconds: Annotated[int, Field(ge=0, le=3600)]
    """Nothing leaves for so long after a launch, so that it can be taken back."""


class RetryPolicy(_Section):
    """When a failed delivery is tried again (`core.delivery`)."""

    recipient_minutes: Annotated[list[int], Field(min_length=1, max_length=10)]
    """Waits before each further try of a phone that is off or a mailbox that is full."""
    transport_seconds: Annotated[list[int], Field(min_length=1, max_length=10)]
    """Waits before each further try after a connect error."""
    rate_seconds: Annotated[int, Field(ge=1, le=3600)]
    """How long a bucket pauses where the provider throttles without saying for how long."""
    unknown_horizon_hours: Annotated[int, Field(ge=1, le=24 * 30)]
    """After so long without a receipt an unknown outcome is final."""


class Policy(_Section):
    """All of ``config/policy.toml``."""

    budget: BudgetPolicy
    lifetime: LifetimePolicy
    launch: LaunchPolicy
    retry: RetryPolicy
    stop_covers: Mapping[str, list[str]]
    """channel → the channels that a STOP there silences too."""


def read_policy(data: Mapping[str, Any], *, file: str = "policy.toml") -> Policy:
    """Check a policy file's content; raises `BadInput` with file, key and sentence."""
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(first["msg"], place=f"{file}: {'.'.join(str(part) for part in first['loc'])}") from None
