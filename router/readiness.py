"""What an organizer should know before an ask leaves: whose approval it takes, how long it can be taken back, and how
many may want silence after it."""

from __future__ import annotations

from typing import NamedTuple

from router.approval import Approval, Verdict, read_approval, who_of
from router.core.guarding import Matter, Watch, limit_of
from router.preview import Preview
from router.runtime import Runtime

USUAL = (1 / 3, 1 / 2)
"""Parts of the guard's limit that are usual: it stands at two to three times of what people bear (`config/policy.toml`,
``[guard.limits]``)."""


class Silence(NamedTuple):
    """How many may ask for silence after an ask on one channel."""

    channel: str
    messages: int
    least: int
    most: int
    limit: float
    """The share above which the guard stops the ask."""


async def tell_approval(runtime: Runtime, campaign_id: int, *, recipients: int, by: str) -> str:
    """Whose approval it takes where it goes to so many, and whether `by` can give it; "" once it has what it takes."""
    async with runtime.store.read() as connection:
        asked = await read_approval(runtime, connection, campaign_id, recipients=recipients)
    if asked.approved_by is not None and asked.of(asked.approved_by) is Verdict.ENOUGH:
        return ""
    if not asked.is_needed:
        return (
            f"It goes to {recipients:,} people. Up to {asked.above:,}, whoever may launch can approve it, its author"
            " among them."
        )
    match asked.of(by):
        case Verdict.MISSING:
            return f"{asked.wanted[:1].upper()}{asked.wanted[1:]}."
        case Verdict.ALONE:
            seconds = runtime.policy.launch.alone_undo_seconds
            return (
                f"It goes to {recipients:,} people. There is no second organizer, so its author approves it alone: it"
                f" waits {seconds:,} seconds after its launch, and all staff are told."
            )
        case Verdict.ENOUGH:
            return f"It goes to {recipients:,} people. {_second(asked)} It is not yours, so you can approve it."


def _second(asked: Approval) -> str:
    others = f": {who_of(asked.others)}" if asked.others else ""
    return f"Above {asked.above:,} it takes somebody beside its author{others}."


def forecast_silence(runtime: Runtime, preview: Preview) -> list[Silence]:
    """How many may ask for silence, by channel, if people take it as they usually do."""
    limits = runtime.policy.guard.limits
    found = []
    for channel, messages in sorted(preview.by_channel.items()):
        limit = limit_of(limits, Watch(Matter.OPT_OUT, channel))
        least, most = [round(messages * limit * part) for part in USUAL]
        found.append(Silence(channel, messages, least, most, limit))
    return found
