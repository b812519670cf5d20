"""What the house's own pages read, on both databases: the audit, open links, failures, the first steps."""

from __future__ import annotations

import asyncio

import pytest

from router.checks.known import known_channels
from router.core.ask import Ask
from router.core.errors import NotAllowed, NotFound
from router.core.model import DeliveryStatus, Reason
from router.core.roles import Role
from router.drafting import save_campaign
from router.office import audit
from router.office.audit import read_audit
from router.office.first_steps import first_steps
from router.office.invitations import accept, invite
from router.office.open_invitations import list_open, take_back
from router.office.organizers import change_organizer
from router.store.engine import Store
from router.store.tallies import Moves
from tests.support.office import come_in
from tests.support.runtime import Clock, running_runtime


async def test_the_audit_is_read_in_windows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LOOKED_AT", 5)
    monkeypatch.setattr(audit, "PAGE", 3)
    clock = Clock()
    async with running_runtime(store, clock=clock) as runtime:
        for number in range(12):
            await invite(runtime, role=Role.VIEWER, by="Eve" if number % 6 == 0 else "Ada%", now=clock())
        whole = await read_audit(runtime)
        assert [entry.id for entry in whole.entries] == sorted((entry.id for entry in whole.entries), reverse=True)
        seen, before = [], None
        for _ in range(4):
            page = await read_audit(runtime, who="Eve", what="organizer", before=before)
            seen += page.entries
            before = page.before
            if before is None:
                break
        assert [entry.who for entry in seen] == ["Eve", "Eve"]
        assert before is None
        assert (await read_audit(runtime, what="organize")).entries == []
        assert (await read_audit(runtime, what="%")).entries == []


async def test_a_link_is_open_until_it_is_followed_or_taken_back(store: Store) -> None:
    clock = Clock()
    async with running_runtime(store, clock=clock) as runtime:
        token = await invite(runtime, role=Role.AUTHOR, name="Grace", by="Ada", now=clock())
        [one] = await list_open(runtime, now=clock())
        assert (one.name, one.role, one.created_by, one.is_limited) == ("Grace", Role.AUTHOR, "Ada", False)
        await take_back(runtime, one.key, by="Ada", now=clock())
        assert await list_open(runtime, now=clock()) == []
        assert await accept(runtime, token, name="Grace", password="four words in a row", now=clock()) is None
        with pytest.raises(NotFound):
            await take_back(runtime, one.key, by="Ada", now=clock())
        assert [entry.what for entry in (await read_audit(runtime)).entries] == [
            "organizer.uninvite",
            "organizer.invite",
        ]


async def test_failures_are_counted_and_the_first_steps_are_told(store: Store) -> None:
    clock = Clock()
    async with running_runtime(store, clock=clock) as runtime:
        ask = Ask.model_validate({"title": "Come", "texts": {"en": {"default": {"text": "Come along"}}}})
        number = (await save_campaign(runtime, ask, by="Ada", now=clock())).id
        moves = Moves()
        moves.add(number, "sms", DeliveryStatus.FAILED, Reason.ADDRESS_DEAD, 7)
        moves.add(number, "sms", DeliveryStatus.SENT, None, 9)
        await store.transact(moves.write)
        failures = {one.spec.name: one.failures for one in await known_channels(runtime, environment={})}
        assert failures["sms"] == [("address dead", 7)]
        assert failures["email"] == []
        ada = await come_in(runtime, now=clock())
        assert await first_steps(runtime, ada.organizer) == ([], False, 0, False)


async def test_two_admins_who_end_each_other_at_once_leave_one(store: Store) -> None:
    clock = Clock()
    async with running_runtime(store, clock=clock) as runtime:
        ada, eve = [await come_in(runtime, name=name, now=clock()) for name in ("Ada", "Eve")]
        for _ in range(5):
            ends = await asyncio.gather(
                change_organizer(runtime, ada.organizer.id, disabled=True, by="Eve", now=clock()),
                change_organizer(runtime, eve.organizer.id, disabled=True, by="Ada", now=clock()),
                return_exceptions=True,
            )
            assert [type(end) for end in ends].count(NotAllowed) == 1
            for who in (ada, eve):
                await change_organizer(runtime, who.organizer.id, disabled=False, by="tests", now=clock())
