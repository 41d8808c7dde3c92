"""Tests of a limit that changes while a map runs."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import Limit, open_map, open_task_supervisor, parallel_map

from ._things import Source, Work, double

each_kind = pytest.mark.parametrize("kind", ["plain", "slow"])


def test_it_says_how_many_run_at_once() -> None:
    limit = Limit(3)
    assert (limit.value, repr(limit)) == (3, "Limit(3)")
    limit.value = math.inf
    assert (limit.value, repr(limit)) == (math.inf, "Limit(inf)")


@pytest.mark.parametrize("value", [0, -1, math.nan, 1.5, True, "3", None])
def test_it_is_a_whole_number_above_zero(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(f"not {value!r}")):
        Limit(value)
    limit = Limit(3)
    with pytest.raises((TypeError, ValueError), match="limit must be"):
        limit.value = value
    assert limit.value == 3


@each_kind
async def test_a_higher_one_starts_more_at_once(kind: str, autojump_clock: MockClock) -> None:
    limit, work = Limit(1), Work(10.0)
    items: Any = getattr(Source(range(20)), kind)()
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, work.do, items, limit=limit))
        await trio.sleep(5.0)
        assert work.running == 1
        limit.value = 4
        await trio.sleep(1.0)
        assert work.running == 4
        limit.value = math.inf
        await trio.sleep(1.0)
        assert work.running == 20


@each_kind
async def test_a_lower_one_lets_those_end_that_run(kind: str, autojump_clock: MockClock) -> None:
    limit, work = Limit(5), Work(10.0)
    items: Any = getattr(Source(range(12)), kind)()
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, work.do, items, limit=limit))
        await trio.sleep(5.0)
        limit.value = 2
        await trio.sleep(1.0)
        assert (work.running, work.cancelled) == (5, [])
        await trio.sleep(5.0)
        assert (work.running, tasks.running) == (2, 3)  # and the map itself
    assert len(work.ended) == 12


@each_kind
async def test_it_may_go_up_and_down(kind: str, autojump_clock: MockClock) -> None:
    limit, work = Limit(1), Work(10.0)
    items: Any = getattr(Source(range(40)), kind)()
    seen: list[int] = []
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, work.do, items, limit=limit))
        await trio.sleep(5.0)
        for value in (6, 1, 3, 8, 2):
            limit.value = value
            await trio.sleep(11.0)
            seen.append(work.running)
    assert seen == [6, 1, 3, 8, 2]
    assert sorted(work.ended) == list(range(40))


async def test_an_item_that_comes_after_it_was_lowered_waits(autojump_clock: MockClock) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 0
        await trio.sleep(2.0)
        yield 1

    limit, work = Limit(2), Work(10.0)
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, work.do, numbers(), limit=limit))
        await trio.sleep(1.0)
        limit.value = 1
    assert (work.most, work.ended, trio.current_time()) == (1, [0, 1], 20.0)


@each_kind
async def test_one_that_holds_back_what_waits_for_the_consumer(
    kind: str, autojump_clock: MockClock
) -> None:
    limit, work, source = Limit(4), Work(1.0), Source(range(50))
    items: Any = getattr(source, kind)()
    async with open_task_supervisor():
        async with open_map(work.do, items, limit=limit, buffer=0) as results:
            await trio.sleep(5.0)
            assert len(source.pulled) == 4
            limit.value = 1
            for taken in range(1, 4):
                await results.receive()
                await trio.sleep(5.0)
                assert len(source.pulled) == 4, taken
            work.most = 0
            await results.receive()
            await trio.sleep(5.0)
            assert (len(source.pulled), work.most) == (5, 1)
            limit.value = 3
            await trio.sleep(5.0)
            assert (len(source.pulled), work.most) == (7, 2)
            assert [one.item async for one in results] == list(range(4, 50))


@each_kind
async def test_one_that_went_down_and_up_counts_when_there_is_room(
    kind: str, autojump_clock: MockClock
) -> None:
    limit, work = Limit(2), Work({0: 50.0} | dict.fromkeys(range(1, 9), 1.0))
    items: Any = getattr(Source(range(9)), kind)()
    async with open_task_supervisor():
        async with open_map(work.do, items, limit=limit, buffer=0, ordered=False) as results:
            await trio.sleep(0.5)
            limit.value = 1
            await trio.sleep(1.0)
            limit.value = 2
            await trio.sleep(1.0)
            assert work.running == 1
            await results.receive()
            await trio.sleep(0.5)
            assert work.running == 2


async def test_each_map_keeps_it_by_itself(autojump_clock: MockClock) -> None:
    limit, one, other = Limit(2), Work(10.0), Work(10.0)
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, one.do, range(8), limit=limit))
        tasks.start_soon(partial(parallel_map, other.do, range(8), limit=limit))
        await trio.sleep(5.0)
        assert (one.running, other.running) == (2, 2)
        limit.value = 3
        await trio.sleep(1.0)
        assert (one.running, other.running) == (3, 3)


async def test_it_forgets_maps_that_have_ended(autojump_clock: MockClock) -> None:
    limit = Limit(2)
    async with open_task_supervisor():
        await parallel_map(double, range(8), limit=limit)
        async with open_map(double, range(8), limit=limit):
            pass
        with trio.move_on_after(1.0):
            await parallel_map(Work(9.0).do, range(8), limit=limit)
        limit.value = 5
    assert not limit._listeners


async def test_the_function_itself_may_change_it(autojump_clock: MockClock) -> None:
    limit = Limit(1)

    async def speed_up(_: int) -> None:
        limit.value = limit.value + 1
        await trio.sleep(1.0)

    async with open_task_supervisor():
        await parallel_map(speed_up, range(20), limit=limit)
    assert trio.current_time() == 1.0


async def test_one_that_is_raised_at_the_end_starts_nothing(autojump_clock: MockClock) -> None:
    limit, work = Limit(2), Work(10.0)
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, work.do, range(2), limit=limit))
        await trio.sleep(5.0)
        limit.value = 20
        await trio.sleep(1.0)
        assert work.running == 2
        limit.value = 1


async def test_an_item_that_waits_for_the_limit_is_not_begun_when_the_map_is_left(
    autojump_clock: MockClock,
) -> None:
    limit, work = Limit(2), Work(10.0)
    pulled: list[int] = []

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            pulled.append(number)
            yield number
            await trio.sleep(2.0)

    async with open_task_supervisor():
        async with open_map(work.do, numbers(), limit=limit):
            await trio.sleep(1.0)
            limit.value = 1
            await trio.sleep(2.0)
            assert pulled == [0, 1]
    assert (work.started, work.cancelled) == ([0], [0])
