"""A movement at work, for pictures: the demo's people and providers, an ask that is out, and one that goes out now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import text

from channels.sandbox import Sandbox
from router.community.event_desk import create_event
from router.community.event_model import EventIn
from router.community.proposals.model import Who
from router.community.proposals.submitting import propose
from router.community.seats import take_seat
from router.core.ask import Ask
from router.core.launch_policy import SpendPolicy
from router.core.rates import ChannelRules
from router.core.roles import Role
from router.demo.crowd import import_members, join_groups, spread
from router.demo.hearing import PEOPLE
from router.demo.house import EVENING, Clock, installation, working
from router.demo.watching import launch, settled
from router.drafting import save_campaign
from router.runtime import Runtime
from tests.support.office import Entered, come_in

MEMBERS = 1_200
UNHURRIED = {
    "sms": ChannelRules(rate=14, burst=5, concurrency=8, price=0.0083),
    "whatsapp": ChannelRules(rate=4, burst=5, concurrency=8, price=0.005, no_asks_to=["+1"]),
    "telegram": ChannelRules(rate=5, burst=5, concurrency=8),
    "slack": ChannelRules(rate=3, burst=5, concurrency=5),
    "fcm": ChannelRules(rate=3, burst=5, concurrency=5),
    "webpush": ChannelRules(rate=3, burst=5, concurrency=5),
    "email": ChannelRules(rate=16, burst=5, concurrency=5, price=0.0001),
}
"""Slow enough that an ask is half out for a while."""

LETTER = {
    "title": "Sign the open letter to the mayor",
    "wants": "sign",
    "texts": {"en": {"default": {"text": (
        "Hi {{ first_name | default('neighbour') }}, 312 of us have signed the letter against the rent rise. Will you?"
        " Reply YES, or STOP to end these."
    )}}},
}  # fmt: skip
DINNERS = {
    "title": "Two hundred dinners on 3 December",
    "link": "https://example.org/dinners",
    "texts": {
        "en": {"default": {"text": (
            "Hi {{ first_name | default('neighbour') }}, on 3 December neighbours eat together in two hundred kitchens,"
            " and talk about the rent. Will you come? Reply YES, or see {{ link }} - STOP ends these."
        ), "buttons": [{"label": "I will come", "reply": "YES"}]}},
        "es": {"default": {"text": (
            "Hola {{ first_name | default('vecina') }}: el 3 de diciembre cenamos juntos en doscientas cocinas y"
            " hablamos del alquiler. ¿Vienes? Responde YES o mira {{ link }} - STOP para salir."
        )}},
    },
    "goal": {"measure": "yes", "target": 240},
    "spend_limit": {"amount": 25.0, "currency": "USD"},
}  # fmt: skip
MARCH = {
    "title": "March for the harbour, Saturday at 2",
    "link": "https://example.org/march",
    "texts": {"en": {
        "default": {"text": (
            "Hi {{ first_name | default('neighbour') }}, on Saturday at 2 we march from the harbour to the town hall."
            " Walk with your block? Reply YES, or see {{ link }} - STOP ends these."
        ), "buttons": [{"label": "I will march", "reply": "YES"}]},
        "email": {"subject": "Will you walk with us on Saturday?", "text": (
            "Hi {{ first_name | default('neighbour') }},\n\non Saturday at 2 we march from the harbour to the town"
            " hall, with drums, children and banners. Will you walk with your block?\n\n{{ link }}"
        )},
    }},
}  # fmt: skip
WRITTEN = (
    "Is there a ramp? My mother would come in her wheelchair",
    "Can I bring my two children, and is there something vegetarian?",
    "I work until eight. May I come later?",
    "Who may read the list of names?",
    "Thank you for last week, it did me good",
)
"""What no rule understands, so that a person reads it."""
PLACES = (
    ("Dinner at Rosa's", "Harbour", 8, 6), ("Long table in the courtyard", "Old Mill", 24, 17),
    ("Soup and bread", "Camden", 10, 10), ("Kitchen of block 5", "Harbour", 6, 2),
)  # fmt: skip
IDEA = "Let us plant plum trees along the harbour before they sell the quay"


@dataclass
class PictureHouse:
    """What stands in it."""

    runtime: Runtime
    url: str
    admin: Entered
    letter: int
    """An ask that is out and answered."""
    dinners: int
    """An ask that goes out."""
    march: int
    """A draft."""
    events: list[int]
    member: int

    async def is_out(self, campaign: int, share: float) -> None:
        """Return once so much of an ask has left."""
        while True:
            [(gone, everybody)] = await rows(
                self.runtime,
                "SELECT sum(CASE WHEN status IN ('sent', 'delivered', 'read') THEN count ELSE 0 END), sum(count)"
                " FROM tally WHERE campaign_id = :id AND status <> 'held'",
                id=campaign,
            )
            if everybody and gone >= share * everybody:
                return
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def picture_house(folder: Path) -> AsyncIterator[PictureHouse]:
    """Fill it; the dinners are launched when this is entered, and a worker runs."""
    clock, quiet = Clock(EVENING - timedelta(days=4)), Console(quiet=True)
    async with installation(folder, clock, guarded=True, rules=UNHURRIED) as (runtime, sandbox, url):
        guard, spend = runtime.policy.guard, SpendPolicy(month={"USD": 400.0})
        at_once = {
            "canary": guard.canary.model_copy(update={"above": 10**9}),
            "ramp": guard.ramp.model_copy(update={"above": 10**9}),
        }
        update = {"guard": guard.model_copy(update=at_once), "spend": spend}
        runtime.adopt(runtime.policy.model_copy(update=update), runtime.quiet_hours)
        await import_members(runtime, quiet, folder / "members.csv", MEMBERS, 7)
        await spread(runtime, sandbox, 7)
        await join_groups(runtime)
        sandbox.knobs = replace(PEOPLE, p_stop=0.001)
        tag = {"op": "tag", "tag": "volunteer"}
        async with working(runtime):
            letter = await launch(runtime, Ask.model_validate({**LETTER, "audience": tag}))
            await settled(runtime, letter)
            clock.move_to(EVENING)
            runtime.signals.wake()
            admin = await come_in(runtime, Role.ADMIN, name="Ada Byron", now=clock())
            events = await _evenings(runtime)
            await _ideas(runtime)
            await _wrote(runtime, sandbox)
            march = await save_campaign(runtime, Ask.model_validate(MARCH), by="Cleo Winter", now=clock())
            dinners = await launch(runtime, Ask.model_validate(DINNERS))
            [(member,)] = await rows(runtime, "SELECT member_id FROM action WHERE campaign_id = :id LIMIT 1", id=letter)
            yield PictureHouse(runtime, url, admin, letter, dinners, march.id, events, member)


async def rows(runtime: Runtime, query: str, **parameters: Any) -> list[Any]:
    """Look at the ledger."""
    async with runtime.store.read() as connection:
        return list((await connection.execute(text(query), parameters)).all())


async def _evenings(runtime: Runtime) -> list[int]:
    now, made = runtime.clock(), []
    people = [row[0] for row in await rows(runtime, "SELECT id FROM member WHERE kind = 'person' ORDER BY id LIMIT 80")]
    for title, area, seats, taken in PLACES:
        body = EventIn(
            title=title, area=area, seats=seats, starts_at=now + timedelta(days=14, hours=2), country="US",
            zone="America/New_York", address="12 Example Street",
        )  # fmt: skip
        made.append((await create_event(runtime, body, by="Ada Byron", now=now)).id)
        for _ in range(taken):
            guest, event = people.pop(), made[-1]
            await runtime.store.transact(
                lambda connection, guest=guest, event=event: take_seat(  # type: ignore[misc]
                    connection, event_id=event, member_id=guest, seats=1, now=now
                )
            )
    return made


async def _ideas(runtime: Runtime) -> None:
    [(member,)] = await rows(runtime, "SELECT min(id) FROM member WHERE kind = 'person'")
    ids, who = await runtime.store.take_ids(2), Who(member, "a phone")
    now = runtime.clock()
    await runtime.store.transact(lambda connection: propose(runtime, connection, who, IDEA, iter(ids), now=now))


async def _wrote(runtime: Runtime, sandbox: Sandbox) -> None:
    phones = await rows(
        runtime, "SELECT value FROM address WHERE channel = 'sms' AND consent = 'granted' ORDER BY id DESC LIMIT 5"
    )
    for (phone,), words in zip(phones, WRITTEN, strict=True):
        sandbox.phones.reply(phone, words, "")
    await sandbox.idle()
