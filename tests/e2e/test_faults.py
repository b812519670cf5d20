"""The fault matrix: eight channels, each fault that providers are known for, nothing lost and nothing doubled.

``python -m pytest tests/e2e -k faults -s`` prints it as a table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from channels.sandbox import telegram
from tests.e2e.faults import CHANNELS, Cell, Crowd, Page, Providers, be_impatient, count, matrix, quick_policy
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.settling import jump, settle, working

SOME = 0.35
"""The share of messages that a fault meets, where it is one of chance."""
FEWER = 0.2
"""The same, where each costs a second's pause."""

Tables = Callable[[Crowd], Mapping[str, Any]]
ALL_WELL = {
    "sms": "delivered", "whatsapp": "read", "telegram": "sent", "slack": "sent", "webpush": "sent", "fcm": "sent",
    "email": "delivered", "apprise": "sent",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One row of the matrix."""

    name: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    tables: Tables | None = None
    """Knobs that name addresses."""
    page: Page | None = None
    ends: Mapping[str, str] = field(default_factory=dict)
    """channel → how its people may end; without ``?`` some must. What is left out ends well."""

    def allowed(self, channel: str) -> tuple[set[str], set[str]]:
        """The endings that must and that may be seen."""
        words = [word.replace("_", " ") for word in self.ends.get(channel, ALL_WELL[channel]).split()]
        return {word for word in words if word[-1] != "?"}, {word.rstrip("?") for word in words}


IN_DOUBT = {
    "sms": "delivered unknown?", "whatsapp": "read unknown?", "telegram": "sent unknown?", "slack": "sent unknown?",
    "apprise": "sent? unknown?",
}  # fmt: skip
"""Not accepted, but who could know that: no receipt will come. A second copy does no harm to push services, and mail
servers say 4xx, which is no acceptance."""
SETTLED = {"telegram": "sent unknown", "slack": "sent unknown", "apprise": "sent? unknown?"}
"""Accepted behind a broken line: receipts tell, where there are any. Push services get a second copy, which takes the
place of the first."""
SILENT = SETTLED | {"fcm": "sent unknown"}
"""The same without an answer: FCM's copies collapse at the device only, so its adapter leaves these in doubt."""
DEAD = {"sms": 21211, "whatsapp": 21211, "telegram": 400, "slack": 404, "webpush": 410, "fcm": 404, "email": 550}
OPTED_OUT = {"sms": 21610, "whatsapp": 63033, "telegram": 403}
UNDELIVERED = {"sms": 30003, "whatsapp": 63024, "email": 550}
OURS = {"sms": 20003, "whatsapp": 20003, "slack": 401, "webpush": 403, "fcm": 401, "email": 554, "apprise": 401}

FAULTS = (
    Fault("500", {"error_rate": FEWER}, ends=IN_DOUBT),
    Fault("429 with Retry-After", {"throttle_rate": FEWER, "retry_after": 1}, ends={"apprise": "sent? unknown?"}),
    Fault("hang after accept", {"timeout_after_accept": SOME}, ends=SILENT),
    Fault("cut after accept", {"drop_after_accept": SOME}, ends=SILENT),
    Fault("latency", {"latency": 0.25, "jitter": 0.25}),
    Fault("duplicate receipts", {"duplicate_receipts": 1}),
    Fault("out-of-order receipts", {"out_of_order": 1}),
    Fault(
        "refused address",
        tables=lambda crowd: {"refuse": crowd.half(DEAD | {"apprise": 404})},
        ends={
            **{name: f"{ALL_WELL[name]} delivered_by_email" for name in CHANNELS},
            "slack": "sent delivered_by_sms",
            "webpush": "sent delivered_by_sms",
            "email": "delivered delivered_by_sms",
            "apprise": "sent unknown",
        },
    ),
    Fault(
        "opted out at the provider",
        tables=lambda crowd: {"refuse": crowd.half(OPTED_OUT)},
        ends={name: f"{ALL_WELL[name]} failed" for name in OPTED_OUT},
    ),
    Fault(
        "undelivered by receipt",
        tables=lambda crowd: {"fail": crowd.half(UNDELIVERED)},
        ends={
            "sms": "delivered delivered_by_email",
            "whatsapp": "read delivered_by_email",
            "email": "delivered delivered_by_sms",
        },
    ),
    Fault("HTML instead of JSON", page=Page(502, "<html><h1>Bad gateway</h1></html>", "<html>"), ends=SETTLED),
    Fault(
        "200 with garbage",
        page=Page(200, '{"ok": tru', "200"),
        ends=SETTLED | {"fcm": "sent unknown?", "apprise": "sent"},
    ),
)


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Mapping[str, Cell]]]:
    """What came of each fault; printed at the end."""
    found: dict[str, Mapping[str, Cell]] = {}
    yield found
    Console(width=190).print(matrix(found))


