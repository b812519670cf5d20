"""The demo's idea from below: proposed and seconded in the Telegram group, asked there without staff, counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from router.demo.chats import Scene, show_chat, until
from router.demo.house import EVENING
from router.demo.phones import read_rows
from router.store.tables import from_ms

_LATER = timedelta(days=4)
"""Nobody is asked for two things on one day, and at a weekend the day begins later: this is a Monday."""

_UNDO = timedelta(minutes=6)
"""In which an ask can still be taken back."""

_NEWS = 2
"""The proposer hears that the group is asked, and what it said."""

_IDEA = "A repair evening for bicycles in the courtyard, on every first Sunday"


async def carry_idea(scene: Scene) -> int:
    """Somebody proposes, five second it, the group is asked and the proposer hears what it said.

    Returns how many messages the answers in the group saved.
    """
    group, clock = scene.telegram, scene.clock
    clock.move_to(EVENING + _LATER)
    proposer, *others = group.people
    said = [(proposer.phone, f"/propose {_IDEA}"), *((one.phone, "/second 1") for one in others[:5])]
    lines = [(words, await group.write(person, words)) for person, words in said]
    show_chat(scene.out, f"{group.title}: an idea, and five who carry it", lines)

    await until(lambda: _is_launched(scene))
    idea = await _idea(scene)
    clock.move_to(clock() + _UNDO)
    scene.runtime.signals.wake()
    await group.posted(_IDEA)
    before, presses = group.post.text, group.presses
    group.press("YES", *(one.phone for one in others[:4]), group.strangers[1], group.strangers[2])
    group.press("NO", others[5].phone)
    await scene.count_up(group)
    show_chat(
        scene.out, f"{group.title}: the ask that the idea became", [("before", before), ("after", group.post.text)]
    )

    await scene.move_to(clock() + timedelta(hours=2), idea.campaign_id)
    written = await scene.written_to(idea.campaign_id)
    answered = {one.member for one in group.answered}
    scene.out.print(
        f"Idea {idea.number}: {idea.seconds} seconds, ask approved by {idea.approved_by}, {group.presses - presses}"
        f" presses. Two hours later {len(written)} who were silent in the group got their own message, of the"
        f" {len(answered)} members who had answered {len(answered & written)}."
    )

    clock.move_to(from_ms(idea.next_at) + timedelta(minutes=1))
    await until(lambda: len(_told(scene, proposer.phone)) == _NEWS)
    told = [("", words) for words in _told(scene, proposer.phone)]
    show_chat(scene.out, "What the proposer was told in private", told)
    return len(answered - written)


async def _is_launched(scene: Scene) -> bool:
    row = await _idea(scene)
    return bool(row.campaign_id and row.stage_since)


async def _idea(scene: Scene) -> Any:
    [row] = await read_rows(
        scene.runtime,
        "SELECT p.number, p.seconds, p.campaign_id, p.stage_since, p.next_at, c.approved_by"
        " FROM proposal p LEFT JOIN campaign c ON c.id = p.campaign_id",
    )
    return row


def _told(scene: Scene, person: str) -> list[str]:
    return [one.text for one in scene.sandbox.memory.accepted if one.to == person]
