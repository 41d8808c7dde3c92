"""How a restart compares with that of a supervisor of mode, which is on asyncio: another world.

A service of mode is an object with tasks; it crashes when one of its tasks does, and is stopped and
started again. What stands here is one service with one task, in a loop of its own, while Trio
stands still. Opening and closing that loop is not timed. A crash before its supervisor has begun
to wait is found after 5 seconds; here the first one waits for that, and no limit holds restarts up.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
from collections.abc import Generator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from ._runner import Finding, Plan, compare, take_turns
from .bench_supervision import Crash, crashes_ours, unwritten_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    S = TypeVar("S")

    class Service:
        """As much of it as is used here, for where mode is not installed."""

        @classmethod
        def task(cls, fun: Callable[[S], Awaitable[None]]) -> Callable[[S], Awaitable[None]]:
            """Have a method be a task."""
            ...

    class OneForOneSupervisor:
        """As much of it as is used here, for where mode is not installed."""

        def __init__(self, *, max_restarts: float, over: float) -> None: ...

        def add(self, *services: Service) -> None:
            """Have it look after these."""

        async def start(self) -> None:
            """Start them."""

        async def stop(self) -> None:
            """Stop them."""

else:
    from mode import Service
    from mode.supervisors import OneForOneSupervisor

__all__ = ["BENCHMARKS"]

MODE = f"mode-streaming {importlib.metadata.version('mode-streaming')}"


class Worker(Service):
    """A service whose task crashes so many times."""

    def __post_init__(self) -> None:
        self.left = 0
        self.begin = asyncio.Event()
        self.done = asyncio.Event()

    @Service.task
    async def work(self) -> None:
        """Raise at once, or be done."""
        await self.begin.wait()
        if self.left:
            self.left -= 1
            raise Crash
        self.done.set()


@contextmanager
def quiet() -> Generator[None]:
    """Let what mode logs go nowhere; making the record is its cost, as it is ours."""
    loggers = [logging.getLogger(name) for name in (__name__, "mode")]
    nowhere = logging.NullHandler()
    for logger in loggers:
        logger.addHandler(nowhere)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.propagate = True
            logger.removeHandler(nowhere)


async def crashes_theirs(count: int) -> float:
    """Have its supervisor start it again."""
    return asyncio.run(supervised(count))


async def supervised(count: int) -> float:
    """Do so, on asyncio; return the seconds until it is done."""
    supervisor = OneForOneSupervisor(max_restarts=1e9, over=1e9)
    worker = Worker()
    worker.left = count
    supervisor.add(worker)
    await supervisor.start()
    await asyncio.sleep(0.01)  # until it waits for crashes
    begun = perf_counter()
    worker.begin.set()
    await worker.done.wait()
    seconds = perf_counter() - begun
    await supervisor.stop()
    return seconds


def crash_beside_mode(plan: Plan) -> Finding:
    """How much longer does it take until a child that crashed runs again, than with mode?

    The target is the one that ours has beside a nursery that is opened again.
    """
    count = plan.size(500, smoke=10)
    with unwritten_log(), quiet():
        ours, theirs = take_turns(
            (crashes_ours, count), (crashes_theirs, count), rounds=plan.rounds()
        )
    figure, readings = compare(ours, theirs)
    return Finding(
        what="crash to running again, beside mode",
        figure=figure,
        target=3.0,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=MODE,
        samples_in="us a crash",
        readings=readings,
    )


BENCHMARKS = (crash_beside_mode,)
