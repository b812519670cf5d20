"""The demo's dinners: from HOST by text to a report-back, over real sockets, with the shipped worker."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.test_commands import Office


async def test_neighbours_host_come_and_hear_what_came_of_it(tmp_path: Path) -> None:
    said = await Office(tmp_path, {}).run("demo", "--scenario", "dinners", "--once", "--members", "150")
    words = " ".join(said.split())
    proposed, opened = map(int, _found(r"(\d+) events were proposed; an organizer opens (\d+) of them", words))
    assert proposed == opened + 1 > 3
    confirmed, _ = map(int, _found(r"(\d+) have a seat, (\d+) are on a waiting list", words))
    [came] = map(int, _found(r"(\d+) guests are ticked off at the door", words))
    assert confirmed >= came > 0
    hosts, reminders = map(int, _found(r"(\d+) hosts, (\d+) reminders", words))
    assert hosts == opened
    assert reminders >= 2 * came, "the day before and two hours before"
    assert "One host's telephone" in words
    assert "One guest's telephone" in words
    assert re.search(r"│ all │ \d+ │ \d+ │ [1-9]", words), "seats were taken"


def _found(pattern: str, words: str) -> tuple[str, ...]:
    found = re.search(pattern, words)
    assert found is not None, words
    return found.groups()
