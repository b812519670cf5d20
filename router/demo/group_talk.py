"""What is said to the bot in the demo's Telegram group, and how a stranger gets from there to a record of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.sandbox.telegram_people import Message
from router.community.event_desk import create_event
from router.community.event_model import EventIn
from router.demo.chats import Scene, show_chat, until
from router.demo.house import EVENING
from router.demo.phones import read_rows


async def come_by_link(scene: Scene) -> None:
    """A stranger who pressed YES follows the link under the post: from then on it is a member's answer."""
    group, stranger = scene.telegram, scene.telegram.strangers[0]
    assert isinstance(group.post, Message)
    link = next(button["url"] for row in group.post.buttons for button in row if "url" in button)
    [token] = parse_qs(urlsplit(link).query)["start"]
    before = await _standing(scene)
    said = f"/start {token}"
    scene.sandbox.telegram.answer(stranger, said)
    memory = scene.sandbox.memory
    await until(lambda: any(one.to == stranger for one in memory.accepted))
    shown = said.replace(token, f"{token[:6]}…")
    show_chat(
        scene.out, "The stranger's private chat", [(shown, one.text) for one in memory.accepted if one.to == stranger]
    )
    after = await _standing(scene)
    scene.out.print(
        f"Members: {before.members:,} before, {after.members:,} after. Answers in groups that are a member's:"
        f" {before.answers} before, {after.answers} after; what they do counts for them: {before.actions} actions"
        f" before, {after.actions} after. The tally stays: {group.expected}"
    )


async def talk_to_bot(scene: Scene, campaign: int) -> None:
    """Commands in the group: each is answered there in numbers, one for another bot not at all."""
    body = EventIn(
        campaign_id=campaign, title="Rent hearing", starts_at=EVENING + timedelta(days=7), seats=80, area="City Hall",
        address="Room 5, 1 Example Square", country="US", zone="America/Chicago",
    )  # fmt: skip
    await create_event(scene.runtime, body, by="ana", now=scene.clock())
    group, person = scene.telegram, scene.telegram.people[1].phone
    before = len(group.accepted)
    lines = [(words, await group.write(person, words)) for words in ("/events", "/why", "/help")]
    group.write_past_us(person, "/help@another_bot")
    await scene.sandbox.idle()
    lines.append(("/help@another_bot", "(silence)"))
    lines.append(("/quiet 2 weeks", await group.write(person, "/quiet 2 weeks")))
    show_chat(scene.out, f"{group.title}: somebody speaks to the bot", lines)
    scene.out.print(f"{len(lines)} commands, {len(group.accepted) - before} answers.")


_STANDING = """
SELECT (SELECT count(*) FROM member WHERE kind = 'person') AS members,
       (SELECT count(*) FROM group_answer WHERE member_id IS NOT NULL) AS answers,
       (SELECT count(*) FROM action WHERE kind IN ('yes', 'no')) AS actions
"""


async def _standing(scene: Scene) -> Any:
    """How many people, answers in groups and actions of members there are."""
    [row] = await read_rows(scene.runtime, _STANDING)
    return row
