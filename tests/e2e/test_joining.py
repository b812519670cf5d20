"""Strangers join over the real adapters: a text message through Twilio's webhook, a chat that a link opened."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from router.community.join_codes import JoinCodeIn, create_code
from tests.support.movement import Movement, everywhere
from tests.support.settling import working

PHONE, CHAT = "+33639981234", "5150"


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels, and one way in."""
    async with everywhere(database_url) as movement:
        body = JoinCodeIn(code="DINNERS", title="Dinners", tags=["dinner"], first_step="Reply HOST.")
        await create_code(movement.runtime, body, by="ana", now=movement.clock())
        yield movement


async def test_strangers_join_by_text_and_by_a_bots_link_and_get_one_welcome(movement: Movement) -> None:
    phones, bot = movement.sandbox.phones, movement.sandbox.telegram
    async with working(movement):
        for _ in range(2):
            phones.reply(PHONE, "Join DINNERS")
            bot.answer(CHAT, "/start DINNERS")
            await movement.sandbox.idle()
            await movement.until(lambda: {PHONE, CHAT} <= set(movement.received()))
        await movement.until(lambda: movement.received()[PHONE] == movement.received()[CHAT] == 2)
    for place in (PHONE, CHAT):
        said = [one.text for one in movement.sandbox.memory.accepted if one.to == place]
        assert ["welcome!" in words for words in said] == [True, False]
        assert "you are in" in said[1]
    rows = await movement.execute("SELECT channel, value, consent FROM address ORDER BY channel")
    assert [tuple(row) for row in rows] == [("sms", PHONE, "granted"), ("telegram", CHAT, "granted")]
    assert await movement.execute("SELECT count(*) FROM member_tag WHERE tag = 'dinner'") == [(2,)]
