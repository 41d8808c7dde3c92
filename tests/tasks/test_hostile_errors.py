"""Tests of errors that are taken for something else, or lose their form."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.tasks import (
    Failed,
    Limit,
    TaskTimeout,
    open_map,
    open_task_supervisor,
    parallel_map,
)

from ._things import Failure, double, errors_of, fail, leaves_of, loose_groups

# A `TypeError` of this very room, raised within the function


async def map_a_number(item: object) -> None:
    nothing: Any = 5
    await parallel_map(double, nothing)


async def map_with_an_option_that_is_wrong(item: object) -> None:
    wrong: Any = "3"
    await parallel_map(double, [1], on_progress=wrong)


async def map_with_a_supervisor_that_is_none(item: object) -> None:
    wrong: Any = "tasks"
    await parallel_map(double, [1], tasks=wrong)


async def unwrap_a_type_error(item: object) -> None:
    Failed(item, TypeError("of another item")).unwrap()


async def set_a_limit(item: object) -> None:
    limit = Limit(1)
    limit.value = "3"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "function",
    [
        map_a_number,
        map_with_an_option_that_is_wrong,
        map_with_a_supervisor_that_is_none,
        unwrap_a_type_error,
        set_a_limit,
    ],
)
@pytest.mark.parametrize("timeout", [None, 5.0])
async def test_a_type_error_that_this_room_raises_within_an_item_is_that_items(
    function: Callable[[object], Awaitable[None]], timeout: float | None
) -> None:
    async with open_task_supervisor():
        results = await parallel_map(function, [1, 2], timeout=timeout)
    assert errors_of(results) == {1: TypeError, 2: TypeError}


class PlainCaller:
    def call(self, async_fn: Callable[..., Awaitable[Any]], /, *args: Any) -> Any:
        return 3


async def test_a_retry_whose_call_is_no_async_one_is_what_the_error_is_about() -> None:
    async with open_task_supervisor():
        with pytest.raises(TypeError, match="retry"):
            await parallel_map(double, [1], retry=PlainCaller())


async def test_a_class_is_no_retry() -> None:
    class Once:
        async def call(self, async_fn: Callable[..., Awaitable[Any]], /, *args: Any) -> Any:
            return await async_fn(*args)

    wrong: Any = Once
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=r"retry must be"):
            await parallel_map(double, [1], retry=wrong)


async def test_an_async_generator_function_that_was_not_called_is_told_so() -> None:
    async def source() -> Any:
        yield 1

    items: Any = source
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=r"source\(\)"):
            await parallel_map(double, items)


# Groups


async def interrupt() -> None:
    raise KeyboardInterrupt


async def interrupted_family(item: object = None) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(interrupt)
        nursery.start_soon(trio.sleep_forever)


async def interrupted_families(item: object = None) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(interrupted_family)
        nursery.start_soon(trio.sleep_forever)


@pytest.mark.parametrize("function", [interrupted_family, interrupted_families])
async def test_an_interrupt_within_the_tasks_of_an_item_comes_bare(
    function: Callable[..., Awaitable[None]],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        async with open_task_supervisor():
            await parallel_map(function, [1])


@pytest.mark.parametrize("function", [interrupted_family, interrupted_families])
async def test_an_interrupt_within_the_tasks_of_an_item_leaves_the_block_of_a_map_bare(
    function: Callable[..., Awaitable[None]],
) -> None:
    async with open_task_supervisor():
        with pytest.raises(KeyboardInterrupt):
            async with open_map(function, [1]):
                await trio.sleep_forever()


@pytest.mark.parametrize("function", [interrupted_family, interrupted_families])
async def test_an_interrupt_within_the_tasks_of_a_task_comes_bare(
    function: Callable[..., Awaitable[None]],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        async with open_task_supervisor() as tasks:
            tasks.start_soon(function)
            await trio.sleep_forever()


async def raise_all() -> type[BaseException]:
    try:
        async with open_task_supervisor():
            await parallel_map(fail, [1], on_error="raise", limit=1)
    except BaseException as error:  # noqa: BLE001  which it is
        return type(error)
    raise AssertionError


async def raise_all_of_a_block() -> type[BaseException]:
    try:
        async with open_task_supervisor():
            async with open_map(fail, [1], on_error="raise", limit=1):
                await trio.sleep_forever()
    except BaseException as error:  # noqa: BLE001  which it is
        return type(error)
    raise AssertionError


@loose_groups
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("program", [raise_all, raise_all_of_a_block])
def test_the_errors_of_items_come_in_a_group_in_any_run(
    program: Callable[[], Awaitable[type[BaseException]]], strict: bool
) -> None:
    assert trio.run(program, strict_exception_groups=strict) is ExceptionGroup


async def test_a_group_of_a_cancellation_and_an_error_keeps_the_error(
    autojump_clock: MockClock,
) -> None:
    async def untidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async def family(item: object) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(untidy)

    async with open_task_supervisor() as tasks:
        assert tasks.is_open
        results = await parallel_map(family, [1], timeout=1)
        assert isinstance(results[0], Failed)
        assert [type(leaf) for leaf in leaves_of(results[0].error)] == [Failure]
        with pytest.raises((ExceptionGroup, Failure)):
            with trio.move_on_after(1):
                await parallel_map(family, [1])
        task = tasks.start_soon(family, 1)
        await wait_all_tasks_blocked()
        task.cancel()
        result = await task.outcome()
        assert isinstance(result, Failed)
        assert [type(leaf) for leaf in leaves_of(result.error)] == [Failure]


@pytest.mark.parametrize("leaves_by_error", [True, False])
async def test_no_cancellation_of_its_own_leaves_the_block_of_a_map(leaves_by_error: bool) -> None:
    async def untidy(item: object) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    with pytest.raises(ExceptionGroup) as caught:
        async with open_task_supervisor():
            async with open_map(untidy, range(4), limit=2, on_error="raise"):
                await wait_all_tasks_blocked()
                if leaves_by_error:
                    raise KeyError
    leaves = {type(leaf) for leaf in leaves_of(caught.value)}
    assert leaves == ({KeyError, Failure} if leaves_by_error else {Failure})


# Threads


@pytest.mark.realtime
async def test_an_item_in_a_thread_that_takes_too_long_is_timed_out() -> None:
    async with open_task_supervisor():
        results = await parallel_map(time.sleep, [0.3], timeout=0.05, run_in="thread")
    assert errors_of(results) == {0.3: TaskTimeout}


# Outcomes


async def test_a_task_that_asks_for_its_own_outcome_is_told_at_once(
    autojump_clock: MockClock,
) -> None:
    async def ask() -> None:
        with trio.fail_after(5):
            await tasks_own[0].outcome()

    tasks_own: list[Any] = []
    async with open_task_supervisor() as tasks:
        tasks_own.append(tasks.start_soon(ask))
        result = await tasks_own[0].outcome()
    assert isinstance(result, Failed)
    assert type(result.error) is RuntimeError
