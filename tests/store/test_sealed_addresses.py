"""Browsers' subscriptions and apps' tokens are sealed in the ledger, and everything that needs them goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, text

from router.actions import place_of
from router.core.address import address_hash
from router.core.errors import Unavailable
from router.core.model import DeliveryRef
from router.core.push import LONGEST_ENDPOINT
from router.core.sealing import KeyRing, is_sealed
from router.own_data import as_json, own_data
from router.records.browsers import join_browser
from router.records.members import MemberRecord, merge_records, upsert_member
from router.records.restoring import key_fits
from router.runtime import Runtime
from router.store.engine import Store
from router.store.sealed import reseal
from router.store.sealed_addresses import opener
from router.store.tables import address, metadata
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.runtime import Clock, build_runtime
from tests.support.settling import settle, working

OLD = "an older sealing key of the tests and long enough"
NEW = "a newer sealing key of the tests and long enough"
PUSH = ("webpush", "fcm")


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels, and a key of its own for what is sealed."""
    async with everywhere(database_url, sealing_key=OLD) as movement:
        yield movement


def under(movement: Movement, newest: str, *older: str) -> Runtime:
    """The same installation, started again with these keys."""
    keys = {"sealing_key": newest, "old_secret_keys": ",".join(older)}
    runtime = movement.runtime
    settings = runtime.settings.model_validate({**runtime.settings.model_dump(), **keys})
    movement.runtime = replace(runtime, settings=settings)
    return movement.runtime


async def join(movement: Movement, name: str) -> tuple[int, dict[str, str]]:
    """Somebody lets their browser and their app get notifications; their number and addresses."""
    runtime, sandbox = movement.runtime, movement.sandbox
    places = {channel: sandbox.new_address(channel, name) for channel in PUSH}
    agreed = [{"channel": "fcm", "source": "the app", "wording": "Yes"}]
    record = MemberRecord.model_validate(
        {"first_name": name, "external_id": name, "fcm": places["fcm"], "consents": agreed}
    )
    about: dict[str, Any] = {"source": "test", "now": movement.clock(), "accounts": runtime.channels}
    made = await upsert_member(runtime.store, runtime.key, "FR", record, **about)
    zone = {"id": made.member_id, "zone": "Europe/Paris"}
    await execute(movement, "UPDATE member SET zone = :zone, country = 'FR' WHERE id = :id", **zone)
    await join_browser(
        runtime, made.member_id, "webpush", "main", places["webpush"], wording="Yes", now=movement.clock()
    )
    return made.member_id, places


async def execute(movement: Movement, statement: str, **given: Any) -> Any:
    async with movement.runtime.store.write() as connection:
        result = await connection.execute(text(statement), given)
        return result.all() if result.returns_rows else None


async def kept(movement: Movement) -> dict[str, str]:
    """channel → the value of its first address, as the ledger keeps it."""
    rows = await execute(movement, "SELECT channel, value FROM address ORDER BY id DESC")
    return {row.channel: row.value for row in rows}


async def ask(movement: Movement, *, until: timedelta = timedelta(seconds=30)) -> list[Any]:
    """Ask everybody; the deliveries."""
    async with working(movement):
        campaign = await movement.launch(**DINNER)
        await settle(movement, campaign, until=until)
    return await deliveries(movement, campaign)


async def deliveries(movement: Movement, campaign: int) -> list[Any]:
    query = "SELECT month, id, campaign_id, member_id, channel, status FROM delivery WHERE campaign_id = :id"
    return list(await execute(movement, f"{query} ORDER BY id", id=campaign))


async def rotate(movement: Movement, runtime: Runtime) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.column: (one.done, tuple(one.shut)) async for one in reseal(movement.runtime.store, runtime.ring)}


async def everything(store: Store) -> bytes:
    """All rows of a ledger and, of one that is a file, every byte, with what is deleted and not yet overwritten."""
    async with store.read() as connection:
        tables = [await connection.execute(table.select()) for table in metadata.sorted_tables]
        rows = [repr(row).encode() for found in tables for row in found]
    path = Path(store.url.database or "")
    files = path.parent.glob(f"{path.name}*") if store.is_sqlite else ()
    return b"".join([*rows, *(file.read_bytes() for file in files)])


