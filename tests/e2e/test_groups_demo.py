"""The demo's groups: a post is answered in two chats, who was silent there is filled in, an idea is asked there."""

from __future__ import annotations

import re
from pathlib import Path

from router.demo.crowd import GROUPS
from router.sample import sample_rows
from tests.e2e.test_commands import Office

MEMBERS, SEED = 80, 3


async def test_an_ask_is_answered_in_groups_and_the_rest_is_filled_in(tmp_path: Path) -> None:
    said = await Office(tmp_path, {}).run(
        "demo", "--scenario", "groups", "--once", "--members", str(MEMBERS), "--seed", str(SEED)
    )
    words = " ".join(said.replace("│", " ").split())

    # Nobody in a group is written to at once; after two hours those are who were silent there, and only those.
    linked, early = map(int, _found(r"of the (\d+) whom we know to be in a group (\d+):", words))
    assert linked == 18 > early == 0
    rows = {
        name: [int(number) for number in _found(rf"{name} (\d+) (\d+) (\d+) (\d+)", words)]
        for name in ("answered in the group", "in a group, silent there", "everybody else")
    }
    answered, silent, others = rows.values()
    assert answered == [15, 0, 0, 15]
    assert silent == [linked - 15, 0, linked - 15, 0]
    assert others[1] > 20

    # The tally under the posts, edited in place: one answer of each person, the last one; far fewer edits than presses.
    rounds = [
        tuple(map(int, counts))
        for counts in re.findall(
            r"far: (\d+) yes, (\d+) no\. In this group so far: (\d+) yes, (\d+) no\. (\d+) \d+ ", words
        )
    ]
    assert rounds == [(8, 1, 3, 1, 13), (9, 2, 4, 1, 18), (11, 2, 6, 1, 22)]
    for tally in ("11 yes, 2 no", "6 yes, 1 no"):
        assert words.count(f"In this group so far: {tally}.") >= 3, "in the table, and in the post"

    # A stranger's answer becomes a member's, and the tally stays.
    before, after = _found(r"Members: (\d+) before, (\d+) after", words)
    assert int(after) == int(before) + 1
    for name in (r"Answers in groups that are a member's", r"what they do counts for them"):
        before, after = _found(rf"{name}: (\d+)(?: actions)? before, (\d+) after", words)
        assert int(after) == int(before) + 1
    assert "counts for you; nobody there sees it" in words

    assert "5 commands, 4 answers" in words
    assert "/help@another_bot (silence)" in words
    assert "Only the steward of this group can do that" in words
    assert "1: City Hall" in words

    # Its own group carries an idea without staff, and who answered there is not written to.
    own, knew, written = map(
        int, _found(r"(\d+) who were silent .* own message, of the (\d+) members who had answered (\d+)", words)
    )
    assert "5 seconds, ask approved by members, 7 presses" in words
    assert (own, knew, written) == (7, 5, 0)
    assert re.search(r"your group on idea 1: 6 yes, 1 no", words)
    presses, edits, saved = (
        int(_found(rf"(\d+) {what}", words)[0]) for what in ("presses of", "edits of", "messages saved")
    )
    assert presses == 29
    assert 4 <= edits < presses
    assert saved == 15 + knew
    _nothing_personal(said)


def _nothing_personal(said: str) -> None:
    """Whatever the bot said in the groups names nobody."""
    every = re.findall(r"every line of the bot .*?╯", said, re.DOTALL)
    assert len(every) == len(GROUPS[:2])
    shown = re.sub(r"http://127\S+", "", " ".join(" ".join(every).replace("│", " ").split()))
    assert "In this group so far: 11 yes, 2 no" in shown, "these are the posts"
    assert "1: City Hall" in shown, "and the answers"
    for row in sample_rows(MEMBERS, SEED):
        for column in ("First Name", "Last Name", "Mobile", "E-mail", "Postcode"):
            value = row[column].strip()
            assert not (value and re.search(rf"\b{re.escape(value)}\b", shown, re.IGNORECASE)), (column, value)
    assert not re.search(r"\d{7}", shown), "no telephone, no number of anybody at Telegram"
    assert "Example Square" not in shown


def _found(pattern: str, words: str) -> tuple[str, ...]:
    found = re.search(pattern, words)
    assert found is not None, words
    return found.groups()
