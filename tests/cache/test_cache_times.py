"""Tests of when a value expires, by which clock, and in which run."""

from __future__ import annotations

import math
import random
import sys
import time

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.cache import Cache, CacheHit, CacheMiss
from trio_foundation.telemetry import subscribe

from ._things import Hand, Loader, assert_lawful


@pytest.mark.parametrize(
    ("now", "is_there"),
    [(0.0, True), (math.nextafter(10, 0), True), (10.0, False), (math.nextafter(10, 99), False)],
)
def test_exactly_at_its_ttl_an_entry_is_expired(now: float, is_there: bool) -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("a", 1)
    hand.now = now
    assert (len(cache), list(cache), "a" in cache) == (is_there, ["a"] * is_there, is_there)
    assert cache.get("a") == (1 if is_there else None)


def test_each_entry_has_a_ttl_of_its_own() -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("short", 1, ttl=5)
    cache.put("usual", 1)
    cache.put("long", 1, ttl=20)
    cache.put("ever", 1, ttl=math.inf)
    there: dict[float, list[str]] = {}
    for hand.now in (4, 5, 10, 20, 1e300):
        there[hand.now] = list(cache)
    assert there == {
        4: ["short", "usual", "long", "ever"],
        5: ["usual", "long", "ever"],
        10: ["long", "ever"],
        20: ["ever"],
        1e300: ["ever"],
    }


def test_a_new_value_has_a_new_time() -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("a", 1)
    hand.now = 9
    cache.put("a", 2)
    hand.now = 18
    assert cache.get("a") == 2
    hand.now = 19
    assert cache.get("a") is None
    assert_lawful(cache)


def test_a_hit_does_not_make_a_value_last_longer() -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("a", 1)
    hand.now = 9
    assert cache.get("a") == 1
    hand.now = 10
    assert cache.get("a") is None


@pytest.mark.parametrize("ttl", [sys.float_info.max, 1e300, 10**20, sys.float_info.min])
def test_a_huge_or_a_tiny_ttl_does_no_harm(ttl: float) -> None:
    hand = Hand(1e9)
    cache = Cache[str, int](max_size=2, clock=hand)
    for key in "abcd":
        cache.put(key, 1, ttl=ttl)
        cache.get(key)
    assert (len(cache) == 2) == (ttl > 1)
    assert_lawful(cache)


def test_a_sweep_deletes_what_has_expired_and_nothing_else() -> None:
    hand = Hand()
    cache = Cache[int, int](clock=hand)
    for ttl in (1, 2, 3, 4):
        cache.put(ttl, ttl, ttl=ttl)
    cache.put(5, 5)
    hand.now = 3
    assert len(cache) == 2
    assert cache.sweep() == 3
    assert cache.sweep() == 0
    assert list(cache) == [4, 5]
    assert assert_lawful(cache).expirations == 3


def test_while_a_clock_goes_back_time_stands_still() -> None:
    hand = Hand(100)
    cache = Cache[str, int](ttl=10, clock=hand)
    cache.put("a", 1)
    hand.now = 110
    assert len(cache) == 0
    hand.now = 50
    assert (len(cache), cache.get("a")) == (0, None)
    cache.put("b", 2)
    hand.now = 119
    assert cache.get("b") == 2
    hand.now = 120
    assert cache.get("b") is None
    assert_lawful(cache)


# Jitter


def test_jitter_only_makes_times_shorter() -> None:
    hand = Hand()
    cache = Cache[int, int](ttl=10, jitter=0.2, clock=hand, rng=random.Random(1))
    for key in range(1000):
        cache.put(key, key)
    hand.now = 7.999
    assert len(cache) == 1000
    hand.now = 9
    assert 400 < len(cache) < 600
    hand.now = 10
    assert len(cache) == 0


def test_jitter_is_the_same_again_with_the_same_seed() -> None:
    def lengths(seed: int) -> list[int]:
        hand = Hand()
        cache = Cache[int, int](ttl=10, jitter=1, clock=hand, rng=random.Random(seed))
        for key in range(100):
            cache.put(key, key)
        found: list[int] = []
        for hand.now in range(10):
            found.append(len(cache))
        return found

    assert lengths(1) == lengths(1) != lengths(2)


def test_what_lasts_for_ever_has_no_jitter() -> None:
    hand = Hand()
    cache = Cache[str, int](jitter=1, clock=hand)
    cache.put("a", 1)
    hand.now = 1e300
    assert cache.get("a") == 1


def test_without_a_seed_there_is_jitter_too() -> None:
    cache = Cache[int, int](ttl=10, jitter=1, clock=(hand := Hand()))
    for key in range(100):
        cache.put(key, key)
    hand.now = 5
    assert 0 < len(cache) < 100


# Clocks and runs


async def test_it_goes_by_the_clock_of_the_run(autojump_clock: MockClock) -> None:
    cache = Cache[str, int](ttl=10)
    cache.put("a", 1)
    await trio.sleep(9.5)
    assert cache.get("a") == 1
    await trio.sleep(0.5)
    assert cache.get("a") is None


def test_a_clock_of_trio_may_be_given() -> None:
    clock = MockClock()
    cache = Cache[str, int](ttl=10, clock=clock)
    cache.put("a", 1)
    clock.jump(10)
    assert cache.get("a") is None


def test_a_clock_that_is_given_counts_in_every_run() -> None:
    hand = Hand()
    cache = Cache[str, int](ttl=10, clock=hand)

    async def main() -> int | None:
        await trio.sleep(1000)
        return cache.get("a")

    cache.put("a", 1)
    assert trio.run(main, clock=MockClock(autojump_threshold=0)) == 1
    hand.now = 10
    assert trio.run(main, clock=MockClock(autojump_threshold=0)) is None