def secrets_in(places: Mapping[str, str]) -> list[bytes]:
    """What nobody may find: the way to the browser, its two keys, the token of the app."""
    endpoint, *keys = places["webpush"].split(" ")
    return [part.encode() for part in (endpoint, *keys, places["fcm"])]


async def test_no_subscription_and_no_token_is_in_the_database_and_both_are_sent_to(
    movement: Movement,
) -> None:
    ana, places = await join(movement, "planted")
    for channel in PUSH:
        await execute(
            movement,
            "UPDATE address SET rank = CASE WHEN channel = :channel THEN 0 ELSE 1 END WHERE member_id = :ana",
            channel=channel, ana=ana,
        )  # fmt: skip
        [sent] = await ask(movement)
        assert (sent.channel, sent.status) == (channel, "sent")
    assert len(movement.sandbox.memory.accepted) == 2
    there = await everything(movement.runtime.store)
    assert b"v1." in there
    assert [secret for secret in secrets_in(places) if secret in there] == []
    assert all(is_sealed(value) for value in (await kept(movement)).values())

    exported = json.loads(as_json(await own_data(movement.runtime, ana)))
    assert {one["channel"]: one["value"] for one in exported["addresses"]} == places
    sender = await place_of(movement.runtime, DeliveryRef(sent.month, sent.id))
    assert sender == ("fcm", "main", places["fcm"])


async def test_joining_and_importing_again_makes_no_second_one_and_merging_breaks_no_seal(movement: Movement) -> None:
    runtime = movement.runtime
    ana, places = await join(movement, "ana")
    assert (await join(movement, "ana"))[0] == ana
    [before] = await execute(movement, "SELECT count(*) AS n FROM address")
    assert before.n == 2
    twin, others = await join(movement, "twin")
    # The same browser, allowed by the second of two records of one person.
    await join_browser(runtime, twin, "webpush", "main", places["webpush"], wording="Yes", now=movement.clock())
    async with runtime.store.write() as connection:
        await merge_records(connection, keep=twin, lose=ana)
    addresses = [one.value for one in (await own_data(runtime, twin)).addresses]
    assert sorted(addresses) == sorted([*places.values(), *others.values()])
    [sent] = await ask(movement)
    assert (sent.member_id, sent.status) == (twin, "sent")


async def test_a_new_key_takes_over_and_the_old_one_can_go(movement: Movement) -> None:
    await join(movement, "ana")
    both = under(movement, NEW, OLD)
    assert await rotate(movement, both) == {"address.value": (2, ())}
    assert await rotate(movement, both) == {}
    alone = under(movement, NEW)
    assert all(value.startswith(alone.ring.prefix) for value in (await kept(movement)).values())
    [sent] = await ask(movement)
    assert sent.status == "sent"


async def test_what_was_kept_before_there_were_seals_is_sent_to_and_sealed_later(movement: Movement) -> None:
    for channel in ("webpush", "fcm", "sms", "email"):
        await movement.add_members(1, channel=channel)
    before = await kept(movement)
    await ask(movement)
    assert len(movement.sandbox.memory.accepted) == 4
    assert await rotate(movement, movement.runtime) == {"address.value": (2, ())}
    after = await kept(movement)
    assert {channel: is_sealed(value) for channel, value in after.items()} == {
        "webpush": True, "fcm": True, "sms": False, "email": False,
    }  # fmt: skip
    assert (after["sms"], after["email"]) == (before["sms"], before["email"]), "who has these can be looked for"
    await ask(movement)
    assert len(movement.sandbox.memory.accepted) == 8


