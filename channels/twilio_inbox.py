"""Incoming messages fetched from Twilio, for where it cannot call us: its list of messages, asked for again and again.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote_plus

from channels.twilio_api import Account
from channels.twilio_hooks import ReadInbound
from router.core.channel import Inbound, Received
from router.core.errors import FailureClass, Refused

REST = 10.0
"""Seconds between two looks."""
LOOK_BACK = timedelta(days=1)
"""How far before the newest message the first look goes. What we have already is recognised by its name."""
OVERLAP = timedelta(minutes=2)
"""How much later than its date a message may turn up in the list."""
MOST_AT_ONCE = 500
_PAGE = 100
"""Messages to a page: at most about a megabyte, however long they are."""
_NO_CLOCK = datetime.max.replace(tzinfo=UTC)
"""For Retry-After as a date, which then means at once: there is no clock here, and Twilio says it in seconds."""


@dataclass(slots=True)
class _Place:
    """How far one number's messages have been handed on."""

    newest: datetime | None = None
    names: dict[str, datetime] = field(default_factory=dict)
    """What was handed on within `OVERLAP` of `newest`."""

    def move_on(self, handed_on: list[Inbound]) -> None:
        for event in handed_on:
            self.names[event.event_id] = event.at
            self.newest = max(self.newest or event.at, event.at)
        if self.newest is not None:
            since = self.newest - OVERLAP
            self.names = {name: at for name, at in self.names.items() if at >= since}


class Inbox:
    """The incoming messages of one account's numbers."""

    def __init__(self, account: Account, read: ReadInbound) -> None:
        self._account = account
        self._read = read
        self._places: dict[str, _Place] = {}

    async def listen(self) -> AsyncIterator[Received]:
        """Yield what people wrote, oldest first, and a rest after each look; see `core.channel.Listening`.

        The first look finds what is up to a day older than the newest message there is.
        """
        numbers = await self._account.own_numbers(_NO_CLOCK)
        if not numbers:
            raise Refused(FailureClass.SENDER_CONFIG, "21703", "the Messaging Service has no number to listen on")
        while True:
            for number in numbers:
                place = self._places.setdefault(number, _Place())
                events = await self._look(number, place)
                for start in range(0, len(events), MOST_AT_ONCE):
                    part = events[start : start + MOST_AT_ONCE]
                    yield Received(events=tuple(part))
                    place.move_on(part)
            yield Received(rest=REST)

    async def _look(self, number: str, place: _Place) -> list[Inbound]:
        """What came to one of our numbers and was not handed on yet, oldest first."""
        since = place.newest - OVERLAP if place.newest else None
        # Twilio documents this filter for whole days only.
        day = f"&DateSent%3E={since:%Y-%m-%d}" if since else ""
        to = quote_plus(self._account.prefix + number)
        found: list[Inbound] = []
        url = f"{self._account.url}/Messages.json?To={to}&PageSize={_PAGE}{day}"
        async for row in self._account.rows(url, "messages", _NO_CLOCK):
            at = _moment(row)
            if at is None or row.get("direction") != "inbound" or row.get("status") == "receiving":
                continue
            if since is None:
                since = at - LOOK_BACK
            if at < since:
                break
            event = self._event(row, at)
            if event is not None and event.event_id not in place.names:
                found.append(event)
        return found[::-1]

    def _event(self, row: Mapping[str, object], at: datetime) -> Inbound | None:
        """The row as the webhook would have brought it, less what only the webhook tells."""
        form = {name: str(row.get(name.lower()) or "").replace("\0", "") for name in ("From", "To", "Body")}
        sid = str(row.get("sid") or "")
        return self._read(form, sid, at) if sid and form["From"] else None


def _moment(row: Mapping[str, object]) -> datetime | None:
    """When a message came; None where Twilio does not tell."""
    try:
        moment = parsedate_to_datetime(str(row.get("date_sent") or row.get("date_created")))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
