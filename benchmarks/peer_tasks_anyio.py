"""How a map and children compare with a task group of anyio, on Trio.

anyio has no map; what stands here is the one that its manual's parts come to: a task an item, behind
a `CapacityLimiter`. It makes all tasks at once, so its input cannot be infinite, and the first error
ends them all. Its task group restarts nobody.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from ._runner import Finding, Plan, compare, speed_up, take_turns
from .bench_supervision import Countdown, short_children_ours
from .bench_tasks import LIMIT, job_of, map_ours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    class CapacityLimiter:
        """As much of it as is used here, for where anyio is not installed."""

        def __init__(self, total_tokens: int) -> None: ...

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object) -> None: ...

    class TaskGroup:
        """As much of it as is used here, for where anyio is not installed."""

        def start_soon(self, func: Callable[..., Awaitable[object]], *args: object) -> None:
            """Start a task."""

    def create_task_group() -> AbstractAsyncContextManager[TaskGroup]:
        """Open a group."""
        ...

else:
    from anyio import CapacityLimiter, create_task_group

__all__ = ["BENCHMARKS"]

ANYIO = f"anyio {importlib.metadata.version('anyio')}"


async def map_theirs(count: int) -> None:
    """Call the function with each item, so many at once, and keep the values."""
    limiter, values = CapacityLimiter(LIMIT), dict[int, int]()

    async def work(item: int) -> None:
        async with limiter:
            values[item] = await job_of(item)

    async with create_task_group() as group:
        for item in range(count):
            group.start_soon(work, item)


async def short_children_theirs(count: int) -> None:
    """Start them all, and wait for all."""
    countdown = Countdown(count)
    async with create_task_group() as group:
        for _ in range(count):
            group.start_soon(countdown.work)
        await countdown.done.wait()


def map_beside_anyio(plan: Plan) -> Finding:
    """How many times as fast as tasks behind a `CapacityLimiter` is `parallel_map`?"""
    count = plan.size(10_000, smoke=200)
    ours, theirs = take_turns((map_ours, count), (map_theirs, count), rounds=plan.rounds())
    figure, readings = speed_up(ours, theirs)
    return Finding(
        what="parallel_map, beside a CapacityLimiter of anyio",
        figure=figure,
        target=1.0,
        bound="at least",
        unit="x as fast",
        ours=ours,
        bare=theirs,
        beside=ANYIO,
        samples_in="us an item",
        readings=readings,
    )


def children_beside_anyio(plan: Plan) -> Finding:
    """How much longer does a short supervised child take than a task in a group of anyio?

    Nobody watches the task. The target is the one that `short_children` has beside bare Trio.
    """
    count = plan.size(10_000, smoke=100)
    ours, theirs = take_turns(
        (short_children_ours, count), (short_children_theirs, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, theirs)
    return Finding(
        what="short children, beside tasks of anyio",
        figure=figure,
        target=2.0,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=ANYIO,
        samples_in="us a child",
        readings=readings,
    )


BENCHMARKS = (map_beside_anyio, children_beside_anyio)
