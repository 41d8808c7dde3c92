"""Tests of KeyboardInterrupt at any step of maps and tasks.

Run as a program, ``python -m tests.tasks.test_hostile_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio

from trio_foundation.tasks import (
    Limit,
    TaskEvent,
    TaskSupervisor,
    open_map,
    open_task_supervisor,
    parallel_map,
)
from trio_foundation.telemetry import subscribe

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep
from ._things import Failure, leaves_of

supervisors: list[TaskSupervisor] = []


async def work(item: int) -> int:
    with counted():
        try:
            await trio.sleep(item % 3)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)
        if item == 4:
            raise Failure
        return item


async def work_together(item: int) -> None:
    with counted():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, item)
            nursery.start_soon(work, item + 1)


async def nest(item: int) -> None:
    with counted():
        await parallel_map(work, range(item), limit=2)


async def source() -> AsyncGenerator[int]:
    with counted():
        for item in range(6):
            await trio.sleep(0.1)
            yield item  # noqa: ASYNC119


def ignore(*_: object) -> None:
    pass


async def gather() -> None:
    with counted():
        await parallel_map(work, range(6), limit=2, on_progress=ignore)
        await parallel_map(nest, [2, 1], limit=2, timeout=1.5)
        await parallel_map(work, source(), limit=2, ordered=False)


async def stream() -> None:
    with counted():
        limit = Limit(1)
        async with open_map(work, range(9), limit=limit, buffer=1) as results:
            async for result in results:
                limit.value = 3
                if result.item == 6:
                    break
        try:
            async with open_map(work_together, source(), limit=2, on_error="raise") as results:
                async for _ in results:
                    pass
        except* Failure:
            pass


async def start(tasks: TaskSupervisor) -> None:
    with counted():
        task = tasks.start_soon(work, 1)
        other = tasks.start_soon(work_together, 1)
        await task.outcome()
        other.cancel()
        await other.outcome()
        tasks.start_soon(work, 4)


async def everything() -> None:
    try:
        with counted():
            async with open_task_supervisor(max_tasks=100) as tasks:
                supervisors.append(tasks)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(gather)
                    nursery.start_soon(stream)
                    nursery.start_soon(start, tasks)
            with subscribe(ignore, TaskEvent):
                async with open_task_supervisor() as tasks:
                    supervisors.append(tasks)
                    await parallel_map(work, [1, 2], limit=2)
                    await start(tasks)
    except BaseExceptionGroup as group:  # of the nurseries in here
        if {type(leaf) for leaf in leaves_of(group)} == {KeyboardInterrupt}:
            raise KeyboardInterrupt from None
        raise


def unlawful() -> list[str]:
    """Return the supervisors that have lost a task, as the run has ended."""
    return [f"{one!r} runs {one.running}" for one in supervisors if one.running or one.is_open]


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(1, 31), (16, 31)])
def test_an_interrupt_ends_a_program_of_maps_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    run_module("tests.tasks.test_hostile_interrupts", first, stride)


if __name__ == "__main__":
    sweep(everything, begin=supervisors.clear, disorder=unlawful)
