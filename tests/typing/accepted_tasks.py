"""What type checkers have to accept of tasks, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator
from typing import assert_type

import trio

from trio_foundation.resilience import CircuitBreaker, Pipeline, Retry
from trio_foundation.tasks import (
    Caller,
    Failed,
    Limit,
    MapOptions,
    Ok,
    Result,
    Task,
    TaskSupervisor,
    open_map,
    open_task_supervisor,
    parallel_map,
    rich_progress,
)


async def size(page: str) -> int:
    return len(page)


async def pages() -> AsyncIterator[str]:
    yield "a"


def plain_size(page: str) -> int:
    return len(page)


async def supervisors() -> None:
    async with open_task_supervisor(name="thumbnails", max_tasks=10) as tasks:
        assert_type(tasks, TaskSupervisor)
        task = tasks.start_soon(size, "a")
        assert_type(task, Task[int])
        assert_type(task.done, bool)
        result = await task.outcome()
        assert_type(result.unwrap(), int)
        task.cancel()


async def maps(tasks: TaskSupervisor) -> None:
    collected = await parallel_map(size, ["a", "b"])
    assert_type(collected, list[Ok[str, int] | Failed[str]])
    results: list[Result[str, int]] = collected
    assert_type(results[0].unwrap(), int)
    match collected[0]:
        case Ok(item, value):
            assert_type(item, str)
            assert_type(value, int)
        case Failed(item, error):
            assert_type(item, str)
            assert_type(error, Exception)
    assert_type(await parallel_map(size, pages(), on_error="raise"), list[int])
    assert_type(
        await parallel_map(plain_size, ["a"], run_in="process"), list[Ok[str, int] | Failed[str]]
    )
    assert_type(await parallel_map(plain_size, ["a"], run_in="thread", on_error="raise"), list[int])
    assert_type(await tasks.parallel_map(size, ["a"]), list[Ok[str, int] | Failed[str]])
    assert_type(await tasks.parallel_map(size, ["a"], on_error="raise"), list[int])


async def streams(tasks: TaskSupervisor) -> None:
    async with open_map(size, pages(), buffer=math.inf, tasks=tasks) as results:
        assert_type(results, trio.abc.ReceiveChannel[Ok[str, int] | Failed[str]])
        async for result in results:
            assert_type(result, Ok[str, int] | Failed[str])
    async with open_map(size, ["a"], on_error="raise") as values:
        assert_type(await values.receive(), int)
    async with tasks.open_map(plain_size, ["a"], run_in="thread") as plain:
        assert_type(await plain.receive(), Ok[str, int] | Failed[str])


async def options(retry: Retry, breaker: CircuitBreaker, pipeline: Pipeline) -> None:
    callers: list[Caller] = [retry, breaker, pipeline]
    limit = Limit(2)
    limit.value = math.inf
    shared: MapOptions = {"limit": limit, "timeout": 5.0, "ordered": False}
    await parallel_map(size, ["a"], **shared)
    await parallel_map(size, ["a"], retry=callers[0])
    with rich_progress("sizes") as progress:
        await parallel_map(size, ["a"], on_progress=progress)
    await parallel_map(size, ["a"], on_progress=print)
    async with open_map(trio.sleep, itertools.repeat(0.1), limit=math.inf) as slept:
        assert_type(await slept.receive(), Ok[float, None] | Failed[float])
