"""Tests of the child that sweeps."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.cache import Cache
from trio_foundation.supervision import open_supervisor

from ._things import assert_lawful


async def test_it_sweeps_now_and_then(autojump_clock: MockClock) -> None:
    removed: list[tuple[int, float]] = []

    def note(key: int, value: int, cause: str) -> None:
        removed.append((key, trio.current_time()))

    cache = Cache[int, int](name="users", on_removal=note)
    async with open_supervisor([cache.sweeper(every=10)]) as supervisor:
        assert list(supervisor.children) == ["sweep users"]
        for ttl in (1, 10, 11):
            cache.put(ttl, 0, ttl=ttl)
        await trio.sleep(25)
    assert removed == [(1, 10), (10, 10), (11, 20)]


async def test_it_lets_others_have_their_turn(autojump_clock: MockClock) -> None:
    begun = trio.Event()

    def note(key: int, value: int, cause: str) -> None:
        begun.set()

    cache = Cache[int, int](on_removal=note)
    for key in range(5_500):
        cache.put(key, key, ttl=5)
    async with open_supervisor([cache.sweeper(every=10)]):
        await begun.wait()
        assert 0 < cache.statistics().held < 5_500
        await trio.sleep(1)
        assert cache.statistics().held == 0
    assert_lawful(cache)


@pytest.mark.parametrize("every", [0, -1, math.nan, math.inf])
def test_a_time_that_makes_no_sense_is_refused(every: float) -> None:
    with pytest.raises(ValueError, match=rf"^every must be more than 0 seconds.*, not {every}"):
        Cache[int, int]().sweeper(every=every)
