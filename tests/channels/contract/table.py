"""What a table of cases is made of. A new channel brings one `ChannelTable`; the suite does the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from router.core import consent
from router.core.channel import Channel, Event, Health, HttpRequest, OutboundMessage
from router.core.errors import FailureClass, SendError
from router.core.model import Address, ConsentState, DeliveryRef

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEBHOOK_URL = "https://router.example.org/hooks/channel/main"
DELIVERY = DeliveryRef(202611, 17)
FIXTURES = Path(__file__).parent.parent / "fixtures"


class Fault(StrEnum):
    """What can go wrong at any provider; every table says what it looks like there."""

    CONNECT = "nobody listens"
    SILENCE = "no answer in time after the message left"
    CUT = "the line is cut after the message left"
    ERROR = "500: the server failed"
    UNAVAILABLE = "503: the server is not there now"
    THROTTLED = "429: too fast"
    UNAUTHORIZED = "401: our credentials are wrong"
    HTML = "a web page instead of an answer"
    EMPTY_LIST = "an answer of the wrong shape"


class Provider(Protocol):
    """A tiny scripted server. What is scripted must be used, what was not scripted must not be asked for."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def settings(self) -> dict[str, str]:
        """How to reach it."""
        ...

    def script(self, *steps: Any) -> None: ...
    def leftovers(self) -> list[str]:
        """Scripted steps that were never used, and requests that no step was scripted for."""
        ...

    def seen(self) -> str:
        """Everything it was sent outside of bodies and credentials: addresses, request lines."""
        ...


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A send that must fail in this way."""

    name: str
    steps: tuple[Any, ...]
    error: type[SendError]
    failure: FailureClass
    code: str | None = None
    retry_after: float | None = None
    listening: bool = True


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A send that must succeed. `check` looks at what the provider got."""

    name: str
    steps: tuple[Any, ...]
    provider_id: str
    message: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Any], None] = lambda provider: None


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A webhook made from a fixture (file and key), and exactly the events it must give."""

    name: str
    fixture: str
    key: str
    events: tuple[Event, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    url: str = f"{WEBHOOK_URL}?d={DELIVERY}"


@dataclass(frozen=True, kw_only=True)
class ChannelTable:
    """All cases of one channel."""

    channel: type[Channel]
    to: str
    settings: Mapping[str, str]
    secrets: tuple[str, ...]
    """Values of `settings` that may appear in no address, log or error."""
    provider: Callable[[], Provider]
    faults: Mapping[Fault, Failing]
    failing: tuple[Failing, ...]
    accepted: tuple[Accepted, ...]
    checks: tuple[tuple[tuple[Any, ...], Health | FailureClass], ...]
    """(steps, what `Channel.check` says or why it fails): at least one of each."""
    webhooks: tuple[Webhook, ...]
    encode: Callable[[Any], bytes]
    """A fixture's content as the provider puts it on the wire."""
    sign: Callable[[str, bytes, datetime], HttpRequest]
    """(url, body, time of signing) → a webhook signed as the provider signs."""
    signs_body: bool = True
    """False where the provider only shows a secret that it was given (Telegram)."""

    def message(self, **changes: Any) -> OutboundMessage:
        """A message that may be sent."""
        address = Address(id=1, channel=self.channel.spec.name, value=self.to, hash="h", consent=ConsentState.GRANTED)
        allow = consent.check(address)
        assert isinstance(allow, consent.Allow)
        values: dict[str, Any] = {
            "allow": allow,
            "delivery": DELIVERY,
            "text": "Come on Saturday!",
            "subject": "Saturday",
            "now": NOW,
        }
        return OutboundMessage(**(values | changes))

    def open(self, wire: Any, **changes: str) -> Channel:
        """The real adapter."""
        common = {"account": "main", "webhook_url": WEBHOOK_URL, "organization": "Example Union"}
        return self.channel({**common, **self.settings, **changes}, wire)

    def request(self, row: Webhook, at: datetime = NOW) -> HttpRequest:
        """The signed webhook of a row."""
        return self.sign(row.url, self.encode(fixture(row.fixture, row.key)), at)


def fixture(name: str, key: str) -> Any:
    """One payload of a fixture file."""
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))["payloads"][key]
