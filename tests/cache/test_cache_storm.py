"""Many ask for few keys, are cancelled, and the keys are changed meanwhile."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.cache import Cache, LoadFailed

from ._things import assert_lawful


class Storm:
    """A store whose records have versions, with a cache before it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.cache = Cache[int, int](
            max_size=self.rng.choice([2, 100]),
            ttl=self.rng.choice([3, 1e9]),
            negative_ttl=self.rng.choice([None, 0.5]),
        )
        self.versions: Counter[int] = Counter()
        self.loading: Counter[int] = Counter()
        self.answers = 0

    async def load(self, key: int) -> int:
        version = self.versions[key]
        mark = (key, version)
        # Whoever loads for an older version loads for nobody who asks now.
        self.loading_of(mark, 1)
        try:
            await trio.sleep(self.rng.random() * 2)
            if key > 2 and self.rng.random() < 0.3:  # smaller keys only, so none waits for itself
                await self.ask(key - self.rng.randint(1, 2))
            if self.rng.random() < 0.2:
                raise OSError("no route")
            return version
        finally:
            self.loading_of(mark, -1)

    def loading_of(self, mark: tuple[int, int], change: int) -> None:
        self.loading[hash(mark)] += change
        assert self.loading[hash(mark)] <= 1

    async def ask(self, key: int) -> None:
        version = self.versions[key]
        try:
            found = await self.cache.get_or_load(key, self.load)
        except (OSError, LoadFailed):
            return
        assert version <= found <= self.versions[key]
        self.answers += 1

    async def be_a_user(self) -> None:
        while True:
            with trio.move_on_after(self.rng.random() * 3):
                await self.ask(self.rng.randrange(6))
            await trio.sleep(self.rng.random())

    async def change(self) -> None:
        while True:
            await trio.sleep(self.rng.random())
            key = self.rng.randrange(6)
            self.versions[key] += 1
            way = self.rng.randrange(8)
            if way == 0:
                self.versions.update(range(6))
                self.cache.clear()
            elif way < 3:
                self.cache.put(key, self.versions[key])
            else:
                self.cache.delete(key)

    async def look(self) -> None:
        while True:
            await trio.sleep(self.rng.random())
            for key in self.cache:
                assert self.cache.get(key) == self.versions[key]
            assert_lawful(self.cache)


@pytest.mark.parametrize("seed", range(25))
async def test_in_a_storm_nobody_gets_what_is_out_of_date_and_nobody_waits_for_ever(
    seed: int, autojump_clock: MockClock
) -> None:
    storm = Storm(seed)
    with trio.move_on_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(15):
                nursery.start_soon(storm.be_a_user)
            nursery.start_soon(storm.change)
            nursery.start_soon(storm.look)
    assert assert_lawful(storm.cache).loading == 0
    assert storm.answers > 50
    with trio.fail_after(100):
        for key in range(6):
            await storm.ask(key)
