"""What can go wrong at a provider, and what simulated people do, as numbers that can be turned while it runs.

A *rate* is a share of messages from 0 (never) to 1 (always). Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


def _rate(help: str) -> Any:
    return field(default=0.0, metadata={"help": help, "kind": "rate"})


def _number(default: float, help: str) -> Any:
    return field(default=default, metadata={"help": help, "kind": "number"})


def _table(help: str) -> Any:
    return field(default_factory=dict, metadata={"help": help, "kind": "table"})


def _codes(default: tuple[int, ...], help: str) -> Any:
    return field(default=default, metadata={"help": help, "kind": "codes"})


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """One setting of all the knobs; as it stands, a provider without faults and people who never answer.

    Raises ValueError, naming the knob, where a value makes no sense.
    """

    latency: float = _number(0.0, "Wait before a request is answered; the message is accepted at once")
    jitter: float = _number(0.0, "Up to this much more of it, by chance")
    error_rate: float = _rate("Answered 500 (SMTP 451) and not accepted")
    throttle_rate: float = _rate("Answered 429 with Retry-After (SMTP 450) and not accepted")
    retry_after: float = _number(1.0, "What Retry-After says")
    timeout_after_accept: float = _rate("Accepted, but never answered")
    drop_after_accept: float = _rate("Accepted, then the connection is cut without an answer")

    receipt_delay: float = _number(0.05, "From acceptance to the first receipt, and from that to the next")
    no_receipts: float = _rate("No receipt ever comes")
    duplicate_receipts: float = _rate("A receipt comes twice")
    out_of_order: float = _rate("The last receipt comes first")
    undelivered_rate: float = _rate("Texts that are accepted and then do not arrive")
    undelivered_codes: tuple[int, ...] = _codes((30003, 30005, 30006), "Twilio's reasons for it, one picked by chance")
    bounce_rate: float = _rate("Mails that are accepted and then bounce")
    reject_rate: float = _rate("Mailboxes that are refused at RCPT")
    reject_codes: tuple[int, ...] = _codes((550, 452, 421), "SMTP's reasons for it, one picked by chance")
    refuse: Mapping[str, int] = _table("Phone or mailbox: the Twilio or SMTP code it is always refused with")
    fail: Mapping[str, int] = _table("Phone or mailbox: the code with which what it is sent never arrives")

    p_yes: float = _rate("People who answer YES")
    p_stop: float = _rate("People who answer STOP")
    p_help: float = _rate("People who answer HELP")
    reply_delay: float = _number(0.2, "How long they take to answer")
    max_replies: int = field(default=1, metadata={"help": "How often one phone answers by itself", "kind": "count"})
    p_unsubscribe: float = _rate("People who press their mailbox's unsubscribe button")
    p_complain: float = _rate("People who report a mail as spam")

    callback_tries: int = field(default=3, metadata={"help": "Tries to reach our webhook", "kind": "count"})
    callback_pause: float = _number(1.0, "Between these tries")
    seed: int = field(default=1, metadata={"help": "The same seed gives the same chances", "kind": "count"})

    def __post_init__(self) -> None:
        for knob in fields(self):
            _check(knob.name, knob.metadata["kind"], getattr(self, knob.name))
        if self.p_yes + self.p_stop + self.p_help > 1:
            raise ValueError("p_yes + p_stop + p_help: more than 1 together")

    @property
    def calm(self) -> bool:
        """Whether every request is answered at once and as it should be."""
        return not (
            self.latency
            or self.jitter
            or self.error_rate
            or self.throttle_rate
            or self.timeout_after_accept
            or self.drop_after_accept
        )

    def turned(self, changes: Mapping[str, Any]) -> Knobs:
        """These knobs with some turned. Raises ValueError for an unknown knob or a value that makes no sense."""
        known = {knob.name: knob.metadata["kind"] for knob in fields(self)}
        for name in changes:
            if name not in known:
                raise ValueError(f"{name}: no such knob")
        return replace(self, **{name: _read(name, known[name], value) for name, value in changes.items()})

    def plain(self) -> dict[str, Any]:
        """As JSON would have it."""
        return asdict(self)


def _read(name: str, kind: str, value: Any) -> Any:
    """What JSON or a form says of one knob."""
    if isinstance(value, bool):
        value = float(value)
    try:
        if kind in ("rate", "number"):
            return float(value)
        if kind == "count":
            return int(value)
        if kind == "codes":
            return tuple(int(code) for code in (value.replace(",", " ").split() if isinstance(value, str) else value))
        if isinstance(value, str):
            value = dict(line.split("=", 1) for line in value.split())
        return {str(address): int(code) for address, code in value.items()}
    except (TypeError, ValueError, AttributeError):
        raise ValueError(f"{name}: not a {kind}") from None


def _check(name: str, kind: str, value: Any) -> None:
    if kind == "rate" and not 0 <= value <= 1:
        raise ValueError(f"{name}: a share from 0 to 1")
    if kind == "number" and not 0 <= value <= 86_400:
        raise ValueError(f"{name}: seconds, from 0 to a day")
    if kind == "count" and value < 0:
        raise ValueError(f"{name}: not below 0")
    if kind == "codes" and not value:
        raise ValueError(f"{name}: at least one code")