def test_without_a_run_it_keeps_what_does_not_expire() -> None:
    cache = Cache[str, int](max_size=2)
    for key in "abc":
        cache.put(key, 1)
    assert list(cache) == ["b", "c"]
    assert cache.sweep() == 0


def test_before_the_first_run_it_cannot_keep_what_expires() -> None:
    cache = Cache[str, int](name="users")
    with pytest.raises(RuntimeError, match=r"'users' knows no time yet.*Cache\(clock=time.mono"):
        cache.put("a", 1, ttl=10)
    assert_lawful(cache)
    assert len(cache) == 0


def test_outside_of_a_run_it_works_with_a_clock() -> None:
    cache = Cache[str, int](ttl=1000, clock=time.monotonic)
    cache.put("a", 1)
    assert cache.get("a") == 1


def test_what_was_put_before_the_run_is_there_in_it() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)

    async def main() -> None:
        assert cache.get("a") == 1
        cache.put("b", 2, ttl=5)
        await trio.sleep(5)
        assert list(cache) == ["a"]

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(("first", "second"), [(0.0, 1000.0), (1000.0, 0.0), (7.0, 7.0)])
def test_what_is_left_of_a_time_goes_on_in_the_next_run(first: float, second: float) -> None:
    cache = Cache[str, int](ttl=10)

    def clock(start: float) -> MockClock:
        made = MockClock(autojump_threshold=0)
        made.jump(start)
        return made

    async def begin() -> None:
        cache.put("a", 1)
        await trio.sleep(4)
        cache.put("b", 1)
        await trio.sleep(1)

    async def go_on() -> list[list[str]]:
        seen = [list(cache)]
        for seconds in (4.5, 0.5, 3.5, 0.5):
            await trio.sleep(seconds)
            seen.append(list(cache))
        return seen

    trio.run(begin, clock=clock(first))
    assert trio.run(go_on, clock=clock(second)) == [["a", "b"], ["a", "b"], ["b"], ["b"], []]
    assert_lawful(cache)


def test_nothing_comes_back_to_life_in_the_next_run() -> None:
    cache = Cache[int, int](stale_for=math.inf)

    async def begin() -> None:
        for key in range(1, 100):
            cache.put(key, key, ttl=key / 7)
        await trio.sleep(7.7)
        assert len(cache) == 46

    async def go_on() -> None:
        assert len(cache) == 46
        assert list(cache) == list(range(54, 100))
        assert_lawful(cache)

    starts = [0.0, 1e9, 0.1, 12345.678]
    trio.run(begin, clock=MockClock(autojump_threshold=0))
    for start in starts:
        clock = MockClock()
        clock.jump(start)
        trio.run(go_on, clock=clock)


@pytest.mark.parametrize("way", ["get", "fetch", "get_or_load", "in", "delete", "len", "iter"])
def test_whatever_is_done_first_in_a_run_goes_by_its_clock(way: str) -> None:
    cache = Cache[str, str](ttl=10, stale_for=100)

    async def begin() -> None:
        await trio.sleep(1000)
        cache.put("a", "old")
        await trio.sleep(10)

    async def ask() -> object:
        if way == "get":
            return cache.get("a")
        if way == "fetch":
            with pytest.raises(CacheMiss):
                return cache.fetch("a")
        if way == "get_or_load":
            return await cache.get_or_load("a", Loader()) == "old"
        if way == "delete":
            return cache.delete("a")
        return {"in": "a" in cache, "len": len(cache), "iter": list(cache)}.get(way)

    trio.run(begin, clock=MockClock(autojump_threshold=0))
    assert not trio.run(ask, clock=MockClock(autojump_threshold=0))
    assert_lawful(cache)


def test_time_passes_between_two_runs_with_the_clocks_of_trio() -> None:
    cache = Cache[str, int]()

    async def begin() -> None:
        cache.put("short", 1, ttl=1e-9)
        cache.put("long", 1, ttl=1000)

    async def go_on() -> None:
        assert list(cache) == ["long"]

    trio.run(begin)
    trio.run(go_on)


def test_after_a_run_it_can_still_be_looked_at() -> None:
    cache = Cache[str, int](ttl=10)

    async def main() -> None:
        cache.put("a", 1)

    trio.run(main, clock=MockClock())
    assert (len(cache), cache.get("a")) == (1, 1)
    cache.put("b", 2)
    assert list(cache) == ["a", "b"]


def test_a_load_that_was_lost_with_its_run_does_not_block_the_next() -> None:
    cache = Cache[str, str]()

    async def begin() -> None:
        load = cache.get_or_load("a", Loader(after=5))
        load.send(None)  # and nobody ever goes on with it
        lost.append(load)

    lost: list[object] = []
    trio.run(begin)
    assert cache.statistics().loading == 1
    assert trio.run(cache.get_or_load, "a", Loader("new")) == "new"
    lost.clear()
    assert cache.get("a") == "new"


def test_each_run_has_its_own_listeners_also_with_the_same_clock() -> None:
    cache = Cache[str, int]()
    cache.put("a", 1)
    clock = MockClock()
    heard: list[CacheHit] = []

    async def listen() -> None:
        with subscribe(heard.append, CacheHit):
            cache.get("a")

    async def do_not() -> None:
        cache.get("a")

    for main in (do_not, listen, do_not, listen):
        trio.run(main, clock=clock)
    cache.get("a")
    assert len(heard) == 2
