"""A rule that breaks undoes what it did and nothing else: on both databases."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import text

from router.community import dialogue
from router.community.turn import Answer, Turn
from router.core.channel import Inbound, Received
from router.core.errors import Unavailable
from tests.support.ledger import Ledger


def said(ledger: Ledger, phone: str, words: str, name: str) -> Inbound:
    return Inbound(event_id=name, sender=phone, recipient="", text=words, at=ledger.clock())


async def breaking(turn: Turn) -> Answer | None:
    """Writes something, and then cannot go on where it reads "break"."""
    if turn.event.text != "break":
        return None
    await turn.connection.execute(
        text("UPDATE member SET place = 'half done' WHERE id = :id"), {"id": turn.owner.member_id}
    )
    turn.moves.react(1, "sms", "opt_out", 0)
    raise LookupError("a bug")


async def asking_nonsense(turn: Turn) -> Answer | None:
    """Asks the database for something that it does not have."""
    if turn.event.text == "break":
        await turn.connection.execute(text("SELECT nothing FROM nowhere"))
    return None


@pytest.mark.parametrize("handler", [breaking, asking_nonsense])
async def test_a_rule_that_breaks_leaves_its_message_to_a_person_and_the_others_alone(
    ledger: Ledger, handler: dialogue.Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dialogue, "HANDLERS", (handler, *dialogue.HANDLERS))
    ann, bob = await ledger.add_members(2)
    phones = dict(await ledger.execute("SELECT member_id, value FROM address"))
    with caplog.at_level(logging.ERROR):
        await ledger.submit(
            Received(events=(said(ledger, phones[ann], "break", "1"), said(ledger, phones[bob], "STOP", "2")))
        )
    assert await ledger.execute("SELECT place FROM member WHERE id = :id", id=ann) == [("",)]
    assert await ledger.execute("SELECT count(*) FROM reaction") == [(0,)]
    assert await ledger.execute("SELECT member_id, waiting FROM thread") == [(ann, 1)]
    assert await ledger.execute("SELECT count(*) FROM suppression WHERE channel = 'sms'") == [(1,)]
    assert "no rule could do" in caplog.text
    assert phones[ann] not in caplog.text


async def test_trouble_of_the_database_is_the_providers_to_bring_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(turn: Turn) -> Answer | None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(dialogue, "HANDLERS", (gone,))
    await ledger.add_members(1)
    [[phone]] = await ledger.execute("SELECT value FROM address")
    with pytest.raises(Unavailable):
        await ledger.submit(Received(events=(said(ledger, phone, "hello", "1"),)))
    assert await ledger.execute("SELECT count(*) FROM inbound") == [(0,)]
