"""``outreach proposal``, as a person types it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from router.cli.group import out
from router.core.errors import NotAllowed, NotFound
from router.store.engine import Store
from router.store.tables import proposal, proposal_report
from tests.support.commands import Say, typed_in


@pytest.fixture
def say(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command in an installation with two ideas; its tables are wide, wherever the tests run."""
    asyncio.run(_ideas(sqlite_url))
    monkeypatch.setattr(out, "_width", 200)
    return typed_in(sqlite_url)


async def _ideas(url: str) -> None:
    store = Store(url)
    now = datetime.now(UTC)
    rows = ((1, "held", "Trees [bold]in[/bold] the street", "reports"), (2, "open", "A market on Sundays", ""))
    async with store.write() as connection:
        for number, status, words, reason in rows:
            await connection.execute(
                insert(proposal).values(
                    id=700 + number, number=number, member_id=501, text=words, status=status, seconds=25,
                    reason=reason, place="Camden", country="GB", created_at=now, changed_at=now,
                )
            )  # fmt: skip
        await connection.execute(
            insert(proposal_report).values(proposal_id=701, member_id=502, address_hash="x", reason="rude", at=now)
        )
    await store.aclose()


def test_ideas_are_listed_read_and_decided(say: Say) -> None:
    listed = say("proposal", "list")
    assert listed.exit_code == 0, listed.output
    for words in ("Trees [bold]in[/bold] the street", "Camden, GB", "held", "reports", "A market on Sundays"):
        assert words in listed.output
    assert "Trees" not in say("proposal", "list", "--status", "open").output
    shown = say("proposal", "show", "1").output
    assert "Idea 1 of member 501 is held (reports)." in shown
    assert "rude" in shown
    assert "502" not in shown
    assert "is open" in say("proposal", "keep", "1", "--by", "Ana").output, "nobody else is an organizer here"
    refused = say("proposal", "refuse", "2", "--rule", "money", "--reason", "too dear").output
    assert "is refused (too dear)." in refused
    assert "Rule: money." in refused


def test_what_cannot_be_decided_is_said(say: Say) -> None:
    assert isinstance(say("proposal", "remove", "2", "--rule", "harm").exception, NotAllowed)
    assert isinstance(say("proposal", "refuse", "2", "--rule", "taste").exception, NotAllowed)
    assert isinstance(say("proposal", "show", "3").exception, NotFound)
    assert say("proposal", "refuse", "2").exit_code == 2
    assert say("proposal", "keep", "0").exit_code == 2
