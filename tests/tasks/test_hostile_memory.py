"""Tests of what is left in memory when a map or a task has ended; the collector is off."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.tasks import Failed, Ok, open_map, open_task_supervisor, parallel_map

from ._things import Failure


@pytest.fixture(autouse=True)
def no_collector() -> Generator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Value:
    """What is large, and wants to be forgotten."""


class Items:
    """Items and results that know how many of them are still there."""

    def __init__(self, count: float = 10, *, fails: bool = False) -> None:
        self._count = count
        self._fails = fails
        self._made: list[weakref.ref[Value]] = []

    def __iter__(self) -> Generator[Value]:
        for number in itertools.count():
            if number >= self._count:
                return
            yield self._make()

    def _make(self) -> Value:
        value = Value()
        self._made.append(weakref.ref(value))
        return value

    async def work(self, item: Value) -> Value:
        await trio.lowlevel.checkpoint()
        if self._fails:
            raise Failure
        return self._make()

    @property
    def left(self) -> int:
        return sum(ref() is not None for ref in self._made)


def ignore(done: int, total: int | None) -> None:
    pass


@pytest.mark.parametrize(
    "options",
    [{}, {"on_progress": ignore}, {"ordered": False}, {"timeout": 5.0}, {"on_error": "raise"}],
    ids=str,
)
async def test_nothing_is_left_of_a_map(options: Any) -> None:
    items = Items()
    async with open_task_supervisor():
        await parallel_map(items.work, items, limit=3, **options)
        await wait_all_tasks_blocked()
        assert items.left == 0


@pytest.mark.parametrize("options", [{}, {"timeout": 5.0}], ids=str)
async def test_nothing_is_left_of_a_map_whose_items_fail(options: Any) -> None:
    items = Items(fails=True)
    async with open_task_supervisor():
        await parallel_map(items.work, items, limit=3, **options)
        await wait_all_tasks_blocked()
        assert items.left == 0


async def test_nothing_is_left_of_a_map_that_has_failed() -> None:
    items = Items(fails=True)
    async with open_task_supervisor():
        with suppress(ExceptionGroup):
            await parallel_map(items.work, items, limit=3, on_error="raise")
        await wait_all_tasks_blocked()
        assert items.left == 0


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("leaves_early", [False, True])
async def test_nothing_is_left_of_a_stream(limit: int, leaves_early: bool) -> None:
    items = Items()
    async with open_task_supervisor():
        async with open_map(items.work, items, limit=limit) as results:
            while not leaves_early:
                try:
                    assert isinstance(await results.receive(), Ok)
                except trio.EndOfChannel:
                    break
            await results.aclose()
        del results
        await wait_all_tasks_blocked()
        assert items.left == 0


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("fails", [True, False])
async def test_an_endless_input_takes_no_more_memory_as_it_goes_on(
    ordered: bool, fails: bool
) -> None:
    items = Items(float("inf"), fails=fails)
    async with open_task_supervisor():
        async with open_map(items.work, items, limit=2, buffer=2, ordered=ordered) as results:
            for _ in range(500):
                await results.receive()
            assert items.left <= 2 * (2 + 2 + 2)


async def test_an_error_that_is_kept_keeps_no_other_results() -> None:
    async def work(item: Value) -> Value:
        if item is bad:
            raise Failure
        return items._make()

    items = Items()
    bad = Value()
    async with open_task_supervisor():
        results = await parallel_map(work, [*items, bad, *items], limit=1)
        kept = [result.error for result in results if isinstance(result, Failed)]
        del results
    assert len(kept) == 1
    assert items.left == 0


async def test_nothing_is_left_of_tasks() -> None:
    for fails in (False, True):
        items = Items(fails=fails)
        async with open_task_supervisor() as tasks:
            for _ in range(10):
                await tasks.start_soon(items.work, items._make()).outcome()
            await wait_all_tasks_blocked()
        assert items.left == 0


async def test_a_failed_task_that_nobody_keeps_is_logged_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_task_supervisor() as tasks:
        items = Items(fails=True)
        tasks.start_soon(items.work, Value())
        await wait_all_tasks_blocked()
        assert "nobody asked why" in caplog.text
