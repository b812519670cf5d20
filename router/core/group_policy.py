"""The ``[groups]`` tree of ``config/policy.toml``: group first, then the rest; how often a tally changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from router.core.launch_policy import Wait


class GroupPolicy(BaseModel):
    """How an ask goes through a group's chat."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    first: Wait
    """Minutes that a group's own members have to answer there before they are asked one by one."""
    edit_seconds: Annotated[list[Annotated[int, Field(ge=1, le=86_400)]], Field(min_length=1, max_length=20)]
    """Pauses before the first, the second … edit of the tally under a post; the last one stays."""
    answers_an_hour: Annotated[int, Field(ge=1, le=1_000)]
    """What the bot says in one group within an hour, whoever asks it; beyond that it is silent there."""

    def edit_pause(self, edits: int) -> timedelta:
        """How long a post that was edited so often rests before the next edit."""
        return timedelta(seconds=self.edit_seconds[min(edits, len(self.edit_seconds) - 1)])
