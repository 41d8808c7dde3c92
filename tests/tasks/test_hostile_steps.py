"""Tests of maps and tasks that are cancelled at one step of the run after the other.

The steps are those of all tasks, so the cancellation comes also in the very tick in which an item
ends, a result is taken, or the block closes.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import (
    Limit,
    Task,
    TaskSupervisor,
    TaskSupervisorNotRunning,
    open_task_supervisor,
)

from ._things import Failure, Source, double, fail


class Cancellable(Protocol):
    def cancel(self) -> None: ...


@attrs.define(eq=False)
class CancelAfter(trio.abc.Instrument):
    """Cancels a scope, or a task, after so many steps of any tasks."""

    due: int
    scope: Cancellable | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is None:
            return
        self.due -= 1
        if self.due == 0:
            self.scope.cancel()


def at_every_step(program: Callable[[CancelAfter], Awaitable[None]]) -> None:
    """Run a program again and again, and cancel it a step later each time, until it ends before."""
    for due in itertools.count(1):
        instrument = CancelAfter(due)
        clock = MockClock(autojump_threshold=0)
        trio.run(program, instrument, clock=clock, instruments=[instrument])
        if instrument.due > 0:
            return


# What items do


async def shielded(item: object) -> object:
    with trio.CancelScope(shield=True):
        await trio.sleep(1)
    return item


async def swallow(item: object) -> object:
    try:
        await trio.sleep(1)
    except trio.Cancelled:  # noqa: ASYNC103  it should not
        return "swallowed"  # noqa: ASYNC104
    return item


async def untidy(item: object) -> object:
    try:
        await trio.sleep(1)
    finally:
        raise Failure(item)


async def untidy_family(item: object) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 2)
        nursery.start_soon(untidy, item)


async def at_once(item: object) -> object:
    return item


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "that wait": double,
    "that do not wait": at_once,
    "that fail": fail,
    "that are shielded": shielded,
    "that swallow their cancellation": swallow,
    "that fail when they are cancelled": untidy,
    "whose tasks do so": untidy_family,
}

# What is done with them


def plain() -> Any:
    return range(4)


def asynchronous() -> AsyncGenerator[Any]:
    return Source(range(4)).slow()


def print_nothing(done: int, total: int | None) -> None:
    assert 1 <= done <= 4
    assert total in {4, None}


async def gather(tasks: TaskSupervisor, function: Any, items: Any, limit: int) -> None:
    results = await tasks.parallel_map(function, items, limit=limit)
    assert [result.item for result in results] == [0, 1, 2, 3]


async def raise_all(tasks: TaskSupervisor, function: Any, items: Any, limit: int) -> None:
    results = await tasks.parallel_map(function, items, limit=limit, on_error="raise")
    assert len(results) == 4


async def stream(tasks: TaskSupervisor, function: Any, items: Any, limit: int) -> None:
    async with tasks.open_map(function, items, limit=limit) as results:
        assert [result.item async for result in results] == [0, 1, 2, 3]


async def stream_unordered(tasks: TaskSupervisor, function: Any, items: Any, limit: int) -> None:
    async with tasks.open_map(
        function,
        items,
        limit=limit,
        ordered=False,
        buffer=0,
        timeout=0.5,
        on_progress=print_nothing,
    ) as results:
        assert {result.item async for result in results} == {0, 1, 2, 3}


async def stop_early(tasks: TaskSupervisor, function: Any, items: Any, limit: int) -> None:
    async with tasks.open_map(function, items, limit=limit) as results:
        await results.receive()


async def in_a_map(tasks: TaskSupervisor, function: Any, items: Any, limit: int) -> None:
    async def inner(item: int) -> None:
        await tasks.parallel_map(function, range(item), limit=limit)

    await tasks.parallel_map(inner, items, limit=limit)


ACTS = [gather, raise_all, stream, stream_unordered, stop_early, in_a_map]


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("source", [plain, asynchronous])
@pytest.mark.parametrize("function", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("act", ACTS)
def test_a_map_that_is_cancelled_at_any_step_leaves_nothing_behind(
    act: Callable[..., Awaitable[None]],
    function: Callable[[Any], Awaitable[Any]],
    source: Callable[[], Any],
    limit: int,
) -> None:
    async def program(instrument: CancelAfter) -> None:
        async with open_task_supervisor() as tasks:
            before = trio.lowlevel.current_statistics().tasks_living
            with trio.CancelScope() as scope:
                instrument.scope = scope
                try:
                    await act(tasks, function, source(), limit)
                except* Failure:  # beside a cancellation, which goes on
                    pass
            instrument.scope = None
            assert tasks.running == 0
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living == before
            assert len(await tasks.parallel_map(double, range(3))) == 3

    at_every_step(program)


@pytest.mark.parametrize("source", [plain, asynchronous])
@pytest.mark.parametrize("function", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("act", [gather, stream, stream_unordered, in_a_map])
def test_a_supervisor_that_is_cancelled_at_any_step_ends_maps_of_other_tasks(
    act: Callable[..., Awaitable[None]],
    function: Callable[[Any], Awaitable[Any]],
    source: Callable[[], Any],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:

            async def own(*, task_status: trio.TaskStatus[TaskSupervisor]) -> None:
                with trio.CancelScope() as scope:
                    async with open_task_supervisor() as tasks:
                        instrument.scope = scope
                        task_status.started(tasks)
                        await trio.sleep(20)

            tasks = await nursery.start(own)
            try:
                await act(tasks, function, source(), 2)
            except* (Failure, TaskSupervisorNotRunning):
                pass
            instrument.scope = None
            nursery.cancel_scope.cancel()
        assert tasks.running == 0
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


@pytest.mark.parametrize("function", WAYS.values(), ids=WAYS)
def test_a_block_that_is_cancelled_at_any_step_knows_what_became_of_its_tasks(
    function: Callable[[Any], Awaitable[Any]],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        begun: list[Task[Any]] = []
        with trio.CancelScope() as scope:
            async with open_task_supervisor() as tasks:
                instrument.scope = scope
                begun = [tasks.start_soon(function, item) for item in range(2)]
        instrument.scope = None
        assert len(begun) == 2
        for task in begun:
            assert task.done
            result = await task.outcome()
            assert result.item in {(0,), (1,)}
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


@pytest.mark.parametrize("function", WAYS.values(), ids=WAYS)
def test_a_task_that_is_cancelled_at_any_step_has_one_outcome(
    function: Callable[[Any], Awaitable[Any]],
) -> None:
    async def program(instrument: CancelAfter) -> None:
        async with open_task_supervisor() as tasks:
            task = tasks.start_soon(function, 1)
            instrument.scope = task
            result = await task.outcome()
            instrument.scope = None
            assert await task.outcome() is result
        assert tasks.running == 0

    at_every_step(program)


def test_results_that_are_not_received_for_a_cancellation_are_received_later() -> None:
    async def program(instrument: CancelAfter) -> None:
        got: list[int] = []
        async with open_task_supervisor() as tasks:
            async with tasks.open_map(double, range(4), limit=2, buffer=1) as results:
                with trio.CancelScope() as scope:
                    instrument.scope = scope
                    async for result in results:
                        got.append(result.item)  # noqa: PERF401  what was there before
                instrument.scope = None
                got += [result.item async for result in results]
        assert got == [0, 1, 2, 3]

    at_every_step(program)


def test_a_limit_may_be_changed_at_any_step_of_a_map() -> None:
    wrong: list[Exception] = []

    class ChangeAfter(CancelAfter):
        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            self.due -= 1
            if self.due == 0:
                try:
                    limit.value = 3
                except Exception as error:  # noqa: BLE001  Trio would only log it
                    wrong.append(error)

    async def main() -> None:
        async with open_task_supervisor() as tasks:
            with trio.move_on_after(1.5):
                await tasks.parallel_map(trio.sleep, [1, 1, 1, 1], limit=limit)

    for due in itertools.count(1):
        limit = Limit(1)
        instrument = ChangeAfter(due)
        trio.run(main, clock=MockClock(autojump_threshold=0), instruments=[instrument])
        if instrument.due > 0:
            break
    assert wrong == []
