"""``outreach events`` and ``outreach places``, as a person types them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from router.cli.group import out
from router.community.event_model import EventIn
from router.community.events import create_in
from router.core.errors import BadInput, NotAllowed, NotFound
from router.store.engine import Store
from router.store.tables import member
from tests.support.commands import Say, typed_in
from tests.support.runtime import build_runtime


@pytest.fixture
def say(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command in an installation with two offers of one host; its tables are wide, wherever the tests run."""
    asyncio.run(_offers(sqlite_url))
    monkeypatch.setattr(out, "_width", 200)
    return typed_in(sqlite_url)


async def _offers(url: str) -> None:
    store = Store(url)
    now = datetime.now(UTC)
    async with store.write() as connection:
        await connection.execute(
            insert(member).values(id=501, attributes={}, joined_at=now, created_at=now, updated_at=now)
        )
        for number, title in ((601, "Soup"), (602, "Bread")):
            body = EventIn(title=title, country="GB", postcode="NW1 8AB", area="Camden", seats=6,
                           starts_at=now + timedelta(days=2))  # fmt: skip
            await create_in(connection, build_runtime(store), body, number=number, by="m", host_id=501, now=now)
    await store.aclose()


def test_offers_are_listed_opened_refused_and_called_off(say: Say) -> None:
    listed = say("events", "list", "--status", "proposed")
    assert listed.exit_code == 0, listed.output
    for words in ("601", "Soup", "602", "Bread", "Camden, NW18AB", "0/6", "501", "proposed"):
        assert words in listed.output
    assert "is open." in say("events", "approve", "601").output
    assert "is refused." in say("events", "refuse", "602", "--reason", "two on one street").output
    assert "is cancelled." in say("events", "cancel", "601", "--reason", "ill").output
    assert isinstance(say("events", "approve", "601").exception, NotAllowed)
    assert isinstance(say("events", "cancel", "4711").exception, NotFound)
    assert "Soup" not in say("events", "list", "--status", "open").output
    assert "Soup" not in say("events", "list", "--campaign", "7").output


def test_a_host_is_trusted_and_not_any_more(say: Say) -> None:
    assert "Events of member 501 open at once." in say("events", "trust", "501").output
    assert "Events of member 501 wait for an approval again." in say("events", "trust", "501", "--no-longer").output
    assert isinstance(say("events", "trust", "4711").exception, NotFound)


def test_postcodes_are_read_and_what_is_wrong_is_said(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("country,postcode,latitude,longitude\nGB,NW1,51.5,-0.1\nGB,NW3,north,-0.1\n", "utf-8")
    read = say("places", str(path))
    assert read.exit_code == 0, read.output
    assert (
        "Postcodes kept: 1. Lines: 2, of which 1 could not be used. Events that have found their place: 2."
        in read.output
    )
    assert "line 3: latitude: is no number between -90 and 90" in read.output
    path.write_text("phone\n1\n", "utf-8")
    assert isinstance(say("places", str(path)).exception, BadInput)


@pytest.mark.parametrize("words", [("events",), ("events", "list"), ("events", "trust"), ("places",)])
def test_help_teaches(say: Say, words: tuple[str, ...]) -> None:
    shown = say(*words, "--help")
    assert shown.exit_code == 0
    assert len(shown.output) > 100
