"""A claim and its letters: what one intent allows to be sent, and how each is put into words."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.channel import ChannelSpec, OutboundMessage
from router.core.consent import Allow
from router.core.content import Renderer
from router.core.links import action_token, unsubscribe_token
from router.core.model import DeliveryRef, Member
from router.messages import load_message_templates
from router.runtime import Runtime
from router.store.batches import Batch
from router.store.campaigns import read_ask

_KEPT_RENDERERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One claimed delivery that was found allowed to leave."""

    ref: DeliveryRef
    member: Member
    allow: Allow
    attempts: int
    """How many tries this makes, this one counted."""
    hop: int
    costs: bool
    valid_seconds: int
    expires_at: datetime | None
    text: str | None = None
    """Words of its own, for the answer to a keyword; the campaign's words where None."""


@dataclass(slots=True, kw_only=True)
class Claim:
    """The rows of one intent. `id` was made before the commit, so that the ledger can be asked about it after."""

    id: int
    batch: Batch
    account: str
    started: float = 0.0
    """Monotonic seconds, taken before the intent (rule 8)."""


class Writer:
    """Puts the letters of one version of one campaign into words for one channel."""

    def __init__(self, runtime: Runtime, renderer: Renderer, spec: ChannelSpec, *, has_link: bool) -> None:
        self._renderer = renderer
        self._spec = spec
        self._key = runtime.key
        self._base = runtime.settings.public_url.rstrip("/")
        self._has_link = has_link

    def write(self, letter: Letter, now: datetime) -> OutboundMessage:
        """The message as it leaves."""
        unsubscribe = ""
        if self._spec.html:
            unsubscribe = f"{self._base}/u/{unsubscribe_token(self._key, letter.ref)}"
        if letter.text is not None:
            text, subject, html, locale = letter.text, "", "", letter.member.locale
        else:
            link = f"{self._base}/a/{action_token(self._key, letter.ref)}" if self._has_link else ""
            rendered = self._renderer.render(
                letter.member, self._spec.name, self._spec, link=link, unsubscribe_url=unsubscribe
            )
            text, subject, html, locale = rendered.text, rendered.subject, rendered.html, rendered.locale
        return OutboundMessage(
            allow=letter.allow,
            delivery=letter.ref,
            text=text,
            subject=subject,
            html=html,
            locale=locale,
            valid_seconds=letter.valid_seconds,
            unsubscribe_url=unsubscribe,
            now=now,
        )


def renderer_of(runtime: Runtime, ask: Ask) -> Renderer:
    """The compiled words of an ask, with this installation's sender and footer."""
    return Renderer(
        ask,
        organization=runtime.settings.organization,
        postal_address=runtime.settings.postal_address,
        templates=load_message_templates(),
    )


class Writers:
    """Writers by campaign, version and channel: compiled once, the least used let go."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept: OrderedDict[tuple[int, int, str], Writer] = OrderedDict()

    async def get(self, connection: AsyncConnection, campaign_id: int, version: int, channel: str) -> Writer:
        """The writer for this version of a campaign's words."""
        key = (campaign_id, version, channel)
        writer = self._kept.get(key)
        if writer is None:
            ask = await read_ask(connection, campaign_id, version)
            writer = Writer(
                self._runtime,
                renderer_of(self._runtime, ask),
                self._runtime.specs[channel],
                has_link=bool(ask.link),
            )
            self._kept[key] = writer
            while len(self._kept) > _KEPT_RENDERERS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return writer
