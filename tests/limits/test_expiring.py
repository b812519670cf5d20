"""What is kept for a time is forgotten afterwards, and memory with it."""

from __future__ import annotations

from router.expiring import Expiring
from router.limits import Bucket, LocalLimits
from tests.limits.conftest import Time


def test_an_entry_lives_as_long_as_it_was_put_for() -> None:
    time = Time()
    kept: Expiring[str, int] = Expiring(time)
    kept.put("a", 1, 10)
    time.now += 9
    assert "a" in kept
    assert (kept.get("a"), kept.left("a")) == (1, 1)
    kept.put("a", 2, 10)
    time.now += 9
    assert kept.get("a") == 2
    time.now += 1
    assert "a" not in kept
    assert (kept.get("a"), kept.left("a")) == (None, 0)


def test_what_is_dropped_is_gone() -> None:
    kept: Expiring[str, int] = Expiring(Time())
    kept.put("a", 1, 10)
    kept.drop("a")
    kept.drop("b")
    assert "a" not in kept


def test_memory_follows_what_lives() -> None:
    time = Time()
    kept: Expiring[int, None] = Expiring(time)
    for number in range(200_000):
        kept.put(number, None, 10)
        time.now += 0.01  # a thousand live at any time
    assert 1_000 <= len(kept) <= 5_000
    assert all(number in kept for number in range(199_100, 200_000))


async def test_a_million_chats_do_not_fill_the_memory() -> None:
    time = Time()
    limits = LocalLimits(time)
    for number in range(100_000):
        assert await limits.take_each([Bucket(f"telegram/main/chat/{number}", rate=1, burst=1)]) == [0.0]
        time.now += 0.01
    assert len(limits._owed) < 5_000
