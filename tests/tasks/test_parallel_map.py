"""Tests of maps that return all their results at once."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from trio_foundation.tasks import Failed, Ok, TaskTimeout, open_task_supervisor, parallel_map

from ._things import Failure, Source, Work, double, errors_of, values_of

# What comes back


async def test_there_is_a_result_for_each_item() -> None:
    work = Work(0.0, fails="b")
    async with open_task_supervisor():
        first, second, third = await parallel_map(work.do, "abc")
    assert (first, third) == (Ok("a", "a"), Ok("c", "c"))
    assert isinstance(second, Failed)
    assert (second.item, type(second.error)) == ("b", Failure)


async def test_the_supervisor_can_be_asked_itself() -> None:
    async with open_task_supervisor() as tasks:
        assert values_of(await tasks.parallel_map(double, [1, 2])) == [2, 4]


async def test_with_raise_values_come_back() -> None:
    async with open_task_supervisor():
        assert await parallel_map(double, [1, 2], on_error="raise") == [2, 4]


async def test_of_no_items_there_are_no_results() -> None:
    async with open_task_supervisor():
        assert await parallel_map(double, []) == []


@pytest.mark.parametrize("items", [[], [1]], ids=["no items", "an item"])
async def test_it_is_a_checkpoint(items: list[int]) -> None:
    async def at_once(item: int) -> int:
        return item

    async with open_task_supervisor():
        with assert_checkpoints():
            await parallel_map(at_once, items)


async def test_results_come_in_the_order_of_the_items(autojump_clock: MockClock) -> None:
    seconds = {"a": 3.0, "b": 1.0, "c": 2.0}
    async with open_task_supervisor():
        assert values_of(await parallel_map(Work(seconds).do, "abc", limit=3)) == ["a", "b", "c"]


async def test_or_as_they_end(autojump_clock: MockClock) -> None:
    seconds = {"a": 3.0, "b": 1.0, "c": 2.0}
    async with open_task_supervisor():
        results = await parallel_map(Work(seconds).do, "abc", limit=3, ordered=False)
    assert values_of(results) == ["b", "c", "a"]


async def test_items_may_be_equal_and_need_no_hash() -> None:
    async with open_task_supervisor():
        assert values_of(await parallel_map(double, [[1], [1]])) == [[1, 1], [1, 1]]


# How it goes


async def test_as_many_run_at_once_as_the_limit_says(autojump_clock: MockClock) -> None:
    work = Work(1.0)
    async with open_task_supervisor():
        await parallel_map(work.do, range(10), limit=4)
    assert (work.most, trio.current_time()) == (4, 3.0)


@pytest.mark.parametrize("limit", [math.inf, 1000], ids=["inf", "more than there are"])
async def test_or_all_of_them(limit: float, autojump_clock: MockClock) -> None:
    work = Work(1.0)
    async with open_task_supervisor():
        await parallel_map(work.do, range(100), limit=limit)
    assert (work.most, trio.current_time()) == (100, 1.0)


async def test_by_default_as_many_as_there_are_cores(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os  # noqa: PLC0415  to be looked into

    def three(_: int) -> set[int]:
        return {0, 1, 2}

    monkeypatch.setattr(os, "sched_getaffinity", three, raising=False)
    work = Work()
    async with open_task_supervisor():
        await parallel_map(work.do, range(9))
        assert work.most == 3
        monkeypatch.delattr(os, "sched_getaffinity")
        monkeypatch.setattr(os, "cpu_count", lambda: 5)
        await parallel_map(work.do, range(9))
    assert work.most == 5


async def test_it_is_held_back_by_nothing_but_its_limit(autojump_clock: MockClock) -> None:
    work = Work({0: 100.0} | dict.fromkeys(range(1, 100), 1.0))
    async with open_task_supervisor():
        await parallel_map(work.do, range(100), limit=2)
    assert trio.current_time() == 100.0


async def test_so_it_is_with_an_async_input(autojump_clock: MockClock) -> None:
    work = Work({0: 100.0} | dict.fromkeys(range(1, 100), 1.0))
    async with open_task_supervisor():
        await parallel_map(work.do, Source(range(100)).slow(), limit=2)
    assert trio.current_time() == 100.0


async def test_it_lets_others_run_even_if_the_function_never_waits() -> None:
    turns = 0
    counts: list[int] = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async def at_once(item: int) -> None:
        if not item % 100:
            counts.append(turns)

    async with open_task_supervisor() as tasks:
        counting = tasks.start_soon(count_turns)
        await parallel_map(at_once, range(1000), limit=1)
        counting.cancel()
    assert sorted(set(counts)) == counts


async def test_a_map_may_be_within_a_map(autojump_clock: MockClock) -> None:
    async def row(length: int) -> list[Any]:
        return values_of(await parallel_map(double, range(length)))

    async with open_task_supervisor():
        assert values_of(await parallel_map(row, [0, 1, 3])) == [[], [0], [0, 2, 4]]


async def test_the_function_sees_the_context_of_who_calls() -> None:
    var: ContextVar[str] = ContextVar("var")

    async def look(item: int) -> str:
        return f"{var.get()} {item}"

    async with open_task_supervisor():
        var.set("caller")
        assert values_of(await parallel_map(look, [1, 2])) == ["caller 1", "caller 2"]


# When it is cancelled


async def test_to_be_cancelled_cancels_the_items(autojump_clock: MockClock) -> None:
    work = Work(2.0)
    async with open_task_supervisor() as tasks:
        with trio.move_on_after(3.0) as scope:
            await parallel_map(work.do, "abcdef", limit=2)
        assert scope.cancelled_caught
        assert tasks.running == 0
    assert (work.started, set(work.ended)) == (list("abcd"), set("ab"))
    assert set(work.cancelled) == set("cd")
    assert trio.current_time() == 3.0


async def test_one_that_is_cancelled_before_begins_nothing() -> None:
    work, source = Work(), Source("abc")
    async with open_task_supervisor():
        with trio.CancelScope() as scope:
            scope.cancel()
            await parallel_map(work.do, source.plain())
    assert scope.cancelled_caught
    assert (work.started, source.pulled) == ([], [])


async def test_an_item_that_cancels_itself_has_a_result(autojump_clock: MockClock) -> None:
    async def give_up(item: str) -> str:
        with trio.move_on_after(1.0):
            await trio.sleep_forever()
        return item

    async with open_task_supervisor():
        assert values_of(await parallel_map(give_up, "abc")) == ["a", "b", "c"]


# Time


async def test_an_item_that_takes_too_long_has_failed_with_that(autojump_clock: MockClock) -> None:
    work = Work({"a": 1.0, "b": 99.0, "c": 1.5})
    async with open_task_supervisor():
        results = await parallel_map(work.do, "abc", limit=1, timeout=2.0)
    assert errors_of(results) == {"b": TaskTimeout}
    assert (work.ended, work.cancelled, trio.current_time()) == (["a", "c"], ["b"], 4.5)
    error: Any = results[1].error if isinstance(results[1], Failed) else None
    assert (error.name, error.seconds, str(error)) == ("do", 2.0, "do took longer than 2 s")
    assert isinstance(error, trio.TooSlowError)


async def test_so_it_is_with_an_async_input_and_raise(autojump_clock: MockClock) -> None:
    work = Work({"a": 1.0, "b": 99.0})
    async with open_task_supervisor():
        with pytest.raises((TaskTimeout, ExceptionGroup)):
            await parallel_map(work.do, Source("ab").slow(), timeout=2.0, on_error="raise")


async def test_a_time_that_an_item_keeps_by_itself_is_its_own(autojump_clock: MockClock) -> None:
    async def impatient(item: float) -> None:
        with trio.fail_after(item):
            await trio.sleep_forever()

    async with open_task_supervisor():
        results = await parallel_map(impatient, [1.0, 9.0], timeout=5.0)
    assert errors_of(results) == {1.0: trio.TooSlowError, 9.0: TaskTimeout}


async def test_one_that_returns_all_the_same_is_in_time(autojump_clock: MockClock) -> None:
    async def stubborn(item: str) -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(5.0)
        return item

    async with open_task_supervisor():
        assert values_of(await parallel_map(stubborn, "a", timeout=1.0)) == ["a"]


async def test_an_error_after_the_time_is_the_items_error(autojump_clock: MockClock) -> None:
    async def clumsy(_: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async with open_task_supervisor():
        assert errors_of(await parallel_map(clumsy, "a", timeout=1.0)) == {"a": Failure}
