"""Tests of KeyboardInterrupt at any step of a cache.

Run as a program, ``python -m tests.cache.test_cache_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and so
on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio

from trio_foundation.cache import Cache, CacheEvent, CacheMiss, LoadFailed, RemovalCause, cached
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe

from ..supervision.attack.interrupted_program import counted, leaves
from ..supervision.attack.interrupts import run_module, sweep
from ._things import assert_lawful, noting

made: list[Cache[Any, Any]] = []


async def load(key: int) -> int:
    with counted():
        await trio.sleep(1)
        if key == 3:
            raise OSError
        return key


def new_cache(**options: Any) -> Cache[int, int]:
    made.append(cache := Cache[int, int](max_size=3, ttl=10, **options))
    return cache


async def ask(cache: Cache[int, int], key: int, seconds: float = 100) -> None:
    with trio.move_on_after(seconds), suppress(OSError, LoadFailed):
        await cache.get_or_load(key, load)


async def ask_all(cache: Cache[int, int]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, cache, 1, 0.5)
        for key in (1, 1, 2, 3, 3):
            nursery.start_soon(ask, cache, key)
        await trio.sleep(0.7)
        cache.delete(2)
        nursery.start_soon(ask, cache, 2)


async def everything() -> None:
    try:
        await go_through_all()
    except BaseExceptionGroup as group:  # of the nurseries in here
        if {type(leaf) for leaf in leaves(group)} == {KeyboardInterrupt}:
            raise KeyboardInterrupt from None
        raise


async def go_through_all() -> None:
    told: list[CacheEvent] = []
    removed: list[tuple[int, int, RemovalCause]] = []
    cache = new_cache(stale_for=5, negative_ttl=5, on_removal=noting(removed))

    @cached(max_size=2)
    async def double(number: int) -> int:
        return 2 * await load(number)

    made.append(double.cache)
    with counted(), subscribe(told.append, CacheEvent):
        async with open_supervisor([cache.sweeper(every=3)]):
            await ask_all(cache)
            for key in range(6):
                cache.put(key, key)
                cache.get(key)
            with suppress(CacheMiss):
                cache.fetch(0)
            len(cache)
            list(cache)
            await trio.sleep(10)
            await ask_all(cache)
            cache.clear()
            for number in (1, 2, 4, 1):
                await double(number)
            double.forget(1)
            cache.statistics()


def unlawful() -> list[str]:
    """Return what is wrong with the caches, as the run has ended."""
    wrong: list[str] = []
    for cache in made:
        try:
            if assert_lawful(cache).loading:
                wrong.append("something is loading still")
        except AssertionError as error:
            wrong.append(f"unlawful: {error}")
    return wrong


def again() -> None:
    """Use the caches once more, in a run of their own."""

    async def main() -> None:
        for cache in made:
            with trio.fail_after(5), suppress(OSError, LoadFailed):
                await cache.get_or_load(3, load)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def disorder() -> list[str]:
    """Return what is wrong with the caches, now or when they are used again."""
    wrong = unlawful()
    if wrong:
        return wrong
    again()
    return [f"later: {one}" for one in unlawful()]


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(7, 61), (23, 61)])
def test_an_interrupt_leaves_a_cache_in_order_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    run_module("tests.cache.test_cache_interrupts", first, stride)


if __name__ == "__main__":
    sweep(everything, begin=made.clear, disorder=disorder)
