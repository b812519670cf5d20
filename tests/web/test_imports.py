"""A file comes in as a stream: its report, its problems as CSV, and what becomes of files that are none."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient
from sqlalchemy import func, select

from router.core.errors import Unavailable
from router.runtime import Runtime
from router.store.engine import Store
from router.store.tables import attestation, import_job, member
from router.web import imports
from tests.support.runtime import build_runtime
from tests.web.conftest import MakeHeaders, serving

CSV = {"Content-Type": "text/csv"}
PEOPLE = (
    b"First name;Last name;Phone;Email\n"
    b"Ana;Silva;+12025550123;ana@example.org\n"
    b"Ben;Okafor;call me;ben@example.org\n"
    b"=cmd;Evil;+1 555;nobody@\n"
)
URL = "/api/v1/imports"


@pytest.fixture(autouse=True)
def own_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, so that a test sees what is left behind."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def post(client: TestClient, headers: dict[str, str], data: Any, *, query: str = "", status: int = 200) -> Any:
    async with client.post(URL + query, data=data, headers=headers) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def count(runtime: Runtime, table: Any) -> int:
    async with runtime.store.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_a_file_and_its_report(client: TestClient, runtime: Runtime, bearer: MakeHeaders, own_temp: Path) -> None:
    headers = await bearer("imports:write")
    report = await post(client, {**headers, **CSV}, PEOPLE, query="?file_name=members.csv")
    assert (report["status"], report["rows"], report["new"], report["file_name"]) == ("finished", 3, 2, "members.csv")
    assert report["problems"] >= 2
    async with client.get(f"{URL}/{report['id']}", headers=headers) as response:
        assert await response.json() == report
    async with client.get(f"{URL}/{report['id']}/problems.csv", headers=headers) as response:
        assert response.content_type == "text/csv"
        assert "attachment" in response.headers["Content-Disposition"]
        lines = (await response.text()).splitlines()
    assert lines[0] == "line,column,problem"
    assert lines[1].startswith("3,")
    assert not any(line.startswith(("=", "+", "-", "@")) for line in lines)
    assert await count(runtime, member) == 2
    assert left_in(own_temp) == []


async def test_a_form_with_one_file(client: TestClient, runtime: Runtime, admin: dict[str, str]) -> None:
    form = FormData(quote_fields=False)
    form.add_field("file", PEOPLE, filename="..\\..\\Mitglieder März.csv", content_type="text/csv")
    report = await post(client, admin, form)
    assert (report["new"], report["file_name"]) == (2, "Mitglieder_März.csv")


async def test_a_dry_run_writes_nothing(client: TestClient, runtime: Runtime, admin: dict[str, str]) -> None:
    report = await post(client, {**admin, **CSV}, PEOPLE, query="?dry_run=true")
    assert (report["id"], report["dry_run"], report["new"]) == (0, True, 2)
    assert await count(runtime, member) == await count(runtime, import_job) == 0


async def test_the_same_file_under_the_same_key_is_imported_once(
    client: TestClient, runtime: Runtime, admin: dict[str, str]
) -> None:
    headers = {**admin, **CSV, "Idempotency-Key": "monday"}
    first = await post(client, headers, PEOPLE)
    assert await post(client, headers, PEOPLE) == first
    assert await count(runtime, import_job) == 1
    assert "another request" in (await post(client, headers, PEOPLE + b"\n", status=422))["detail"]


ATTEST = "?attest_basis=membership&attest_source=Members%20of%20the%20union&attest_dated=2026-01-31"


async def test_only_an_admin_attests(
    client: TestClient, runtime: Runtime, admin: dict[str, str], bearer: MakeHeaders
) -> None:
    writer = {**await bearer("imports:write"), **CSV}
    assert "admin" in (await post(client, writer, PEOPLE, query=ATTEST, status=403))["detail"]
    assert await count(runtime, member) == 0
    await post(client, {**admin, **CSV}, PEOPLE, query=ATTEST)
    assert await count(runtime, attestation) == 1


async def test_a_long_import_answers_with_its_number(
    client: TestClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "ANSWER_SECONDS", 0.0)
    rows = "".join(f"Ana {number};Silva;;ana{number}@example.org\n" for number in range(3_000))
    data = io.BytesIO(PEOPLE + rows.encode())
    begun = await post(client, {**admin, **CSV}, data, status=202)
    assert begun["status"] == "running"
    for _ in range(200):
        async with client.get(f"{URL}/{begun['id']}", headers=admin) as response:
            report = await response.json()
        if report["status"] == "finished":
            break
        await asyncio.sleep(0.05)
    assert (report["status"], report["rows"]) == ("finished", 3_003)


class AwayForAMoment(Store):
    """A real ledger that is gone when the first chunk of an import wants in."""

    tries = 0

    async def transact(self, work: Any) -> Any:
        if "_commit" in work.__qualname__:
            self.tries += 1
            if self.tries == 1:
                raise Unavailable("the database does not answer", retry_after=0.01)
        return await super().transact(work)


async def test_an_import_waits_for_a_database_that_went_away(sqlite_url: str, admin: dict[str, str]) -> None:
    store = AwayForAMoment(sqlite_url)
    async with serving(build_runtime(store)) as client:
        report = await post(client, {**admin, **CSV}, PEOPLE)
    assert (report["status"], report["new"], store.tries) == ("finished", 2, 2)
    await store.aclose()


REFUSED: dict[str, tuple[dict[str, str], Any, str, int]] = {
    "an empty file": (CSV, b"", "", 422),
    "NUL bytes": (CSV, b"\x00" * 5_000, "", 422),
    "an executable": (CSV, b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20, "", 422),
    "10,000 columns": (CSV, ",".join(f"c{n}" for n in range(10_000)).encode() + b"\n" + b"," * 9_999, "", 422),
    "no column that we know": (CSV, b"colour,shape\nred,round\n", "", 422),
    "JSON": ({"Content-Type": "application/json"}, b"{}", "", 415),
    "compressed": ({**CSV, "Content-Encoding": "gzip"}, b"\x1f\x8b", "", 415),
    "a form without boundary": ({"Content-Type": "multipart/form-data"}, b"x", "", 400),
    "a broken form": ({"Content-Type": "multipart/form-data; boundary=x"}, b"--y\r\n\r\n", "", 400),
    "a form cut off": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nemail\nana@exam',
        "",
        400,
    ),
    "a form with a broken header": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="\x18"\r\n\r\ntrue\r\n--x--\r\n',
        "",
        400,
    ),
    "a form with a broken header behind the file": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nemail\nana@example.org\r\n'
        b'--x\r\nContent-Disposition: form-data; name="\x18"\r\n\r\ntrue\r\n--x--\r\n',
        "",
        400,
    ),
    "a form without a file": (
        {"Content-Type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="dry_run"\r\n\r\ntrue\r\n--x--\r\n',
        "",
        422,
    ),
    "an unknown option": (CSV, PEOPLE, "?fast=true", 422),
    "an unknown encoding": (CSV, PEOPLE, "?encoding=klingon", 422),
    "half an attestation": (CSV, PEOPLE, "?attest_basis=membership", 422),
    "an attestation from the future": (CSV, PEOPLE, ATTEST.replace("2026-01", "2036-01"), 422),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_file_of_members(
    client: TestClient, runtime: Runtime, admin: dict[str, str], own_temp: Path, case: str
) -> None:
    headers, data, query, status = REFUSED[case]
    try:
        async with client.post(URL + query, data=data, headers={**admin, **headers}) as response:
            answer = await response.text()
            assert response.status == status, answer
            assert response.content_type in ("application/problem+json", "text/plain")
    finally:
        assert await count(runtime, member) == await count(runtime, import_job) == 0
        assert left_in(own_temp) == []


async def test_a_file_too_large(client: TestClient, admin: dict[str, str], own_temp: Path) -> None:
    async def without_length() -> Any:
        for _ in range(100):
            yield b"ana@example.org\n" * 4_096

    for data in (io.BytesIO(b"x" * (3 * 1024 * 1024 + 1)), without_length()):
        async with client.post(URL, data=data, headers={**admin, **CSV}) as response:
            assert response.status == 413
            assert "3 MiB" in (await response.json())["detail"]
    assert left_in(own_temp) == []


async def test_an_import_that_is_not_there(client: TestClient, admin: dict[str, str]) -> None:
    for path in ("77", "77/problems.csv"):
        async with client.get(f"{URL}/{path}", headers=admin) as response:
            assert (response.status, response.content_type) == (404, "application/problem+json")
