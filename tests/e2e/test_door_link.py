"""The link to a member's own page, asked for from an email and on ``/door``, over a real mail server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email import message_from_string, policy
from email.message import EmailMessage

import aiohttp
import pytest

from channels.sandbox import Accepted
from router.stops import suppress
from router.store.tallies import Moves
from tests.support.movement import Movement, everywhere

LINK = re.compile(r"https?://[^\s\"<>]+")


def read(mail: Accepted) -> tuple[str, str]:
    """A mail's text and its HTML."""
    message = message_from_string(mail.text, _class=EmailMessage, policy=policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return (text.get_content() if text else "", html.get_content() if html else "")


def links(mail: Accepted, kind: str) -> list[str]:
    """The addresses in a mail's text that lead to such a page of ours."""
    return [link for link in LINK.findall(read(mail)[0]) if kind in link]


async def post(url: str, **form: str) -> str:
    """What the page says; the same to everybody."""
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
        assert response.status == 200, await response.text()
        return await response.text()


async def look(url: str, status: int = 200) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == status
        return await response.text()


async def new(movement: Movement) -> list[Accepted]:
    """What arrives when the worker has done all there is to do."""
    before = len(movement.sandbox.memory.accepted)
    await movement.work()
    return list(movement.sandbox.memory.accepted)[before:]


async def silence(movement: Movement, member: int) -> None:
    """The member unsubscribes."""
    [row] = await movement.execute("SELECT hash FROM address WHERE member_id = :id", id=member)
    runtime = movement.runtime
    async with runtime.store.write() as connection:
        moves = Moves()
        await suppress(
            runtime, connection, row.hash, "email", moves, reason="stop", source="tests", now=movement.clock()
        )
        await moves.write(connection)


@pytest.fixture
async def movement(sqlite_url: str) -> AsyncIterator[Movement]:
    async with everywhere(sqlite_url) as movement:
        yield movement


async def test_the_foot_of_an_email_leads_to_a_fresh_link_that_only_its_reader_gets(movement: Movement) -> None:
    [ana] = await movement.add_members(1, channel="email")
    await movement.execute("UPDATE member SET locale = 'es' WHERE id = :id", id=ana)
    await movement.launch()
    [asked] = await new(movement)
    [button] = links(asked, "/door")
    assert f'href="{button}">What we hold of you, and your wishes</a>' in read(asked)[1]

    page = await look(button)
    assert "Envíenme mi enlace" in page
    assert "member" not in page.replace("member.css", ""), "not even the address is shown"
    assert await new(movement) == [], "looking at it sends nothing"

    said = await post(button)
    [sent] = await new(movement)
    assert (sent.to, asked.to) == (f"member{ana}@example.org", f"member{ana}@example.org")
    [link] = links(sent, "/m/")
    assert "<h1>Tu página</h1>" in await look(link)

    assert await post(button) == said, "pressed again it says the same"
    assert await new(movement) == [], "and sends nothing for an hour"
    await look(button.replace("/u/", "/u/A"), 404)


async def test_the_page_says_the_same_to_everybody_and_writes_to_members_only(movement: Movement) -> None:
    ana, bo, cy, dee = await movement.add_members(4, channel="email")
    await movement.add_members(1, channel="sms")
    await silence(movement, bo)
    await movement.execute("UPDATE address SET consent = 'unconfirmed' WHERE member_id = :id", id=cy)
    await movement.execute(  # a household's mailbox: nobody knows whose page is meant
        "UPDATE address SET value = a.value, hash = a.hash FROM address a"
        " WHERE a.member_id = :of AND address.member_id = :id",
        of=dee, id=cy,
    )  # fmt: skip
    door = f"{movement.runtime.settings.public_url}/door"
    pages = {
        await post(door, address=written)
        for written in (
            f" MEMBER{ana}@example.org", f"member{bo}@example.org", f"member{cy}@example.org",
            f"member{dee}@example.org", "nobody@example.org", "+33 6 39 98 00 00", "+33639989999",
        )
    }  # fmt: skip
    assert len(pages) == 1
    sent = {one.to: one for one in await new(movement)}
    assert set(sent) == {f"member{ana}@example.org", "+33639980000"}
    [link] = LINK.findall(sent["+33639980000"].text)
    assert "Your page" in await look(link)
    async with aiohttp.ClientSession() as session, session.post(door, data={"address": "<b>&@"}) as response:
        page = await response.text()
        assert (response.status, "neither an email address nor a phone number" in page) == (422, True)
        assert 'value="&lt;b&gt;&amp;@"' in page