@pytest.fixture
async def movement(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Movement]:
    """Eight channels with short waits."""
    be_impatient(monkeypatch)
    async with everywhere(sqlite_url, sandbox=Providers, config=quick_policy(tmp_path)) as movement:
        yield movement


def check(fault: Fault, cells: Mapping[str, Cell]) -> None:
    """Nothing lost, nothing twice, and everybody where this fault leaves people."""
    for channel, cell in cells.items():
        must, may = fault.allowed(channel)
        assert not cell.lost, f"{fault.name} on {channel}: {cell.lost[:3]}"
        assert not cell.twice, f"{fault.name} on {channel}: {cell.twice[:3]}"
        assert must <= cell.states.keys() <= may, f"{fault.name} on {channel}: {dict(cell.states)}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
async def test_faults_lose_nothing_and_double_nothing(
    movement: Movement, fault: Fault, results: dict[str, Mapping[str, Cell]]
) -> None:
    providers = movement.sandbox
    assert isinstance(providers, Providers)
    crowd = await Crowd.gather(movement)
    providers.turn(**fault.knobs, **(fault.tables(crowd) if fault.tables else {}))
    providers.page, providers.share = fault.page, SOME
    campaign = await movement.launch(**DINNER)
    async with working(movement):
        await settle(movement, campaign)
    results[fault.name] = cells = await count(movement, campaign, crowd)
    check(fault, cells)
    if {"error_rate", "throttle_rate"} & fault.knobs.keys():
        refused = sum(count for name, count in providers.memory.counters.items() if "refused" in name)
        assert refused > 10, "the fault must have been met"


async def test_faults_of_our_own_account_hold_the_queue_until_they_are_mended(
    movement: Movement, results: dict[str, Mapping[str, Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = await Crowd.gather(movement)
    movement.sandbox.turn(refuse=crowd.half(OURS, of=1))
    campaign = await movement.launch(**DINNER)
    async with working(movement):
        with monkeypatch.context() as patch:
            patch.setattr(telegram, "TOKEN", "7000000001:another-token")
            await movement.until(lambda: _rests(movement, 7))
            held = await count(movement, campaign, crowd)
            assert [held[name].states["queued"] for name in CHANNELS[:-1]] == [20] * 7, "their queue waits for us"
            assert len(movement.sandbox.memory.accepted) == 0
            told = await movement.execute("SELECT subject FROM notice WHERE kind = 'sender' AND cleared_at IS NULL")
            assert sorted(row.subject for row in told) == sorted(f"{name}/main" for name in CHANNELS[:-1])
        movement.sandbox.turn(refuse={})
        jump(movement, timedelta(minutes=16))
        await settle(movement, campaign)
    results["account refused, then mended"] = cells = await count(movement, campaign, crowd)
    check(Fault("account refused", ends={"apprise": "unknown"}), cells)
    assert await _rests(movement, 0)
    assert not await movement.execute("SELECT 1 FROM notice WHERE kind = 'sender' AND cleared_at IS NULL")


async def _rests(movement: Movement, senders: int) -> bool:
    """Whether so many senders rest and nothing is in the air."""
    [row] = await movement.execute(
        "SELECT (SELECT count(*) FROM sender WHERE state = 'open') AS open,"
        " (SELECT count(*) FROM delivery WHERE status = 'sending') AS busy"
    )
    return (row.open, row.busy) == (senders, 0)
