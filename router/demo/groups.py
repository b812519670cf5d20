"""The demo's scenario ``groups``: an ask is answered in a Telegram group and a Slack channel, and an idea comes of it.

Group first, then the rest: whoever answers under the post gets no message of their own.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.core.ask import Ask
from router.core.rates import Pace
from router.demo.chats import Chat, Scene, show_chat
from router.demo.crowd import GROUPS, import_members, open_channels
from router.demo.group_idea import carry_idea
from router.demo.group_talk import come_by_link, talk_to_bot
from router.demo.house import EVENING, RULES, Clock, installation, working
from router.demo.phones import Person, read_rows
from router.demo.watching import launch, stay, watch
from router.groups import change_group

FEWEST = 60
"""Below so many there are too few in the groups to play with."""

LET_IN = timedelta(days=35)
"""So long before the ask: a group's first 30 days are those of a newcomer, who is asked once a week."""

_SHARES = {"telegram": 0.12, "slack": 0.06}
"""How many members have an address there."""

_OUTSIDE = {"telegram": 4, "slack": 2}
"""How many of these are in no group of ours."""

_LEAST = {"telegram": 16, "slack": 8}
_SPEAK = 2
"""How many are known to be in a group because they speak to the bot; the others, because they come in."""

_NEIGHBOURS = (
    "SELECT id FROM member WHERE kind = 'person' AND country = 'US' AND household_id IS NULL AND erased_at IS NULL"
    " ORDER BY CASE WHEN locale LIKE 'en%' THEN 0 ELSE 1 END, id"
)
"""Who may be in a group: where it is day, and who shares no budget with somebody that is asked at once. Those who are
answered in English first, so that it can be read here."""

_BRISK = {"chat": Pace(rate=20, burst=5), "group": Pace(rate=20, burst=5)}
_RULES = {name: RULES[name].model_copy(update={"each": _BRISK}) for name in ("telegram", "slack")}
"""What one chat takes from us: more than a real one, so that nobody waits for an answer in a demo."""

_FIRST = timedelta(hours=2)
"""How long a group comes first (``[groups]`` in ``config/policy.toml``)."""

_WORDS = "the rent hearing is on Thursday at 6 pm. Will you come?"
_BUTTONS = [{"label": "I will come", "reply": "YES"}, {"label": "Not me", "reply": "NO"}]
_ASK: dict[str, Any] = {
    "title": "Rent hearing on Thursday",
    "groups": ["rent"],
    "texts": {"en": {
        "default": {"text": f"Hi {{{{ first_name | default('neighbour') }}}}, {_WORDS}", "buttons": _BUTTONS},
        "sms": {"text": f"Hi {{{{ first_name | default('neighbour') }}}}, {_WORDS} Reply YES or NO. STOP ends these."},
    }},
}  # fmt: skip


async def run_groups(out: Console, *, members: int, seed: int, once: bool) -> None:
    """Run it and print what happens; without `once`, keep it running to look around in."""
    clock = Clock(EVENING - LET_IN)
    with tempfile.TemporaryDirectory(prefix="outreach-demo-") as folder:
        async with installation(Path(folder), clock, rules=_RULES) as (runtime, sandbox, url):
            out.rule("1. Members come in, and two groups let the bot in")
            await import_members(runtime, out, Path(folder) / "members.csv", max(members, FEWEST), seed)
            telegram, slack = (Chat(sandbox, *about) for about in GROUPS[:2])
            scene = Scene(runtime, sandbox, clock, out, telegram, slack)
            async with working(runtime):
                await _come_together(scene)
                out.rule("2. Five weeks later: one ask, to both groups and to all")
                clock.move_to(EVENING)
                campaign = await launch(runtime, Ask.model_validate(_ASK))
                at_once = await _ask(scene, campaign)
                out.rule("3. People press the buttons under the posts")
                await _press(scene)
                out.rule("4. A stranger comes in, and the bot is spoken to")
                await come_by_link(scene)
                await talk_to_bot(scene, campaign)
                out.rule("5. Two hours after the posts: who is written to now")
                saved = await _fill_in(scene, campaign, at_once)
                out.rule("6. An idea from the group")
                saved += await carry_idea(scene)
                out.rule("7. What came of it")
                _tell(scene, saved)
                if not once:
                    await stay(out, runtime, sandbox, url)


