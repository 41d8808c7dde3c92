"""Where the function of a map runs: in a task, in a thread, or in another process."""

from __future__ import annotations

import importlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from types import ModuleType
from typing import Any, TypeAlias

import trio

from ._options import RunIn

__all__ = ["Place", "place_of"]

Place: TypeAlias = AbstractAsyncContextManager[Callable[[Any], Awaitable[Any]]]
"""A block in which the function can be called; it gives the async function that does it."""


def place_of(run_in: RunIn, function: Callable[[Any], Any]) -> Place:
    """Return the block in which the function can be called.

    Raises:
        ModuleNotFoundError: If it is to run in a process, and trio-parallel is not installed.
    """
    if run_in == "task":
        return nullcontext(function)
    if run_in == "thread":
        return _in_threads(function)
    return _in_processes(function, _trio_parallel())


def _in_threads(function: Callable[[Any], Any]) -> Place:
    threads = trio.CapacityLimiter(math.inf)  # the limit of the map is what limits

    async def call(item: object) -> object:
        return await trio.to_thread.run_sync(function, item, limiter=threads)

    return nullcontext(call)


@asynccontextmanager
async def _in_processes(
    function: Callable[[Any], Any], engine: ModuleType
) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    processes = trio.CapacityLimiter(math.inf)

    async with engine.open_worker_context() as context:

        async def call(item: object) -> object:
            return await context.run_sync(function, item, kill_on_cancel=True, limiter=processes)

        yield call


def _trio_parallel() -> ModuleType:
    try:
        return importlib.import_module("trio_parallel")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "run_in='process' needs trio-parallel: pip install 'trio-foundation[process]'"
        ) from None