async def test_without_the_key_it_waits_until_the_key_is_back(
    movement: Movement, caplog: pytest.LogCaptureFixture
) -> None:
    ana, places = await join(movement, "planted")
    stranger = under(movement, NEW)
    with caplog.at_level(logging.ERROR):
        [waits] = await ask(movement)
    assert waits.status == "queued"
    [tried] = await execute(movement, "SELECT outcome, failure, code FROM attempt")
    assert (tried.failure, tried.code) == ("sender_config", "sealed")
    assert [row.state for row in await execute(movement, "SELECT state FROM address")] == ["active"] * 2
    assert await execute(movement, "SELECT 1 FROM sender WHERE state = 'open'") == [], "the provider is not to blame"
    said = caplog.text
    assert "webpush are shut" in said
    assert "OUTREACH_OLD_SECRET_KEYS" in said
    assert [one for one in secrets_in(places) if one.decode() in said] == []
    assert not any(value in said for value in (await kept(movement)).values())
    with pytest.raises(Unavailable, match="OUTREACH_OLD_SECRET_KEYS"):
        await place_of(stranger, DeliveryRef(waits.month, waits.id))
    assert {one.value for one in (await own_data(stranger, ana)).addresses} == set((await kept(movement)).values())
    [(done, shut)] = (await rotate(movement, stranger)).values()
    assert (done, len(shut)) == (0, 2)

    under(movement, NEW, OLD)
    async with working(movement):
        await settle(movement, waits.campaign_id, until=timedelta(minutes=20))
    assert [row.status for row in await deliveries(movement, waits.campaign_id)] == ["sent"]
    assert len(movement.sandbox.memory.accepted) == 1


async def test_a_seal_that_was_moved_to_another_address_sends_nothing_there(movement: Movement) -> None:
    ana, _ = await join(movement, "ana")
    [bo] = await movement.add_members(1, channel="fcm")
    await execute(movement, "DELETE FROM address WHERE member_id = :ana AND channel = 'webpush'", ana=ana)
    await execute(
        movement,
        "UPDATE address SET value = (SELECT value FROM address WHERE member_id = :ana) WHERE member_id = :bo",
        ana=ana, bo=bo,
    )  # fmt: skip
    rows = await ask(movement)
    assert {row.member_id: row.status for row in rows} == {ana: "sent", bo: "queued"}


async def test_telephones_and_mailboxes_are_opened_by_nobody(movement: Movement) -> None:
    async with movement.runtime.store.read() as connection:
        assert {name: opener(connection, name) is not None for name in movement.runtime.specs} == {
            name: name in PUSH for name in movement.runtime.specs
        }


async def test_the_longest_has_room_and_what_is_longer_from_before_is_left_as_it_is(store: Store) -> None:
    runtime = build_runtime(store)
    keys = f"{'B' * 87} {'A' * 22}"
    values = {
        1: f"https://push.example.org/{'x' * (LONGEST_ENDPOINT - 25)} {keys}",
        2: f"https://push.example.org/{'y' * 1_475} {keys}",
    }
    async with store.write() as connection:
        for number, value in values.items():
            hash_ = address_hash(runtime.key, "webpush", value)
            new = {"id": number, "member_id": number, "channel": "webpush", "value": value, "hash": hash_}
            await connection.execute(address.insert().values(**new, consent="granted", created_at=Clock()()))
    steps = [step async for step in reseal(store, runtime.ring)]
    assert [(step.done, len(step.shut)) for step in steps] == [(1, 1)]
    assert "too long" in steps[0].shut[0]
    assert "push.example.org" not in steps[0].shut[0]
    async with store.read() as connection:
        found = dict(list(map(tuple, await connection.execute(text("SELECT id, value FROM address")))))
    assert is_sealed(found[1])
    assert found[2] == values[2]
    assert isinstance(address.c.value.type, String)
    assert len(found[1]) <= (address.c.value.type.length or 0)


async def test_a_restored_ledger_of_browsers_alone_knows_its_key(movement: Movement) -> None:
    await join(movement, "ana")
    runtime = movement.runtime
    kinds = {name: spec.address_kind for name, spec in runtime.specs.items()}
    stranger = b"another key that is just as long as the one"
    assert await key_fits(runtime.store, runtime.key, kinds, runtime.ring)
    assert not await key_fits(runtime.store, stranger, kinds, KeyRing(stranger))
    assert not await key_fits(runtime.store, stranger, kinds, runtime.ring), "what seals is not what hashes"
