"""What the sandbox remembers: every message it accepted, once for each time it accepted it.

One message is one short string and a few numbers in arrays (about 120 bytes), so a million of them stay lean. The
words themselves are kept for the newest messages only.
"""

from __future__ import annotations

import secrets
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload


class Accepted(NamedTuple):
    """One message as a provider took it."""

    provider: str
    """``twilio`` or ``smtp``."""
    to: str
    sender: str
    delivery: str
    """The delivery it belongs to, as its callback address or Message-ID says; "" where neither does."""
    sid: str
    """The provider's name for it."""
    at: float
    """Unix time."""
    code: int
    """Why it will not arrive; 0 where it will."""
    text: str
    """An SMS's body or the whole mail; "" once it is no longer among the newest."""


class AcceptedLog(Sequence[Accepted]):
    """All accepted messages, oldest first. Nothing is ever merged: the same message twice is two entries."""

    def __init__(self, keep_texts: int) -> None:
        self._run = secrets.token_hex(10)
        self._keep = keep_texts
        self._base = 0
        self._rows: list[str] = []
        self._at = array("d")
        self._code = array("H")
        self._texts: dict[int, str | bytes] = {}
        self._by_address: dict[str, list[int]] = {}
        self._indexed = 0

    def add(
        self, provider: str, to: str, sender: str, delivery: str, text: str | bytes, at: float, code: int = 0
    ) -> int:
        """Remember one message; returns its number, which never changes."""
        number = self._base + len(self._rows)
        self._rows.append(f"{provider}\t{to}\t{sender}\t{delivery}")
        self._at.append(at)
        self._code.append(code)
        if self._keep:
            self._texts[number] = text
            self._texts.pop(number - self._keep, None)
        return number

    def sid(self, number: int, prefix: str = "SM") -> str:
        """The provider's name for a message: prefix and 32 hexadecimal digits."""
        return f"{prefix}{self._run}{number:012x}"

    def number(self, sid: str) -> int | None:
        """The message that has this name, or None."""
        if len(sid) != 34 or sid[2:22] != self._run:
            return None
        try:
            number = int(sid[22:], 16)
        except ValueError:
            return None
        return number if self._base <= number < self._base + len(self._rows) else None

    def get(self, number: int) -> Accepted:
        """The message of this number; raises IndexError where it was forgotten."""
        if number < self._base:
            raise IndexError(number)
        provider, to, sender, delivery = self._rows[number - self._base].split("\t")
        text = self._texts.get(number, "")
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        sid = self.sid(number, "SM" if provider == "twilio" else "SG")
        row = number - self._base
        return Accepted(provider, to, sender, delivery, sid, self._at[row], self._code[row], words)

    def raw(self, number: int) -> bytes:
        """The bytes of a mail; empty once they are forgotten."""
        text = self._texts.get(number, b"")
        return text if isinstance(text, bytes) else text.encode()

    def numbers(self, to: str = "") -> Sequence[int]:
        """The numbers of all messages, or of those to one address, oldest first."""
        if not to:
            return range(self._base, self._base + len(self._rows))
        for row in range(self._indexed, len(self._rows)):
            self._by_address.setdefault(self._rows[row].split("\t", 2)[1], []).append(self._base + row)
        self._indexed = len(self._rows)
        return self._by_address.get(to, [])

    def deliveries(self) -> Iterator[str]:
        """The delivery of each message, in order."""
        return (row.rsplit("\t", 1)[1] for row in self._rows)

    def clear(self) -> None:
        """Forget all; numbers go on."""
        self._base += len(self._rows)
        self._rows.clear()
        self._texts.clear()
        self._by_address.clear()
        self._indexed = 0
        del self._at[:], self._code[:]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Accepted: ...
    @overload
    def __getitem__(self, index: slice) -> list[Accepted]: ...
    def __getitem__(self, index: int | slice) -> Accepted | list[Accepted]:
        if isinstance(index, slice):
            return [self.get(self._base + row) for row in range(*index.indices(len(self._rows)))]
        return self.get(self._base + range(len(self._rows))[index])


@dataclass(slots=True)
class Entry:
    """One bubble on a phone or one mail in a mailbox."""

    side: str
    """``arrived``, ``written`` (by its owner), ``provider`` (Twilio's own answer) or ``note``."""
    text: str
    at: float
    number: int = -1
    """Of the accepted message, where it is one."""


@dataclass(slots=True)
class Conversation:
    """What one phone or mailbox shows, newest last."""

    address: str
    kind: str
    """``phone`` or ``mailbox``."""
    counterpart: str = ""
    """Who writes to it: the number an answer goes to."""
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=50))


class Memory:
    """Accepted messages, counters, and the latest conversations."""

    def __init__(self, *, keep_texts: int = 5_000, keep_conversations: int = 200) -> None:
        self.accepted = AcceptedLog(keep_texts)
        self.counters: Counter[str] = Counter()
        self._keep = keep_conversations
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()

    def note(self, kind: str, address: str, entry: Entry, counterpart: str = "") -> None:
        """Show something on a phone or in a mailbox; the ones that were quiet longest are forgotten."""
        if not self._keep:
            return
        conversation = self._conversations.get(address)
        if conversation is None:
            conversation = self._conversations[address] = Conversation(address, kind)
            if len(self._conversations) > self._keep:
                self._conversations.popitem(last=False)
        else:
            self._conversations.move_to_end(address)
        conversation.entries.append(entry)
        if counterpart:
            conversation.counterpart = counterpart

    def conversation(self, address: str) -> Conversation | None:
        """What this phone or mailbox shows, or None where nothing is known of it."""
        return self._conversations.get(address)

    def conversations(self) -> list[Conversation]:
        """All that are known, the latest first."""
        return list(reversed(self._conversations.values()))

    def duplicates(self) -> dict[str, int]:
        """Each delivery that was accepted more than once, and how often."""
        counts = Counter(self.accepted.deliveries())
        return {delivery: count for delivery, count in counts.items() if delivery and count > 1}

    def clear(self) -> None:
        """Forget messages, counters and conversations."""
        self.accepted.clear()
        self.counters.clear()
        self._conversations.clear()
