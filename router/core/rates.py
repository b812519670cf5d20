"""What ``config/channels.toml`` says of a channel: rates, how many requests at once, what a message costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from router.core.errors import BadInput


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no IANA time zone such as America/Los_Angeles") from None
    return name


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Pace(_Rules):
    """How often one chat, group or host is written to."""

    rate: Annotated[float, Field(gt=0, strict=False)]
    """Messages per second."""
    burst: Annotated[float, Field(ge=1, strict=False)] = 1.0


class Daily(_Rules):
    """An allowance of the provider's, or of a carrier behind it, that begins anew each day."""

    cap: Annotated[int, Field(ge=1)]
    """Messages in a day and account."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Where the day begins at midnight."""
    prefix: str = ""
    """Counts only addresses that begin so (``+1``)."""
    share: Annotated[float, Field(gt=0, le=1, strict=False)] = 1.0
    """The share of these that is expected to fall under the allowance, where nobody tells which do."""


class ChannelRules(_Rules):
    """The numbers of one channel; each stands in the file with its source."""

    rate: Annotated[float, Field(ge=0, strict=False)]
    """Messages (or SMS segments) per second and sender; 0 means no limit of ours."""
    burst: Annotated[float, Field(ge=1, strict=False)] = 1.0
    """How many may leave at once after a rest."""
    spare: Annotated[int, Field(ge=0, le=100)] = 1
    """So many of `burst` are left to answers, so that a blast never makes a HELP wait."""
    concurrency: Annotated[int, Field(ge=1, le=1000)]
    """Requests under way at once, per account and process."""
    price: Annotated[float, Field(ge=0, strict=False)] = 0.0
    """What one message (or segment) costs, in `currency`: for previews and spend limits."""
    currency: str = "USD"
    each: Mapping[str, Pace] = {}
    """Kind of place (`ChannelSpec.limit_key`) → how often each one is written to."""
    daily: Daily | None = None
    no_asks_to: Annotated[list[str], Field(strict=False)] = []
    """Beginnings of addresses to which the provider lets no asks through unless they wrote first (``+1``)."""
    weight: Annotated[float, Field(ge=0, le=100, strict=False)] = 1.0
    """An account's share of what its channel sends, beside the others'."""
    accounts: Mapping[str, Mapping[str, Any]] = {}
    """account → what is different for it."""

    def of_account(self, account: str) -> ChannelRules:
        """The same with what is different for one account."""
        own = self.accounts.get(account)
        if not own:
            return self
        return ChannelRules.model_validate({**self.model_dump(exclude={"accounts"}), **own})


UNTOLD = ChannelRules(rate=1, burst=5, concurrency=2)
"""For a channel of which the file says nothing."""


def read_channel_rules(data: Mapping[str, Any], *, file: str = "channels.toml") -> dict[str, ChannelRules]:
    """Check the file's content; raises `BadInput` with file, key and sentence."""
    rules = {}
    for name, section in data.items():
        try:
            rules[name] = ChannelRules.model_validate(section)
            place = name
            for account in rules[name].accounts:
                place = f"{name}.accounts.{account}"
                currency = rules[name].currency
                if rules[name].of_account(account).currency != currency:
                    raise BadInput(f"all accounts are paid in {currency}", place=f"{file}: {place}.currency")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join([name if name not in rules else place, *(str(part) for part in first["loc"])])
            raise BadInput(first["msg"], place=f"{file}: {where}") from None
    return rules
