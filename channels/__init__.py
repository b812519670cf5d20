"""Every channel this program knows. A new one is one module, one line here and one table of contract cases.

What the router must know of all of them is light (`SPECS`). An adapter and its provider's library are not: `REGISTRY`
imports them when it is asked for that channel, which is where an account of it is opened or checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from channels.apprise.spec import SPEC as APPRISE
from channels.email.spec import SPEC as EMAIL
from channels.fcm.spec import SPEC as FCM
from channels.slack.spec import SPEC as SLACK
from channels.sms import SPEC as SMS
from channels.telegram.spec import SPEC as TELEGRAM
from channels.webpush.spec import SPEC as WEBPUSH
from channels.whatsapp import SPEC as WHATSAPP
from router.core.channel import Channel, ChannelSpec


class Registry(Mapping[str, type[Channel]]):
    """Channel → the class of its adapters.

    To ask for a name imports that adapter; to go through names imports nothing; ``items()`` and ``values()`` import
    each one that they come to.
    """

    def __init__(self, *known: tuple[ChannelSpec, str]) -> None:
        self._places = {spec.name: place for spec, place in known}
        self.specs: Mapping[str, ChannelSpec] = {spec.name: spec for spec, _ in known}

    def __getitem__(self, name: str) -> type[Channel]:
        module, _, found = self._places[name].rpartition(".")
        kind: type[Channel] = getattr(import_module(module), found)
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


REGISTRY = Registry(
    (SMS, "channels.sms.SmsChannel"),
    (SLACK, "channels.slack.adapter.SlackChannel"),
    (EMAIL, "channels.email.adapter.EmailChannel"),
    (FCM, "channels.fcm.adapter.FcmChannel"),
    (TELEGRAM, "channels.telegram.adapter.TelegramChannel"),
    (WEBPUSH, "channels.webpush.adapter.WebPushChannel"),
    (WHATSAPP, "channels.whatsapp.WhatsAppChannel"),
    (APPRISE, "channels.apprise.adapter.AppriseChannel"),
)
SPECS = REGISTRY.specs
"""Channel → what the router must know of it before anything of it is imported."""
