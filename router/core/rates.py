"""What ``config/channels.toml`` says of a channel: rates, how many requests at once, what a message costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.core.errors import BadInput


class ChannelRules(BaseModel):
    """The numbers of one channel; each stands in the file with its source."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rate: Annotated[float, Field(ge=0, strict=False)]
    """Messages (or SMS segments) per second and account; 0 means no limit of ours."""
    burst: Annotated[float, Field(ge=1, strict=False)] = 1.0
    """How many may leave at once after a rest."""
    concurrency: Annotated[int, Field(ge=1, le=1000)]
    """Requests under way at once, per account and process."""
    price: Annotated[float, Field(ge=0, strict=False)] = 0.0
    """What one message (or segment) costs, in `currency`; for the preview only."""
    currency: str = "USD"


def read_channel_rules(data: Mapping[str, Any], *, file: str = "channels.toml") -> dict[str, ChannelRules]:
    """Check the file's content; raises `BadInput` with file, key and sentence."""
    rules = {}
    for name, section in data.items():
        try:
            rules[name] = ChannelRules.model_validate(section)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join([name, *(str(part) for part in first["loc"])])
            raise BadInput(first["msg"], place=f"{file}: {place}") from None
    return rules
