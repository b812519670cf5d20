"""The apprise channel. What the library tells us, and what it does not, stands in the package."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import datetime

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat

from channels.apprise.spec import SPEC
from router.core.channel import (
    Health,
    HttpRequest,
    OutboundMessage,
    Received,
    Sent,
    Wire,
)
from router.core.errors import BadInput, BadWebhook, FailureClass, OutcomeUnknown, Refused

SEND_SECONDS = 8.0
"""Over one whole post (DESIGN.md 6, rule 8). A request in it gives up after 4 s; ``?rto=`` in an address says other."""

_PLACE = "OUTREACH_APPRISE_TARGETS"
_SEPARATOR = re.compile(r"[;\n]")

_LOUD = {"apprise": logging.CRITICAL + 1, "urllib3": logging.WARNING, "requests_oauthlib": logging.WARNING}
"""Logger → from which level on it may speak. Below it, addresses with their secrets stand in what it says; apprise
also repeats tokens that it takes for malformed in its warnings."""


class AppriseChannel:
    """The group chats of one installation."""

    spec = SPEC
    senders = ("",)

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        del wire  # the library has its own connections
        for name, level in _LOUD.items():
            logging.getLogger(name).setLevel(level)
        self._targets = _targets(settings["targets"], _asset(settings["organization"]))

    async def send(self, message: OutboundMessage) -> Sent:
        """Post to the group; see `core.channel.Channel.send`. No target of that name: the group's address is dead."""
        target = self._targets.get(message.to)
        if target is None:
            raise Refused(FailureClass.ADDRESS_DEAD, "no such target")
        try:
            async with asyncio.timeout(SEND_SECONDS):
                taken = await target.async_notify(
                    body=message.text, title=message.subject, body_format=NotifyFormat.TEXT
                )
        except TimeoutError:
            raise OutcomeUnknown("timeout") from None
        except Exception as error:
            # Whatever a plugin stumbled over, it may have been the answer; and its words may hold the address.
            raise OutcomeUnknown(type(error).__name__) from None
        if not taken:
            raise OutcomeUnknown("not confirmed")
        return Sent()

    def verify(self, request: HttpRequest) -> None:
        """The library only posts, so whatever comes is not from it."""
        raise BadWebhook("apprise has no webhooks")

    def receive(self, request: HttpRequest) -> Received:
        """Nothing."""
        return Received()

    async def check(self, now: datetime) -> Health:
        """Name the targets. Their addresses were read at the start; more cannot be asked without a post."""
        return Health(who=", ".join(self._targets))

    async def aclose(self) -> None:
        """Nothing of its own: the library opens a connection for each post and closes it."""


def _asset(organization: str) -> AppriseAsset:
    """How the library presents itself."""
    # Many services show it as the sender, and all get it as a header, which bears no other letters.
    name = organization if organization.isascii() and organization.isprintable() else "Outreach"
    return AppriseAsset(app_id=name, app_desc=name, app_url="", image_url_mask="", image_url_logo="")


def _targets(text: str, asset: AppriseAsset) -> dict[str, NotifyBase]:
    """Name → the library's object for it. Raises `BadInput`, which never repeats an address."""
    found: dict[str, NotifyBase] = {}
    lines = [line.strip() for line in _SEPARATOR.split(text)]
    for number, line in enumerate((line for line in lines if line), start=1):
        name, equals, address = (part.strip() for part in line.partition("="))
        if not equals or not name or "://" in name:
            raise BadInput(f"target {number} is not NAME=APPRISE-ADDRESS", place=_PLACE)
        if name in found:
            raise BadInput(f"names {name} twice", place=_PLACE)
        target = Apprise.instantiate(address, asset=asset)
        if target is None:
            raise BadInput(
                f"has an address for {name} that apprise cannot use; `apprise -vv ADDRESS` says why", place=_PLACE
            )
        found[name] = target
    if not found:
        raise BadInput("names no target", place=_PLACE)
    return found
