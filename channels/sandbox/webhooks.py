"""Where each simulated provider calls us, by channel."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

CALLING = ("sms", "whatsapp", "telegram", "slack", "email")
"""The channels whose providers call us."""


class Webhooks(MutableMapping[str, str]):
    """channel → address; "" calls nobody. Each is an attribute of its provider, given as (provider, attribute)."""

    def __init__(self, **places: tuple[Any, str]) -> None:
        self._places = places

    def __getitem__(self, channel: str) -> str:
        provider, attribute = self._places[channel]
        return str(getattr(provider, attribute))

    def __setitem__(self, channel: str, url: str) -> None:
        if channel not in self._places:
            raise ValueError(f"{channel}: no provider of this channel calls anybody")
        provider, attribute = self._places[channel]
        setattr(provider, attribute, url)

    def __delitem__(self, channel: str) -> None:
        self[channel] = ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
