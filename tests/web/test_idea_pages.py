"""Pages of ideas: for everybody, without a person in them; for a member, where a GET changes nothing."""

from __future__ import annotations

import html.parser
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.address import address_hash
from router.core.join_links import confirm_token, ideas_token
from router.runtime import Runtime
from router.store.tables import address, member, proposal, to_ms
from tests.support.runtime import Clock

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }} for a free bus on Sundays'
WORDS = "A free bus to the hospital on Sundays"
PHONE = "+33639980001"


@pytest.fixture
async def token(runtime: Runtime, clock: Clock) -> str:
    """Bo's own page of ideas."""
    await add_member(runtime, clock, 2, PHONE)
    return ideas_token(runtime.key, 102, clock() + timedelta(days=7))


async def add_member(runtime: Runtime, clock: Clock, number: int, phone: str) -> None:
    now, long_ago = clock(), clock() - timedelta(days=365)
    person = {"id": number, "first_name": "Bo", "last_name": "Secret", "locale": "en", "country": "FR"}
    own = {"id": 100 + number, "member_id": number, "channel": "sms", "value": phone, "state": "active"}
    hash_ = address_hash(runtime.key, "phone", phone)
    async with runtime.store.write() as connection:
        await connection.execute(
            member.insert().values(**person, joined_at=long_ago, created_at=now, updated_at=now, attributes={})
        )
        await connection.execute(address.insert().values(**own, consent="granted", hash=hash_, created_at=now))


async def add_ideas(runtime: Runtime, clock: Clock, *rows: dict[str, Any]) -> None:
    now = clock()
    ids = await runtime.store.take_ids(len(rows))
    async with runtime.store.write() as connection:
        for number, row in enumerate(rows, 1):
            values = {"number": number, "text": WORDS, "status": "open", "member_id": 1, "country": "FR", **row}
            await connection.execute(
                proposal.insert().values(id=ids[number - 1], created_at=now, changed_at=now, **values)
            )


async def get(client: TestClient, path: str) -> tuple[int, str]:
    async with client.get(path) as response:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Set-Cookie" not in response.headers
        return response.status, await response.text()


async def post(client: TestClient, token: str, **fields: str) -> str:
    async with client.post(f"/propose/{token}", data=fields) as response:
        assert response.status == 200
        return await response.text()


async def rows(runtime: Runtime, statement: str) -> list[tuple[Any, ...]]:
    async with runtime.store.read() as connection:
        return [tuple(row) for row in (await connection.execute(text(statement))).all()]


