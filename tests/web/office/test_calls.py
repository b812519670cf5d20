"""The calls of an ask: its lines, how it stands, what callers told."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient

from router.core.audience import Members
from router.core.roles import Role
from router.runtime import Runtime
from router.store.tables import to_ms
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read, save
from tests.web.office.test_house import post
from tests.web.office.test_inbox import count

LINE: dict[str, str | list[str]] = {
    "name": "Minister Weber", "phone": "+33639980999", "place": "Lyon", "script": "Keep the heating on.",
    "opens_at": "2026-11-20T19:00", "closes_at": "2026-11-20T21:00", "zone": "Europe/Paris", "slot_minutes": "5",
    "per_slot": "3",
}  # fmt: skip


@pytest.fixture
def ledger(runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(runtime.store, clock=clock)


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.AUTHOR, name="Ada", now=clock())


async def test_a_line_is_added_once_changed_and_closed(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered
) -> None:
    ask = await save(runtime, wants="call")
    path = f"/office/asks/{ask}/calls"
    assert f'<a href="{path}">Calls</a>' in await read(client, ada, f"/office/asks/{ask}")
    for _ in range(2):
        await post(client, path, ada, LINE | {"once": "k"})
    number = await count(ledger, "SELECT max(id) FROM call_line")
    page = await read(client, ada, path)
    assert page.count("Lyon: +33639980999, 20 Nov 2026, 18:00 UTC to 20 Nov 2026, 20:00 UTC, 3 callers each 5 min") == 1
    assert 'value="Minister Weber"' in await read(client, ada, f"{path}?line={number}")
    await post(client, path, ada, LINE | {"line": str(number), "per_slot": "9"})
    assert "9 callers each 5 minutes" in await read(client, ada, path)
    await post(client, f"{path}/close", ada, {"line": str(number)})
    assert "to 20 Nov 2026, 18:00 UTC" in await read(client, ada, path)
    other = await save(runtime, wants="call")
    await read(client, ada, f"/office/asks/{other}/calls?line={number}", status=404)
    await post(client, f"/office/asks/{other}/calls/close", ada, {"line": str(number)}, status=404)


@pytest.mark.parametrize(
    "change",
    [
        {"phone": "1"}, {"name": ""}, {"script": "x" * 301}, {"per_slot": "0"}, {"per_slot": "many"}, {"opens_at": ""},
        {"closes_at": "2026-11-20T18:00"}, {"zone": "Mars/Base"},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_said_beside_the_field(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, change: dict[str, str]
) -> None:
    ask = await save(runtime, wants="call")
    page = await post(client, f"/office/asks/{ask}/calls", ada, {**LINE, **change}, status=422)
    assert f'id="{next(iter(change))}-wrong"' in page
    assert await count(ledger, "SELECT count(*) FROM call_line") == 0


async def test_an_ask_that_wants_something_else(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    ask = await save(runtime)
    assert "does not want calls" in await read(client, ada, f"/office/asks/{ask}/calls")
    assert ">Calls</a>" not in await read(client, ada, f"/office/asks/{ask}")
    await post(client, f"/office/asks/{ask}/calls", ada, LINE, status=422)


async def test_what_callers_told_is_text(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, clock: Clock
) -> None:
    ask = await save(runtime, wants="call", title=HOSTILE)
    path = f"/office/asks/{ask}/calls"
    await post(client, path, ada, LINE)
    await ledger.execute("UPDATE call_line SET name = :words, script = :words, place = :words", words=HOSTILE)
    for member in range(1, 53):
        await ledger.execute(
            "INSERT INTO call (campaign_id, member_id, line_id, slot_at, status, result, at)"
            " VALUES (:ask, :member, 0, :at, 'called', :words, :at)",
            ask=ask, member=member, at=to_ms(clock()), words=HOSTILE,
        )  # fmt: skip
    page = await read(client, ada, path)
    assert page.count(f'<td class="said">{SHOWN}</td>') == 50
    assert '<p class="figure">52</p><p>have called.' in page
    for tag in ("<script>alert", "<img"):
        assert tag not in page
    assert (await read(client, ada, f"{path}?after=50")).count(f'<td class="said">{SHOWN}</td>') == 2


async def test_who_reads_may_not_write_and_who_sees_a_part_sees_theirs(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ask = await save(runtime, wants="call")
    path = f"/office/asks/{ask}/calls"
    viewer = await come_in(runtime, Role.VIEWER, now=clock())
    assert "Add a line" not in await read(client, viewer, path)
    await post(client, path, viewer, LINE, status=403)
    eve = await come_in(runtime, Role.AUTHOR, name="Eve", audience=Members(op="members", ids=[1]), now=clock())
    await read(client, eve, path, status=404)
    await post(client, path, eve, LINE, status=404)
