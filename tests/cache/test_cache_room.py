"""Tests of who has to go when there is no more room, and of what that costs."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any

import pytest

from trio_foundation.cache import Cache

from ._things import Hand, assert_lawful


def test_the_least_recently_used_goes_first() -> None:
    cache = Cache[str, int](max_size=3)
    for key in "abc":
        cache.put(key, 1)
    cache.get("a")
    cache.fetch("b")
    cache.put("d", 1)
    assert list(cache) == ["a", "b", "d"]
    cache.get("a")
    cache.put("e", 1)
    assert list(cache) == ["a", "d", "e"]
    assert assert_lawful(cache).evictions == 2


def test_to_put_is_to_use() -> None:
    cache = Cache[str, int](max_size=2)
    cache.put("a", 1)
    cache.put("b", 1)
    cache.put("a", 2)
    cache.put("c", 1)
    assert list(cache) == ["a", "c"]


async def test_a_hit_of_get_or_load_is_a_use() -> None:
    cache = Cache[str, int](max_size=2)
    cache.put("a", 1)
    cache.put("b", 1)

    async def load() -> int:
        raise AssertionError

    await cache.get_or_load("a", load)
    cache.put("c", 1)
    assert list(cache) == ["a", "c"]


def test_a_miss_uses_nothing() -> None:
    cache = Cache[str, int](max_size=2)
    cache.put("a", 1)
    cache.put("b", 1)
    cache.get("z")
    cache.put("c", 1)
    assert list(cache) == ["b", "c"]


def test_what_has_expired_goes_before_what_is_least_recently_used() -> None:
    hand = Hand()
    cache = Cache[str, int](max_size=3, clock=hand)
    cache.put("old", 1)
    cache.put("second", 1, ttl=5)
    cache.put("first", 1, ttl=4)
    hand.now = 5
    cache.put("x", 1)
    assert cache.statistics().held == 3
    cache.put("y", 1)
    assert sorted(cache) == ["old", "x", "y"]
    cache.put("z", 1)
    assert sorted(cache) == ["x", "y", "z"]
    seen = assert_lawful(cache)
    assert (seen.expirations, seen.evictions) == (2, 1)


def test_one_place_is_room_enough() -> None:
    cache = Cache[int, int](max_size=1)
    for key in range(3000):
        cache.put(key, key)
        assert cache.get(key) == key
    assert list(cache) == [2999]
    assert_lawful(cache)


def test_a_value_that_is_replaced_needs_no_room() -> None:
    cache = Cache[str, int](max_size=2)
    cache.put("a", 1)
    cache.put("b", 1)
    cache.put("b", 2)
    assert list(cache) == ["a", "b"]
    assert cache.statistics().evictions == 0


# What the methods of keys do


class Key:
    """A key that counts how often it is hashed, and raises when it is told to."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.hashed = 0
        self.error: Exception | None = None

    def __hash__(self) -> int:
        self.hashed += 1
        if self.error is not None:
            raise self.error
        return self.number

    def __eq__(self, other: object) -> bool:
        if self.error is not None:
            raise self.error
        return isinstance(other, Key) and self.number == other.number


@pytest.mark.parametrize("is_there", [True, False], ids=["a hit", "a miss"])
async def test_a_get_hashes_its_key_once(is_there: bool) -> None:
    cache = Cache[Key, int](ttl=10)
    if is_there:
        cache.put(Key(1), 1)
    key = Key(1)
    cache.get(key)
    assert key.hashed == 1


async def test_a_hit_of_get_or_load_hashes_its_key_once() -> None:
    cache = Cache[Key, int](ttl=10)
    cache.put(Key(1), 1)
    key = Key(1)

    async def load() -> int:
        raise AssertionError

    await cache.get_or_load(key, load)
    assert key.hashed == 1


def test_a_hit_compares_once() -> None:
    compared: list[object] = []

    class Counting(Key):
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return True

    cache = Cache[Key, int](max_size=1)
    cache.put(Counting(1), 1)
    cache.get(Counting(1))
    assert len(compared) == 1


@pytest.mark.parametrize("hook", ["__hash__", "__eq__"])
def test_what_a_key_raises_comes_out_and_changes_nothing(hook: str) -> None:
    class Evil:
        def __hash__(self) -> int:
            if hook == "__hash__":
                raise ValueError("evil")
            return hash("a")

        def __eq__(self, other: object) -> bool:
            raise ValueError("evil")

    cache = Cache[Any, int](max_size=1)
    cache.put("a", 1)
    evil = Evil()
    for method in ("get", "fetch", "delete", "__contains__", "put"):
        with pytest.raises(ValueError, match="evil"):
            getattr(cache, method)(evil, *[2] * (method == "put"))
    assert cache.get("a") == 1
    seen = assert_lawful(cache)
    assert (seen.gets, seen.puts, seen.hits) == (1, 1, 1)


def test_a_key_that_turns_evil_when_it_has_to_go_leaves_all_in_order() -> None:
    cache = Cache[Key, int](max_size=2)
    evil = Key(1)
    cache.put(evil, 1)
    cache.put(Key(2), 2)
    evil.error = ValueError("evil")
    for number in (3, 4):
        with pytest.raises(ValueError, match="evil"):
            cache.put(Key(number), number)
        assert_lawful(cache)
    assert len(cache) == 2
    evil.error = None
    cache.put(Key(3), 3)
    assert sorted(key.number for key in cache) == [2, 3]
    assert_lawful(cache)


# Memory and effort


def test_what_is_removed_is_kept_alive_by_nobody() -> None:
    class Thing:
        pass

    hand = Hand()
    cache = Cache[object, Thing](max_size=5, clock=hand)
    gone: list[weakref.ref[object]] = []

    def put(key: object, **options: Any) -> None:
        thing = Thing()
        gone.append(weakref.ref(thing))
        cache.put(key, thing, **options)

    for key in range(6):
        put(key)  # the first is evicted
    put(1)  # and replaced
    cache.delete(2)
    put(7, ttl=1)
    hand.now = 1
    cache.get(7)
    gc.collect()
    assert [ref() is None for ref in gone] == [True, True, True, False, False, False, False, True]
    cache.clear()
    gc.collect()
    assert all(ref() is None for ref in gone)


def test_no_order_grows_where_nothing_is_ever_evicted() -> None:
    hand = Hand()
    cache = Cache[int, int](max_size=1000, ttl=1e9, clock=hand)
    for turn in range(30_000):
        cache.put(turn % 10, turn)
        if turn % 3 == 0:
            cache.delete(turn % 10)
    assert_lawful(cache)
    assert cache._core.shelf._uses.held < 1100
    assert cache._core.shelf._dues.held < 1100


def test_memory_stays_the_same_however_long_it_is_used() -> None:
    hand = Hand()
    cache = Cache[int, int](max_size=200, ttl=500, clock=hand)

    def use(first: int) -> int:
        for key in range(first, first + 5_000):
            cache.put(key, key)
            cache.get(key - 150)
            hand.now += 1
            if key % 7 == 0:
                len(cache)
                cache.delete(key - 3)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    use(0)
    tracemalloc.start()
    try:
        before = use(5_000)
        after = [use(first) for first in range(10_000, 25_000, 5_000)]
    finally:
        tracemalloc.stop()
    assert min(after) < before + 50_000
    assert_lawful(cache)