class Tags(html.parser.HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


async def test_everybody_reads_what_stands_and_by_which_rules(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    await add_ideas(
        runtime,
        clock,
        {"place": "Lyon", "seconds": 7},
        {"text": "held words", "status": "held"},
        {"text": "removed words", "status": "removed"},
        {"text": "withdrawn words", "status": "withdrawn"},
        {
            "text": "Buy phones",
            "status": "refused",
            "rule": "trade",
            "reason": "spam by Mr X",
            "objections": 3,
        },
        {"text": "lifted words", "rule": "trade"},
    )
    status, page = await get(client, "/ideas")
    assert status == 200
    for words in (WORDS, "Lyon, France", "Seconded by 7", "lifted words", "Buy phones", "3 members object"):
        assert words in page
    policy = runtime.policy.proposals
    assert page.count(policy.rules["trade"].sentence) == 2, "with the idea, and among the rules"
    assert str(policy.public_seconds) in page
    assert "when so many of those who were reached say yes: 5%." in page
    for words in ("held words", "removed words", "withdrawn words", "spam by Mr X"):
        assert words not in page
    assert [(await get(client, f"/ideas/{number}"))[0] for number in (1, 2, 3, 4, 5, 99)] == [
        200, 404, 404, 404, 200, 404,
    ]  # fmt: skip


async def test_one_idea_says_what_those_said_who_were_asked(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    await add_ideas(runtime, clock, {"stage": "test", "status": "done"})
    async with runtime.store.write() as connection:
        for statement in (
            "INSERT INTO campaign (id, month, title, kind, status, created_by, created_at, recipients)"
            " VALUES (9, 202611, 'x', 'ask', 'finished', 'idea 1', 0, 40)",
            "INSERT INTO proposal_campaign (campaign_id, proposal_id, stage, at) SELECT 9, id, 'test', 0 FROM proposal",
            "INSERT INTO tally (campaign_id, channel, status, reason, count) VALUES (9, 'sms', 'delivered', '', 37)",
            "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at) VALUES"
            " (1, 5, 9, 'yes', 'button', 'a', 0), (2, 6, 9, 'no', 'button', 'b', 0)",
        ):
            await connection.execute(text(statement))
    _, page = await get(client, "/ideas/1")
    assert "A few people, drawn by lot" in page
    assert "Reached: 37, yes: 1, no: 1" in page
    assert "It goes no further." in page


async def test_pages_follow_one_another(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    await add_ideas(runtime, clock, *[{} for _ in range(25)])
    _, first = await get(client, "/ideas")
    _, second = await get(client, "/ideas?before=6")
    assert "/ideas?before=6" in first
    assert "/ideas/6" in first
    assert "/ideas/5" in second
    assert "/ideas/6" not in second
    assert "/ideas?before" not in second
    for nonsense in ("x", "-1", "9" * 50, "٣"):
        assert (await get(client, f"/ideas?before={nonsense}"))[0] == 200


async def test_hostile_words_are_text_on_every_page(
    client: TestClient, runtime: Runtime, clock: Clock, token: str
) -> None:
    await add_ideas(runtime, clock, {"text": EVIL, "place": EVIL})
    pages = [(await get(client, path))[1] for path in ("/ideas", "/ideas/1", f"/propose/{token}")]
    pages.append(await post(client, token, do="propose", text=EVIL[:60]))
    pages.append(await post(client, token, do="report", number="1", reason=EVIL))
    for page in pages:
        tags = Tags(page).seen
        assert not {tag for tag, _ in tags} & {"script", "style", "img", "iframe"}
        assert not any(name.startswith("on") or name == "style" for _, attributes in tags for name in attributes)
    assert all("{{ 7*7 }}" in page for page in pages[:3])


async def test_no_page_names_a_person(client: TestClient, runtime: Runtime, clock: Clock, token: str) -> None:
    await add_ideas(runtime, clock, {"member_id": 2})
    for path in ("/ideas", "/ideas/1", f"/propose/{token}"):
        _, page = await get(client, path)
        assert not any(word in page for word in ("Bo", "Secret", PHONE))


async def test_looking_changes_nothing(client: TestClient, runtime: Runtime, clock: Clock, token: str) -> None:
    await add_ideas(runtime, clock, {})
    before = await rows(runtime, "SELECT * FROM proposal")
    for path in ("/ideas", "/ideas/1", f"/propose/{token}", f"/propose/{token}?do=second&number=1"):
        for method in ("GET", "HEAD"):
            async with client.request(method, path) as response:
                assert response.status == 200
    assert await rows(runtime, "SELECT * FROM proposal") == before
    assert await rows(runtime, "SELECT * FROM proposal_second") == []


async def test_a_member_proposes_seconds_and_reports(
    client: TestClient, runtime: Runtime, clock: Clock, token: str
) -> None:
    await add_ideas(runtime, clock, {})
    assert "idea 2" in await post(client, token, do="propose", text="Let us paint\r\nthe bus stop ourselves")
    for _ in range(2):
        await post(client, token, do="second", number="1")
    await post(client, token, do="report", number="1", reason="It is an advertisement")
    found = await rows(runtime, "SELECT number, member_id, text, channel, address_id FROM proposal ORDER BY number")
    assert found[1] == (2, 2, "Let us paint the bus stop ourselves", "sms", 102)
    hash_ = address_hash(runtime.key, "phone", PHONE)
    assert await rows(runtime, "SELECT member_id, address_hash FROM proposal_second") == [(2, hash_)]
    assert await rows(runtime, "SELECT seconds, reports FROM proposal WHERE number = 1") == [(1, 1)]


async def test_only_its_proposer_takes_an_idea_back(
    client: TestClient, runtime: Runtime, clock: Clock, token: str
) -> None:
    await add_ideas(runtime, clock, {}, {"member_id": 2})
    _, page = await get(client, f"/propose/{token}")
    assert "Take idea 2 back" in page
    assert "Take idea 1 back" not in page
    assert "I second idea 2" not in page
    await post(client, token, do="withdraw", number="1")
    await post(client, token, do="withdraw", number="2")
    found = await rows(runtime, "SELECT number, status FROM proposal ORDER BY number")
    assert found == [(1, "open"), (2, "withdrawn")]


async def test_one_phone_counts_once_also_on_its_page(
    client: TestClient, runtime: Runtime, clock: Clock, token: str
) -> None:
    """Two members share a phone, and each has a page of their own."""
    await add_ideas(runtime, clock, {})
    await add_member(runtime, clock, 3, PHONE)
    other = ideas_token(runtime.key, 103, clock() + timedelta(days=7))
    await post(client, token, do="second", number="1")
    await post(client, other, do="second", number="1")
    assert await rows(runtime, "SELECT seconds FROM proposal") == [(1,)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"do": "nonsense"},
        {"do": "second"},
        {"do": "second", "number": "99999999999999999999"},
        {"do": "second", "number": "-1"},
        {"do": "report", "number": "٣", "reason": "x"},
        {"do": "propose"},
        {"do": "propose", "text": "🙂"},
        {"do": "propose", "text": "a word " * 600},
        {"do": "propose", "text": "a  " * 1_000},
    ],
)
async def test_a_form_that_says_nothing_useful_changes_nothing(
    client: TestClient, runtime: Runtime, clock: Clock, token: str, fields: dict[str, str]
) -> None:
    await add_ideas(runtime, clock, {})
    await post(client, token, **fields)
    assert await rows(runtime, "SELECT count(*) FROM proposal") == [(1,)]
    assert await rows(runtime, "SELECT seconds, reports FROM proposal") == [(0, 0)]


async def test_what_was_too_long_stands_in_the_form_again(client: TestClient, token: str) -> None:
    page = await post(client, token, do="propose", text="a word " * 100)
    assert "500" in page
    assert "a word a word" in page


async def test_only_the_link_of_a_living_member_opens_the_page(
    client: TestClient, runtime: Runtime, clock: Clock, token: str
) -> None:
    for wrong in (
        "nonsense",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        confirm_token(runtime.key, 102, clock() + timedelta(days=7)),
        ideas_token(runtime.key, 102, clock() - timedelta(seconds=1)),
        ideas_token(runtime.key, 999, clock() + timedelta(days=7)),
    ):
        assert (await get(client, f"/propose/{wrong}"))[0] == 404
        async with client.post(f"/propose/{wrong}", data={"do": "propose", "text": WORDS}) as response:
            assert response.status == 404
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE member SET erased_at = :now"), {"now": to_ms(clock())})
    assert (await get(client, f"/propose/{token}"))[0] == 404
    assert await rows(runtime, "SELECT count(*) FROM proposal") == [(0,)]
