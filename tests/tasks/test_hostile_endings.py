"""Tests of maps that end before their time while others still use them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.tasks import (
    Limit,
    TaskSupervisor,
    TaskSupervisorNotRunning,
    TooManyTasks,
    open_map,
    open_task_supervisor,
    parallel_map,
)

from ._things import Failure, double, values_of


async def own(*, task_status: trio.TaskStatus[tuple[TaskSupervisor, trio.CancelScope]]) -> None:
    with trio.CancelScope() as scope:
        async with open_task_supervisor() as tasks:
            task_status.started((tasks, scope))
            await trio.sleep_forever()


async def test_results_before_a_failing_on_progress_are_received_before_its_error() -> None:
    def tell(done: int, total: int | None) -> None:
        if done == 2:
            raise Failure

    got: list[object] = []
    async with open_task_supervisor():
        async with open_map(double, range(10), limit=2, ordered=False, on_progress=tell) as results:
            await wait_all_tasks_blocked()  # so it has failed by now
            with pytest.raises(Failure):
                async for result in results:
                    got.append(result.unwrap())  # noqa: PERF401  what is there when it raises
    assert len(got) >= 2


async def with_a_task_too_many() -> tuple[list[object], bool]:
    """Return what is received of a map that may run more tasks than its supervisor."""
    got: list[object] = []
    async with open_task_supervisor(max_tasks=1) as tasks:
        limit = Limit(1)
        async with open_map(double, range(10), limit=limit, buffer=3) as results:
            await wait_all_tasks_blocked()
            limit.value = 2
            await wait_all_tasks_blocked()
            try:
                async for result in results:
                    got.append(result.unwrap())  # noqa: PERF401  what is there when it raises
            except TooManyTasks:
                return got, True
    assert tasks.running == 0
    return got, False


async def test_results_before_a_task_too_many_are_received_before_its_error() -> None:
    for _ in range(20):
        got, _ = await with_a_task_too_many()
        assert got[:4] == [0, 2, 4, 6]
        assert got == [2 * item for item in range(len(got))]


async def test_results_before_the_end_of_the_supervisor_are_received_before_its_error() -> None:
    got: list[object] = []
    async with trio.open_nursery() as nursery:
        tasks, scope = await nursery.start(own)
        async with tasks.open_map(double, range(10), limit=2) as results:
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            with pytest.raises(TaskSupervisorNotRunning):
                async for result in results:
                    got.append(result.unwrap())  # noqa: PERF401  what is there when it raises
    assert got == [0, 2, 4, 6]


@pytest.mark.parametrize("ticks", range(10))
async def test_an_error_that_ends_the_results_is_not_lost_to_a_cancelled_receive(
    ticks: int,
) -> None:
    async def cancel_both() -> None:
        of_owner.cancel()
        for _ in range(ticks):
            await trio.lowlevel.checkpoint()
        of_consumer.cancel()

    for _ in range(20):  # in one tick or another, in one order or the other
        async with trio.open_nursery() as nursery:
            tasks, of_owner = await nursery.start(own)
            async with tasks.open_map(trio.sleep, [100, 100], limit=2) as results:
                with pytest.raises(TaskSupervisorNotRunning):
                    with trio.CancelScope() as of_consumer:
                        nursery.start_soon(cancel_both)
                        await results.receive()
                    await results.receive()


async def use_for_a_task(tasks: TaskSupervisor) -> None:
    await tasks.start_soon(double, 1).outcome()


async def use_for_a_map(tasks: TaskSupervisor) -> None:
    assert values_of(await tasks.parallel_map(double, range(4))) == [0, 2, 4, 6]


async def use_for_a_stream(tasks: TaskSupervisor) -> None:
    async with tasks.open_map(double, range(4)) as results:
        assert values_of([result async for result in results]) == [0, 2, 4, 6]


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("use", [use_for_a_task, use_for_a_map, use_for_a_stream])
async def test_a_block_that_closes_refuses_work_by_its_own_error(
    use: Callable[[TaskSupervisor], Awaitable[None]], ticks: int
) -> None:
    async def close(go: trio.Event, *, task_status: trio.TaskStatus[TaskSupervisor]) -> None:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(go.wait)
            task_status.started(tasks)

    for _ in range(20):
        async with trio.open_nursery() as nursery:
            go = trio.Event()
            tasks = await nursery.start(close, go)
            await wait_all_tasks_blocked()
            go.set()
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            with suppress(TaskSupervisorNotRunning):
                await use(tasks)
            assert tasks.running == 0


@pytest.mark.parametrize("ticks", range(6))
async def test_a_limit_may_be_changed_in_the_tick_in_which_its_map_is_cancelled(
    ticks: int,
) -> None:
    async def run() -> None:
        with scope:
            await parallel_map(trio.sleep, [100] * 9, limit=limit)

    for _ in range(20):
        async with open_task_supervisor(), trio.open_nursery() as nursery:
            limit, scope = Limit(1), trio.CancelScope()
            nursery.start_soon(run)
            await wait_all_tasks_blocked()
            scope.cancel()
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            limit.value = 3


@pytest.mark.parametrize("limit", [1, 3])
async def test_a_cancelled_map_begins_no_more_items_even_if_they_turn_it_into_an_error(
    limit: int,
) -> None:
    async def convert(item: int) -> None:
        began.append(item)
        try:
            await trio.sleep(1)
        except trio.Cancelled:  # noqa: ASYNC103  as libraries do that wrap all errors
            raise Failure from None

    began: list[int] = []
    async with open_task_supervisor():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def run() -> None:
                    await parallel_map(convert, range(1000), limit=limit)

                nursery.start_soon(run)
                await wait_all_tasks_blocked()
                scope.cancel()
    assert began == list(range(limit))


async def test_a_stream_that_is_left_begins_no_more_items_even_if_they_swallow_that() -> None:
    async def swallow(item: int) -> None:
        began.append(item)
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()

    began: list[int] = []
    async with open_task_supervisor():
        async with open_map(swallow, range(1000), limit=1, buffer=1) as results:
            await results.receive()
            begun = len(began)
    assert len(began) <= begun + 1


async def test_a_cancelled_map_begins_no_more_items_even_if_they_swallow_that() -> None:
    async def swallow(item: int) -> None:
        began.append(item)
        with trio.move_on_after(0.01, shield=True):
            await trio.sleep_forever()

    began: list[int] = []
    async with open_task_supervisor():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def run() -> None:
                    await parallel_map(swallow, range(1000), limit=1)

                nursery.start_soon(run)
                await wait_all_tasks_blocked()
                scope.cancel()
    assert began == [0]


async def test_raising_the_limit_of_a_map_that_ends_begins_nothing(
    autojump_clock: MockClock,
) -> None:
    async def hold(item: int) -> None:
        began.append(item)
        with trio.CancelScope(shield=True):
            await trio.sleep(1)

    began: list[int] = []
    limit = Limit(1)

    async def run() -> None:
        with scope:
            await parallel_map(hold, range(1000), limit=limit)

    scope = trio.CancelScope()
    async with open_task_supervisor(), trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        limit.value = 10
        await wait_all_tasks_blocked()
        assert began == [0]


@pytest.mark.parametrize("max_tasks", [1, 2])
async def test_an_input_may_change_the_limit_whatever_room_there_is(max_tasks: int) -> None:
    def source() -> Generator[int]:
        for item in range(6):
            limit.value = item + 1
            yield item

    limit = Limit(1)
    async with open_task_supervisor(max_tasks=max_tasks):
        with pytest.raises(TooManyTasks):
            await parallel_map(double, source(), limit=limit)


async def test_items_are_pulled_in_tasks_of_the_map_only() -> None:
    def source() -> Generator[int]:
        for item in range(6):
            pulled_by.add(trio.lowlevel.current_task())
            yield item

    pulled_by: set[trio.lowlevel.Task] = set()
    limit = Limit(1)
    async with open_task_supervisor(max_tasks=1):
        async with open_map(trio.sleep, source(), limit=limit, buffer=3) as results:
            await wait_all_tasks_blocked()
            limit.value = 2
            with suppress(TooManyTasks):
                async for _ in results:
                    pass
    assert trio.lowlevel.current_task() not in pulled_by


# What works


async def test_results_may_be_closed_twice_by_several_and_after_the_block() -> None:
    async with open_task_supervisor():
        async with open_map(double, range(10)) as results:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(results.aclose)
                nursery.start_soon(results.aclose)
            with pytest.raises(trio.ClosedResourceError):
                await results.receive()
        await results.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await results.receive()


async def test_several_consumers_share_the_results() -> None:
    got: list[int] = []

    async def consume() -> None:
        async for result in results:
            got.append(result.item)  # noqa: PERF401

    async with open_task_supervisor():
        async with open_map(double, range(50), limit=3, buffer=1) as results:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(consume)
    assert sorted(got) == list(range(50))


async def test_a_stream_can_be_the_input_of_a_stream() -> None:
    async def again(result: object) -> object:
        return await double(values_of([result])[0])

    async with open_task_supervisor():
        async with open_map(double, range(10), limit=2) as first:
            async with open_map(again, first, limit=2) as second:
                got = [result.unwrap() async for result in second]
    assert got == [4 * item for item in range(10)]
