"""Lists of members that come in through the office: looked at, brought in, refused."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import func, select

from router.core.audience import Tagged
from router.core.roles import Role
from router.runtime import Runtime
from router.store.tables import import_job, member
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read

ROOM = "/office/imports"
PEOPLE = b"first name,email\nAna,ana@example.org\nZoe,zoe@example.org\n,nobody\n"


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.ADMIN, name="Ada", now=clock())


async def send(
    client: TestClient, here: Entered, status: int, fields: Mapping[str, str] = {}, *, csrf: str | None = None,
    data: bytes | None = PEOPLE, name: str = "people.csv",
) -> str:  # fmt: skip
    """Send a list as a browser does; the page, or where it leads."""
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("csrf", here.csrf if csrf is None else csrf)
    for field, value in fields.items():
        form.add_field(field, value)
    if data is not None:
        form.add_field("file", data, filename=name, content_type="text/csv")
    async with client.post(ROOM, data=form(), headers=here.headers, allow_redirects=False) as response:
        page = await response.text()
        assert response.status == status, page
        return response.headers.get("Location", page)


async def count(runtime: Runtime) -> tuple[int, int]:
    """Members, and imports."""
    async with runtime.store.read() as connection:
        found = [await connection.scalar(select(func.count()).select_from(table)) for table in (member, import_job)]
    return found[0] or 0, found[1] or 0


async def test_a_list_is_looked_at_and_then_brought_in(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    page = await send(client, ada, 200, {"do": "look"})
    assert "Nothing is brought in yet" in page
    assert "<dt>first name</dt>" in page
    assert await count(runtime) == (0, 0)
    path = await send(client, ada, 303, {"do": "import"})
    assert await count(runtime) == (2, 1)
    report = await read(client, ada, path)
    assert "people.csv" in report
    assert "hx-get" not in report
    assert path in await read(client, ada, ROOM)
    problems = await read(client, ada, f"{path}/problems.csv")
    assert problems.count("\n") >= 2
    assert "nobody" not in problems
    await send(client, ada, 303, {"do": "import"})
    assert (await count(runtime))[0] == 2


async def test_what_stands_in_a_list_is_only_text(client: TestClient, ada: Entered) -> None:
    cell = '"' + HOSTILE.replace('"', '""') + '"'
    page = await send(client, ada, 200, {"do": "look"}, data=f"email,{cell}\nana@example.org,{cell}\n".encode())
    assert f"<dt>{SHOWN}</dt>" in page
    assert HOSTILE not in page


async def test_a_form_of_another_site_stores_nothing(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    await send(client, ada, 409, {"do": "import"}, csrf="")
    await send(client, ada, 409, {"do": "import"}, csrf="x" * 64)
    form = aiohttp.FormData()
    form.add_field("file", PEOPLE, filename="people.csv", content_type="text/csv")
    form.add_field("csrf", ada.csrf)
    async with client.post(ROOM, data=form(), headers=ada.headers) as response:
        assert response.status == 409, "a token behind the file comes too late"
    assert await count(runtime) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "data", "place", "sentence"),
    [
        ({}, None, "file", "Choose a file."),
        ({}, b"", "file", "The file is empty."),
        ({}, b"colour,shape\nred,round\n", "file", "column"),
        ({"attest_basis": "membership"}, PEOPLE, "attest_source", "all three, or nothing"),
        (
            {"attest_basis": "luck", "attest_source": "a list", "attest_dated": "2026-01-01"},
            PEOPLE, "attest_basis", "Cannot be read",
        ),
        (
            {"attest_basis": "consent", "attest_source": "a list", "attest_dated": "soon"},
            PEOPLE, "attest_dated", "Cannot be read",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_said_beside_its_field(
    client: TestClient, runtime: Runtime, ada: Entered, fields: dict[str, str], data: bytes | None, place: str,
    sentence: str,
) -> None:  # fmt: skip
    page = await send(client, ada, 422, {"do": "import", **fields}, data=data)
    assert sentence in page.partition(f'id="{place}-wrong"')[2][:300]
    assert await count(runtime) == (0, 0)


async def test_an_admin_answers_for_a_list_and_nobody_else(
    client: TestClient, runtime: Runtime, ada: Entered, clock: Clock
) -> None:
    word = {"attest_basis": "membership", "attest_source": "our forms", "attest_dated": "2026-01-01", "do": "import"}
    author = await come_in(runtime, Role.AUTHOR, name="Au", now=clock())
    await send(client, author, 403, word)
    assert await count(runtime) == (0, 0)
    await send(client, ada, 303, word)
    assert await count(runtime) == (2, 1)
    part = Tagged(op="tag", tag="block 3")
    captain = await come_in(runtime, Role.AUTHOR, name="Cap", audience=part, now=clock())
    await send(client, captain, 403, {"do": "import"})
    await read(client, captain, ROOM, 403)


async def test_a_browser_sends_an_empty_name_where_no_file_was_chosen(client: TestClient, ada: Entered) -> None:
    part = "--x\r\nContent-Disposition: form-data; name="
    body = f'{part}"csrf"\r\n\r\n{ada.csrf}\r\n{part}"file"; filename=""\r\n\r\n\r\n--x--\r\n'
    headers = ada.headers | {"Content-Type": "multipart/form-data; boundary=x"}
    async with client.post(ROOM, data=body, headers=headers) as response:
        assert "Choose a file." in await response.text()
        assert response.status == 422
