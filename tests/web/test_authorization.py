"""Who may do what, address by address: every entry of the registry, with every kind of caller.

What a caller without the right token, role or form gets is tested beside the guards (`test_registry`, `test_door`);
here it is whoever comes with something good that is not for this door. New addresses are covered as they are entered.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import select

from router.core.audience import Members
from router.core.door_links import Door, door_token
from router.core.event_links import guest_token
from router.core.forward_links import forward_token, shared_token
from router.core.join_links import confirm_token, ideas_token, join_token
from router.core.links import action_token, unsubscribe_token
from router.core.model import DeliveryRef
from router.core.roles import Role
from router.office.invitations import invite
from router.runtime import Runtime
from router.store.tables import metadata
from router.web.app import ENDPOINTS
from router.web.auth import Open, Page, Scope
from router.web.endpoints import Endpoint
from tests.support.office import come_in
from tests.support.pages import WHO, sights
from tests.support.past import Past, write_past
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders, serving

MEMBERS = 600
OUTSIDE = 599
"""A member who hosts, proposes and asks nothing: the whole part of whoever is limited here."""

OF_OTHERS = re.compile(
    rf"first{WHO}|last{WHO}|let us paint|dinners \d|calls \d|dinner \d+|when does it begin|house \d+|@example\.org"
    r"|the minister|members \d+\.csv|is not known here",
    re.IGNORECASE,
)
"""Words of the house that are about others than `OUTSIDE`."""

FOR_ALL: Mapping[str, str] = {
    "/office/policy": "the rules of the house are everybody's",
    "/office/channels": "what is set up, and no person",
    "/office/account": "one's own",
    "/office/sign-out": "one's own",
}
"""Pages that are the same for organizers of a part, and why."""


class Row(NamedTuple):
    """One answer that should not have been given."""

    what: str
    status: int
    found: str = ""


async def a_house(runtime: Runtime, clock: Clock) -> Past:
    return await write_past(runtime, MEMBERS, now=clock())


async def everything(runtime: Runtime) -> Counter[str]:
    """All rows of all tables but those that a look alone may write."""
    rows: Counter[str] = Counter()
    async with runtime.store.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in ("audit", "session", "id_block", "worker"):
                rows.update(f"{table.name} {tuple(row)}" for row in await connection.execute(select(table)))
    return rows


# ── organizers of a part ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", list(Role))
async def test_an_organizer_of_a_part_sees_and_changes_nothing_of_others_anywhere(
    runtime: Runtime, clock: Clock, role: Role
) -> None:
    past = await a_house(runtime, clock)
    part = Members(op="members", ids=[OUTSIDE])
    wrong: list[Row] = []
    async with serving(runtime) as client:
        seen = await sights(runtime, past, running=past.ask(0), now=clock())
        eve = await come_in(runtime, role, name="Eve", audience=part, now=clock())
        before = await everything(runtime)
        pages = {endpoint.public_path for endpoint in ENDPOINTS if isinstance(endpoint.access, Page)}
        for sight in seen:
            if sight.path not in pages or sight.path in FOR_ALL:
                continue
            method = "POST" if sight.form else "GET"
            form = {**(sight.form or {}), "csrf": eve.csrf} if sight.form else None
            async with client.request(method, sight.url, data=form, headers=eve.headers) as response:
                if response.content_type == "text/event-stream":
                    wrong.append(Row(sight.told, response.status, "a stream"))
                    continue
                body = await response.text()
            for typed in (sight.url, *(sight.form or {}).values()):
                body = body.replace(typed, "")
            found = OF_OTHERS.search(body)
            refused = response.status in (403, 404) or (response.status == 200 and "{id}" not in sight.path)
            if not refused or (found and response.status == 200):
                wrong.append(Row(sight.told, response.status, found[0] if found else ""))
        examples = {sight.path: sight.url.partition("?")[0] for sight in seen}
        for endpoint in ENDPOINTS:
            if endpoint.method != "POST" or not isinstance(endpoint.access, Page) or "{id}" not in endpoint.path:
                continue
            path = filled(endpoint.public_path, examples)
            async with client.post(path, headers=eve.headers, data={"csrf": eve.csrf}, allow_redirects=False) as answer:
                if answer.status not in (403, 404):
                    wrong.append(Row(f"POST {endpoint.public_path}", answer.status))
        changed = (await everything(runtime)) - before
    assert not wrong, "\n".join(map(str, wrong))
    assert changed == Counter()


def filled(path: str, examples: Mapping[str, str]) -> str:
    """A path with a number in it under which there is something of others."""
    stem = path[: path.index("{id}") + len("{id}")]
    example = next(url for known, url in examples.items() if known.startswith(stem))
    return path.replace("{id}", example[len(stem) - len("{id}") :].partition("/")[0])


# ── a token is for its own door ───────────────────────────────────────────────────────────────────────────────────


async def test_a_cookie_is_no_token_and_a_token_no_cookie(
    client: TestClient, runtime: Runtime, clock: Clock, bearer: MakeHeaders
) -> None:
    ada = await come_in(runtime, Role.ADMIN, now=clock())
    token = await bearer("admin")
    wrong = []
    for endpoint in ENDPOINTS:
        path = re.sub(r"\{\w+\}", "1", endpoint.public_path)
        if isinstance(endpoint.access, Scope):
            headers, wanted = ada.headers | {"X-CSRF": ada.csrf}, 401
        elif isinstance(endpoint.access, Page):
            headers, wanted = token | {"X-CSRF": ada.csrf}, 303
        else:
            continue
        async with client.request(endpoint.method, path, headers=headers, allow_redirects=False) as response:
            if response.status not in (wanted, 429):
                wrong.append(Row(f"{endpoint.method} {endpoint.public_path}", response.status))
    assert not wrong, "\n".join(map(str, wrong))


OPENS: Mapping[str, str] = {
    "/a/{token}": "answer", "/host/{token}": "answer", "/u/{token}": "unsubscribe", "/u/{token}/door": "unsubscribe",
    "/m/{token}": "door", "/m/{token}/rules": "door", "/m/{token}/why/{id}": "door", "/m/{token}/data.json": "door",
    "/m/{token}/data.zip": "door", "/m/{token}/erase": "door", "/f/{token}": "forward", "/shared/{token}": "shared",
    "/propose/{token}": "ideas", "/push/{token}": "join", "/join/confirm/{token}": "confirm",
    "/e/{id}/{token}": "guest", "/e/{id}/{token}.ics": "guest", "/office/welcome/{token}": "welcome",
}  # fmt: skip
"""Each address with a token in it, and the one kind of token that opens it."""

BROWSER = {
    "endpoint": "https://push.example.org/x",
    "keys": {"p256dh": urlsafe_b64encode(b"\x04" + bytes(64)).decode().rstrip("="), "auth": "A" * 22},
}
"""What a browser sends to be notified."""


async def links(runtime: Runtime, past: Past, clock: Clock) -> dict[str, str]:
    """A good token of each kind, all of one member."""
    key, soon = runtime.key, clock() + timedelta(days=7)
    ref = DeliveryRef(past.months[0], past.delivery(0, WHO))
    return {
        "answer": action_token(key, ref),
        "unsubscribe": unsubscribe_token(key, ref),
        "forward": forward_token(key, ref),
        "shared": shared_token(key, ref),
        "door": door_token(key, Door(WHO, 0), soon),
        "guest": guest_token(key, past.event(5), WHO),
        "ideas": ideas_token(key, 2_000_000_000 + 2 * WHO, soon),
        "confirm": confirm_token(key, 2_000_000_000 + 2 * WHO, soon),
        "join": join_token(key, WHO, soon),
        "welcome": await invite(runtime, role=Role.VIEWER, name="Cy", by="ana", now=clock()),
    }


async def test_a_link_opens_its_own_page_and_no_other_and_not_with_one_letter_changed(
    runtime: Runtime, clock: Clock
) -> None:
    past = await a_house(runtime, clock)
    tokens = await links(runtime, past, clock)
    others = {
        "of an earlier epoch": door_token(runtime.key, Door(WHO, 1), clock() + timedelta(days=7)),
        "too old": door_token(runtime.key, Door(WHO, 0), clock() - timedelta(seconds=1)),
        "of another key": door_token(b"another key of sixteen bytes and more", Door(WHO, 0), clock() + timedelta(7)),
        "of nobody": door_token(runtime.key, Door(10**9, 0), clock() + timedelta(days=7)),
    }
    before = await everything(runtime)
    wrong: list[Row] = []
    tried: list[tuple[Endpoint, str, str]] = []
    with_token = [one for one in ENDPOINTS if "{token}" in one.public_path]
    assert {endpoint.public_path for endpoint in with_token} == set(OPENS)
    for endpoint in with_token:
        assert endpoint.access is Open.PUBLIC
        own = tokens[OPENS[endpoint.public_path]]
        middle = len(own) // 2
        altered = own[:middle] + ("A" if own[middle] != "A" else "B") + own[middle + 1 :]
        tries = {kind: token for kind, token in tokens.items() if token != own} | others | {"altered": altered}
        path = endpoint.public_path.replace("{id}", str(past.event(5) if "/e/" in endpoint.path else past.ask(0)))
        tried += [(endpoint, kind, path.replace("{token}", token)) for kind, token in tries.items()]
    behind = replace(runtime, settings=runtime.settings.model_copy(update={"trusted_proxy": True}))
    async with serving(behind) as client:
        for number, (endpoint, kind, path) in enumerate(tried):
            # So many guesses from one place would be slowed down, so each comes from another.
            headers = {"X-Forwarded-For": f"198.51.{100 + number // 250}.{number % 250}"}
            body = BROWSER if endpoint.body else None
            async with client.request(
                endpoint.method, path, headers=headers, json=body, allow_redirects=False
            ) as response:
                if response.status not in (404, 410):
                    wrong.append(Row(f"{endpoint.method} {endpoint.public_path} by {kind}", response.status))
    assert not wrong, "\n".join(map(str, wrong))
    assert await everything(runtime) == before