async def _come_together(scene: Scene) -> None:
    """The bot is let in by what the providers tell us, and organizers tag the groups; members get in, or speak."""
    scene.sandbox.telegram.people.join(scene.telegram.address, scene.sandbox.new_address("telegram", "steward"))
    scene.sandbox.slack.people.join(scene.slack.address, inviter=scene.sandbox.new_address("slack", "steward"))
    await scene.sandbox.idle()
    rows = await read_rows(scene.runtime, _NEIGHBOURS)
    numbers = [row.id for row in rows]
    for chat in scene.chats:
        [group] = await read_rows(
            scene.runtime, "SELECT member_id FROM address WHERE value = :value", value=chat.address
        )
        chat.number = group.member_id
        await change_group(scene.runtime, chat.number, title=chat.title, tags=["rent"], by="ana", now=scene.clock())
        many = max(_LEAST[chat.channel], int(len(rows) * _SHARES[chat.channel]))
        theirs, numbers = numbers[:many], numbers[many:]
        await _open(scene, chat, theirs)
        await _enter(scene, chat)
        chat.strangers = [scene.sandbox.new_address(chat.channel, f"stranger{place}") for place in range(3)]
    table = Table(title="The groups", title_justify="left")
    for name in ("Chat", "Let in by", "Tag", "Members known to be in it"):
        table.add_column(name)
    for chat in scene.chats:
        known = await read_rows(
            scene.runtime, "SELECT source, count(*) AS n FROM group_member WHERE group_id = :id GROUP BY source"
            " ORDER BY source", id=chat.number,
        )  # fmt: skip
        ways = ", ".join(f"{row.n} {row.source}" for row in known)
        table.add_row(escape(chat.title), f"{chat.channel}'s own event", "rent", f"{len(chat.people)} ({ways})")
    scene.out.print(table)


async def _open(scene: Scene, chat: Chat, members: list[int]) -> None:
    """These members open a private chat with the bot; all but a few of them will be in the group."""
    people = [Person(one, scene.sandbox.new_address(chat.channel, f"demo{one}"), "") for one in members]
    await open_channels(scene.runtime, [(one.member, chat.channel, one.phone) for one in people])
    outside = _OUTSIDE[chat.channel]
    chat.outside, chat.people = people[:outside], people[outside:]


async def _enter(scene: Scene, chat: Chat) -> None:
    """They come into the group, or are there already and say something to the bot."""
    come, speak = chat.people[:-_SPEAK], chat.people[-_SPEAK:]
    for one in come:
        if chat.channel == "telegram":
            scene.sandbox.telegram.people.join(chat.address, one.phone, who=one.phone)
        else:
            scene.sandbox.slack.people.join(chat.address, one.phone)
    for one in speak:
        await chat.write(one.phone, "/help")
    await scene.sandbox.idle()


async def _ask(scene: Scene, campaign: int) -> set[int]:
    """Post it in the groups, and tell those at once who are in none; returns them."""
    for chat in scene.chats:
        await chat.posted(_WORDS)
    await watch(scene.runtime, scene.sandbox, campaign, scene.out)
    at_once = await scene.written_to(campaign)
    linked = [one for chat in scene.chats for one in chat.people]
    early = at_once & {one.member for one in linked}
    scene.out.print(
        f"2 posts stand in the groups. {len(at_once):,} people were written to at once, of the {len(linked)} whom we"
        f" know to be in a group {len(early)}: they have {_FIRST.seconds // 3600} hours to answer there."
    )
    return at_once


