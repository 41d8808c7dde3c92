"""Tests of whose context variables, and whose supervisor, an item sees."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.tasks import (
    Limit,
    TaskSupervisor,
    open_map,
    open_task_supervisor,
    parallel_map,
)

from ._things import double, values_of

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def see(item: int) -> str:
    await trio.sleep(1)
    return who.get()


async def test_items_that_begin_since_the_limit_was_raised_see_the_context_of_their_map(
    autojump_clock: MockClock,
) -> None:
    async def raise_limit() -> None:
        who.set("who raised the limit")
        limit.value = 4

    who.set("caller")
    limit = Limit(1)
    async with open_task_supervisor(), trio.open_nursery() as nursery:
        nursery.start_soon(raise_limit)
        assert set(values_of(await parallel_map(see, range(8), limit=limit))) == {"caller"}


async def test_items_that_begin_since_a_result_was_taken_see_the_context_of_their_map(
    autojump_clock: MockClock,
) -> None:
    async def work(item: int) -> str:
        return who.get() if item < 10 else await see(item)

    who.set("caller")
    async with open_task_supervisor():
        async with open_map(work, range(200), limit=100, buffer=0) as results:
            who.set("consumer")
            assert {result.unwrap() async for result in results} == {"caller"}


async def test_a_map_within_an_item_uses_the_supervisor_of_its_caller_whoever_raised_the_limit(
    autojump_clock: MockClock,
) -> None:
    async def nest(item: int) -> None:
        await trio.sleep(1)
        await parallel_map(double, range(3))

    async def raise_limit() -> None:
        await trio.sleep(0.5)
        async with open_task_supervisor(name="of another"):
            limit.value = 4

    limit = Limit(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raise_limit)
        async with open_task_supervisor() as tasks:
            assert len(values_of(await tasks.parallel_map(nest, range(8), limit=limit))) == 8


async def test_what_an_item_sets_does_not_reach_items_that_begin_with_it(
    autojump_clock: MockClock,
) -> None:
    async def leave_a_mark(item: int) -> str:
        found = who.get()
        who.set(f"item {item}")
        await trio.sleep(1)
        return found

    who.set("caller")
    async with open_task_supervisor():
        results = await parallel_map(leave_a_mark, range(4), limit=4)
    assert values_of(results) == ["caller"] * 4
    assert who.get() == "caller"


# Blocks that are left where they were not entered


@pytest.fixture
async def supervisor() -> AsyncGenerator[TaskSupervisor]:
    async with open_task_supervisor(name="of a fixture") as tasks:
        yield tasks


async def test_a_fixture_may_open_a_block(supervisor: TaskSupervisor) -> None:
    assert values_of(await supervisor.parallel_map(double, [1])) == [2]


@asynccontextmanager
async def opened() -> AsyncGenerator[TaskSupervisor]:
    async with open_task_supervisor() as tasks:
        yield tasks


async def test_the_nearest_block_is_the_innermost_that_is_open_after_one_was_left() -> None:
    async with open_task_supervisor(name="outer") as outer:
        async with opened() as inner:
            await parallel_map(double, [1])
            assert inner.is_open
        assert not inner.is_open
        task = outer.start_soon(parallel_map, double, [1])
        assert len(values_of((await task.outcome()).unwrap())) == 1


async def test_a_block_is_entered_once_and_an_open_one_stays_unhurt() -> None:
    block = open_task_supervisor()
    async with block as tasks:
        with pytest.raises(RuntimeError, match="entered once"):
            await block.__aenter__()
        assert values_of(await tasks.parallel_map(double, [1])) == [2]
    with pytest.raises(RuntimeError, match="entered once"):
        await block.__aenter__()


async def test_the_block_of_a_map_is_entered_once() -> None:
    async with open_task_supervisor():
        block: Any = open_map(double, [1])
        async with block as results:
            with pytest.raises(RuntimeError, match="entered once"):
                await block.__aenter__()
            assert values_of([result async for result in results]) == [2]
        with pytest.raises(RuntimeError, match="entered once"):
            await block.__aenter__()


# Other tasks


async def test_a_block_waits_for_the_map_of_another_task_and_ends_it_when_it_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    async def use(tasks: TaskSupervisor) -> None:
        got.extend(values_of(await tasks.parallel_map(double, range(4), limit=1)))

    got: list[int] = []
    async with trio.open_nursery() as nursery:
        async with open_task_supervisor() as tasks:
            nursery.start_soon(use, tasks)
            await wait_all_tasks_blocked()
    assert got == [0, 2, 4, 6]
