"""A claim and its letters: what one intent allows to be sent, and how each is put into words."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.channel import Button, ChannelSpec, OutboundMessage, Picture, Template
from router.core.consent import Allow
from router.core.content import BUTTON, Renderer
from router.core.forward_links import forward_token
from router.core.frozen import frozen
from router.core.links import action_token, unsubscribe_token
from router.core.model import AskKind, DeliveryRef, Member
from router.core.phrases import say
from router.core.waterfall import wait_on
from router.joining import group_link
from router.messages import load_message_templates
from router.runtime import Runtime
from router.store.batches import Batch
from router.store.campaigns import read_ask
from router.store.debts import count_acted
from router.store.spendings import Booked

_KEPT_RENDERERS = 50


@frozen(kw_only=True)
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
    variant: int = 0
    """Which of the ask's two texts: 1 for the second."""
    text: str | None = None
    """Words of its own, for the answer to a keyword; the campaign's words where None."""


@dataclass(slots=True, kw_only=True)
class Claim:
    """The rows of one intent. `id` was made before the commit, so that the ledger can be asked about it after."""

    id: int
    batch: Batch
    started: float = 0.0
    """Monotonic seconds, taken before the intent (rule 8)."""
    booked: Booked | None = None
    """What was put aside for its messages; None where they cost nothing."""


class Writer:
    """Puts the letters of one version of one campaign into words for one channel."""

    def __init__(self, runtime: Runtime, ask: Ask, spec: ChannelSpec, *, campaign_id: int, acted: int = 0) -> None:
        self.ask = ask
        self.acted = acted
        """For a report-back: how many acted on what it is about."""
        self._renderer = renderer_of(runtime, ask)
        self.shows_total = self._renderer.shows_total
        """Whether `know_total` must be told how far the goal is."""
        self._spec = spec
        self._key = runtime.key
        self._base = runtime.settings.public_url.rstrip("/")
        self._has_link = bool(ask.link)
        self._has_forward = self._renderer.shows_forward
        self._organization = runtime.settings.organization
        self._picture = (
            Picture(url=ask.picture.url, alt=ask.picture.alt) if ask.picture is not None and spec.media else None
        )
        self._is_ask = not ask.kind.is_service
        self._urgent = ask.is_urgent
        self._topic = f"ask{campaign_id}"
        self._campaign_id = campaign_id
        self._runtime = runtime
        wait = wait_on(ask, spec.name, runtime.policy.waits)
        self._wait_seconds = None if wait is None else int(wait.total_seconds())

    def know_total(self, reached: int) -> None:
        """The ask's goal is so far now, in people or in whole units of its currency."""
        self._renderer.reached = reached

    def write(self, letter: Letter, now: datetime, *, sender: str = "") -> OutboundMessage:
        """The message as it leaves; `sender` is which of the adapter's `senders` it leaves from."""
        if letter.text is not None:
            return self._answer(letter, letter.text, now, sender)
        member, spec = letter.member, self._spec
        unsubscribe = ""
        if spec.html:
            unsubscribe = f"{self._base}/u/{unsubscribe_token(self._key, letter.ref)}"
        link = f"{self._base}/a/{action_token(self._key, letter.ref)}" if self._has_link else ""
        forward = f"{self._base}/f/{forward_token(self._key, letter.ref)}" if self._has_forward else ""
        rendered = self._renderer.render(
            member, spec.name, spec, link=link, unsubscribe_url=unsubscribe, variant=letter.variant, forward=forward
        )
        return OutboundMessage(
            allow=letter.allow,
            delivery=letter.ref,
            text=rendered.text,
            subject=rendered.subject,
            html=rendered.html,
            locale=rendered.locale,
            link=link,
            buttons=self._buttons(letter, link) if spec.buttons else (),
            picture=self._picture,
            template=_with_buttons(rendered.template, letter.ref) if rendered.template else None,
            in_window=_in_window(letter, spec, now),
            is_ask=self._is_ask,
            urgent=self._urgent,
            topic=self._topic,
            valid_seconds=min(letter.valid_seconds, self._wait_seconds or letter.valid_seconds),
            unsubscribe_url=unsubscribe,
            sender=sender,
            now=now,
        )

    def _answer(self, letter: Letter, text: str, now: datetime, sender: str) -> OutboundMessage:
        """Words of its own: the answer to what somebody has just written."""
        unsubscribe = ""
        if self._spec.html:
            unsubscribe = f"{self._base}/u/{unsubscribe_token(self._key, letter.ref)}"
        return OutboundMessage(
            allow=letter.allow,
            delivery=letter.ref,
            text=text,
            subject=self._organization if self._spec.subject else "",
            locale=letter.member.locale,
            in_window=_in_window(letter, self._spec, now),
            is_ask=False,
            urgent=True,
            valid_seconds=letter.valid_seconds,
            unsubscribe_url=unsubscribe,
            sender=sender,
            now=now,
        )

    def _buttons(self, letter: Letter, link: str) -> tuple[Button, ...]:
        buttons = tuple(
            Button(label=button.label, reply=button.reply, url=link if button.link else "")
            for button in self._renderer.buttons(letter.member, self._spec.name, self._spec, letter.variant)
        )
        room = letter.member.is_group and self._is_ask and len(buttons) < self._spec.buttons
        return (*buttons, *self._private(letter)) if room else buttons

    def _private(self, letter: Letter) -> tuple[Button, ...]:
        """What leads from a group to a private chat with the bot, where the channel has such links."""
        address, member = letter.allow.address, letter.member
        url = group_link(self._runtime, address.channel, address.account, member.id, self._campaign_id)
        return (Button(label=say("groups.private", member.locale), url=url),) if url else ()


def _in_window(letter: Letter, spec: ChannelSpec, now: datetime) -> bool:
    last = letter.allow.address.last_inbound_at
    return last is not None and now - last < timedelta(seconds=spec.window_seconds)


def _with_buttons(template: Template, ref: DeliveryRef) -> Template:
    """The template with what its buttons carry: the keyword and the delivery that it answers."""
    values = {
        name: f"{value.removeprefix(BUTTON)}|{ref}" if value.startswith(BUTTON) else value
        for name, value in template.variables.items()
    }
    return Template(id=template.id, variables=values)


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
            is_report = ask.kind is AskKind.REPORT_BACK and ask.about is not None
            acted = await count_acted(connection, ask.about or 0) if is_report else 0
            writer = Writer(self._runtime, ask, self._runtime.specs[channel], campaign_id=campaign_id, acted=acted)
            self._kept[key] = writer
            while len(self._kept) > _KEPT_RENDERERS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return writer