async def _press(scene: Scene) -> None:
    """Members and strangers answer, many at once; one changes their mind, one presses the same again."""
    telegram, slack, out = *scene.chats, scene.out
    ours, theirs = [one.phone for one in telegram.people], [one.phone for one in slack.people]
    before = {chat: chat.post.text for chat in scene.chats}
    table = Table(title="The tally under each post, edited in place", title_justify="left")
    for name in ("", telegram.title, slack.title, "Presses", "Edits"):
        table.add_column(escape(name), justify="right" if name in ("Presses", "Edits") else "left")

    async def count(what: str) -> None:
        await scene.count_up(*scene.chats)
        table.add_row(
            what, *(chat.expected for chat in scene.chats), str(sum(chat.presses for chat in scene.chats)),
            str(sum(chat.edits for chat in scene.chats)),
        )  # fmt: skip

    telegram.press("YES", *ours[:6], *telegram.strangers[:2])
    telegram.press("NO", ours[6])
    slack.press("YES", *theirs[:3])
    slack.press("NO", slack.strangers[0])
    await count("many at once, 3 of them strangers")
    telegram.press("NO", ours[0])
    telegram.press("YES", ours[7], ours[8], ours[1])
    slack.press("YES", theirs[3])
    await count("one changes their mind, one presses YES again")
    telegram.press("YES", ours[9], telegram.outside[0].phone)
    slack.press("YES", theirs[4], slack.strangers[1])
    await count("a member who was not known to be there")
    out.print(table)
    for chat in scene.chats:
        show_chat(
            out, f"{chat.title}: the same post, before and after", [("before", before[chat]), ("after", chat.post.text)]
        )


async def _fill_in(scene: Scene, campaign: int, at_once: set[int]) -> int:
    """The groups' time is over; returns how many messages their answers saved."""
    await scene.move_to(EVENING + _FIRST + timedelta(minutes=5), campaign)
    written = await scene.written_to(campaign)
    linked = {one.member for chat in scene.chats for one in chat.people}
    answered = {one.member for chat in scene.chats for one in chat.answered} & linked
    rows = await read_rows(scene.runtime, "SELECT id FROM member WHERE kind = 'person' AND erased_at IS NULL")
    everybody = {row.id for row in rows}
    table = Table(title="Group first, then the rest", title_justify="left")
    for place, name in enumerate(("Members", "People", "At once", "After 2 h", "Not written to")):
        table.add_column(name, justify="right" if place else "left")
    for name, some in (
        ("answered in the group", answered),
        ("in a group, silent there", linked - answered),
        ("everybody else", everybody - linked),
    ):
        later = written - at_once
        table.add_row(name, *(str(len(one)) for one in (some, some & at_once, some & later, some - written)))
    scene.out.print(table)
    scene.out.print("Not written to among everybody else: no consent, a telephone they share, or it is night there.")
    return len(answered - written)


def _tell(scene: Scene, saved: int) -> None:
    table = Table(title="In both groups", title_justify="left", show_header=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    presses, edits = sum(chat.presses for chat in scene.chats), sum(chat.edits for chat in scene.chats)
    for count, what in (
        (presses, "presses of buttons"),
        (edits, "edits of posts"),
        (sum(len(chat.accepted) for chat in scene.chats), "messages of the bot"),
        (saved, "messages saved: who answered in the group got none of their own"),
    ):
        table.add_row(f"{count:,}", what)
    scene.out.print(table)
    for chat in scene.chats:
        lines = dict.fromkeys(
            line for one in chat.posts for text in (*one.edits, one.text) for line in text.split("\n")
        )
        show_chat(scene.out, f"{chat.title}: every line of the bot", [("", "\n".join(filter(None, lines)))])
    scene.out.print("docs/groups.md lets your own bot in, docs/proposals.md has the way of an idea to everybody.")
    scene.out.print("Without --once the demo goes on: the chats, /ideas and the API stay open to look around in.")
