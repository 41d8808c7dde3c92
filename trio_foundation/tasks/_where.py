"""Where the function of a map runs."""

from __future__ import annotations

import importlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from types import ModuleType
from typing import Any, Literal, TypeAlias, final

import attrs
import trio

__all__ = ["Place", "RunIn", "Way", "place_of"]

RunIn: TypeAlias = Literal["task", "thread", "process"]
"""Where the function runs: an async one in a task, a plain one in a thread or another process."""


@final
@attrs.frozen
class Way:
    """How a function is called."""

    call: Callable[[Any], Awaitable[Any]]
    """Calls it with an item."""

    get_ready: Callable[[], Awaitable[object]] | None = None
    """Done before, outside the item's time."""


Place: TypeAlias = AbstractAsyncContextManager[Way]
"""A block in which the function can be called."""


def place_of(run_in: RunIn, function: Callable[[Any], Any]) -> Place:
    """Return the block in which the function can be called."""
    if run_in == "task":
        return nullcontext(Way(function))
    if run_in == "thread":
        return _in_threads(function)
    return _in_processes(function, _trio_parallel())


def _in_threads(function: Callable[[Any], Any]) -> Place:
    threads = trio.CapacityLimiter(math.inf)  # the limit of the map is what limits

    async def call(item: object) -> object:
        return await trio.to_thread.run_sync(function, item, limiter=threads)

    return nullcontext(Way(call))


@asynccontextmanager
async def _in_processes(function: Callable[[Any], Any], engine: ModuleType) -> AsyncGenerator[Way]:
    processes = trio.CapacityLimiter(math.inf)

    async with engine.open_worker_context() as context:

        async def run(*job: Any) -> object:
            return await context.run_sync(*job, kill_on_cancel=True, limiter=processes)

        async def call(item: object) -> object:
            return await run(function, item)

        async def get_ready() -> None:
            if context.statistics().idle_workers:
                await trio.lowlevel.checkpoint()
            else:
                await run(bool)  # anything, so that a process has started

        yield Way(call, get_ready)


def _trio_parallel() -> ModuleType:
    try:
        return importlib.import_module("trio_parallel")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "run_in='process' needs trio-parallel: pip install 'trio-foundation[process]'"
        ) from None
