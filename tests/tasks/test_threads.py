"""Tests of maps whose function is a plain one, in threads."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import pytest
import trio
import trio.from_thread

from trio_foundation.resilience import Retry
from trio_foundation.tasks import TaskTimeout, open_map, open_task_supervisor, parallel_map

from ._things import Failure, Source, errors_of, leaves_of, values_of


def double(item: Any) -> Any:
    return 2 * item


def refuse(item: Any) -> Any:
    raise Failure(item)


async def test_a_plain_function_runs_in_threads() -> None:
    def which(_: int) -> int:
        return threading.get_ident()

    async with open_task_supervisor():
        found = values_of(await parallel_map(which, [1, 2], run_in="thread"))
        assert threading.get_ident() not in found
        assert values_of(await parallel_map(double, [1, 2], run_in="thread")) == [2, 4]


async def test_of_results_that_are_handed_out_too() -> None:
    async with open_task_supervisor():
        async with open_map(double, Source([1, 2]).slow(), run_in="thread") as results:
            assert values_of([one async for one in results]) == [2, 4]


async def test_as_many_at_once_as_the_limit_says_even_if_that_is_a_lot() -> None:
    meeting = threading.Barrier(60, timeout=30.0)

    def meet(_: int) -> int:
        return meeting.wait()

    async with open_task_supervisor():
        results = await parallel_map(meet, range(60), run_in="thread", limit=60)
    assert sorted(values_of(results)) == list(range(60))


async def test_no_more_at_once_than_the_limit_says() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    async with open_task_supervisor():
        await parallel_map(work, range(50), run_in="thread", limit=2)
    assert most in {1, 2}


async def test_its_errors_are_those_of_the_items() -> None:
    async with open_task_supervisor():
        results = await parallel_map(refuse, "ab", run_in="thread")
        assert errors_of(results) == {"a": Failure, "b": Failure}
        with pytest.raises((Failure, ExceptionGroup)) as caught:
            await parallel_map(refuse, "a", run_in="thread", on_error="raise")
        assert [type(leaf) for leaf in leaves_of(caught.value)] == [Failure]


async def test_it_sees_the_context_of_who_calls() -> None:
    var: ContextVar[str] = ContextVar("var")

    def look(_: int) -> str:
        return var.get()

    async with open_task_supervisor():
        var.set("caller")
        assert values_of(await parallel_map(look, [1], run_in="thread")) == ["caller"]


async def test_it_can_be_tried_again() -> None:
    calls: list[int] = []

    def flaky(item: int) -> int:
        calls.append(item)
        if len(calls) < 3:
            raise Failure
        return item

    async with open_task_supervisor():
        results = await parallel_map(flaky, [1], run_in="thread", retry=Retry(attempts=3))
    assert values_of(results) == [1]


async def test_a_thread_cannot_be_cancelled_and_is_waited_for() -> None:
    begun, may_end = trio.Event(), threading.Event()
    ended: list[int] = []

    def work(item: int) -> None:
        trio.from_thread.run_sync(begun.set)
        assert may_end.wait(30.0)
        ended.append(item)

    async def cancel() -> None:
        await begun.wait()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == []
        may_end.set()

    async with open_task_supervisor() as tasks:
        tasks.start_soon(cancel)
        with trio.CancelScope() as scope:
            await parallel_map(work, [1, 2, 3], run_in="thread", limit=1)
        assert scope.cancelled_caught
        assert (ended, tasks.running) == ([1], 0)


async def test_one_that_asks_is_told_that_its_time_is_over() -> None:
    def work(_: int) -> None:
        while True:
            trio.from_thread.check_cancelled()

    async with open_task_supervisor():
        results = await parallel_map(work, [1], run_in="thread", timeout=0.01)
    assert errors_of(results) == {1: TaskTimeout}


async def test_one_that_does_not_ask_is_waited_for_and_too_late_all_the_same() -> None:
    ended: list[int] = []

    def work(item: int) -> int:
        while trio.from_thread.run_sync(
            trio.current_effective_deadline
        ) > trio.from_thread.run_sync(trio.current_time):
            pass
        ended.append(item)
        return item

    async with open_task_supervisor():
        results = await parallel_map(work, [1], run_in="thread", timeout=0.01)
    assert (errors_of(results), ended) == ({1: TaskTimeout}, [1])


async def test_one_that_ends_in_time_is_in_time() -> None:
    async with open_task_supervisor():
        results = await parallel_map(double, [1, 2], run_in="thread", timeout=30.0)
        assert values_of(results) == [2, 4]
        assert errors_of(await parallel_map(refuse, "a", run_in="thread", timeout=30.0)) == {
            "a": Failure
        }


async def test_a_function_that_takes_no_item_says_so() -> None:
    def of_none() -> None: ...

    wrong: Any = of_none
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=r"of_none\(\) takes 0 positional arguments"):
            results = await parallel_map(wrong, [1], run_in="thread")
            results[0].unwrap()
