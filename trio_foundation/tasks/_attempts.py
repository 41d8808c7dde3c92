"""How a function is called with an item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

import trio

from ._errors import TaskTimeout
from ._frames import is_of_callers
from ._where import Way

__all__ = ["Attempt", "Caller", "Misused", "attempt_of", "check_that_it_was_called"]

Attempt: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Called with an item, returns a value."""


class Misused(Exception):
    """The function cannot be called with an item; its cause is raised instead."""


class Caller(Protocol):
    """What calls an async function in its own way, as a `Retry` or `CircuitBreaker` does.

    Example:
        >>> class Twice:
        ...     async def call(self, async_fn, *args):
        ...         await async_fn(*args)
        ...         return await async_fn(*args)
        >>> caller: Caller = Twice()
    """

    async def call(self, async_fn: Callable[..., Awaitable[Any]], /, *args: Any) -> object:
        """Call the function.

        Args:
            async_fn: The function.
            *args: Its arguments.

        Returns:
            What it returned.

        Cancellation:
            Cancels the function.

        Example:
            >>> import trio
            >>> from trio_foundation.tasks import open_task_supervisor
            >>> class Twice:
            ...     async def call(self, async_fn, *args):
            ...         await async_fn(*args)
            ...         return await async_fn(*args)
            >>> async def show(item):
            ...     print(item)
            >>> async def main():
            ...     async with open_task_supervisor() as tasks:
            ...         await tasks.parallel_map(show, ["a"], retry=Twice())
            >>> trio.run(main)
            a
            a
        """


def attempt_of(
    way: Way,
    *,
    name: str,
    timeout: float | None,
    retry: Caller | None,
    is_deaf: bool,
) -> Attempt:
    """Return what is called with an item; a thread *is_deaf* to the end of its time."""
    call = way.call if retry is None else _through(retry, way.call)
    if timeout is not None:
        call = (_at_most if is_deaf else _within)(timeout, call, name)
    return call if way.get_ready is None else _after(way.get_ready, call)


def _after(get_ready: Callable[[], Awaitable[object]], async_fn: Attempt) -> Attempt:
    async def call(item: object) -> object:
        await get_ready()
        return await async_fn(item)

    return call


def _through(caller: Caller, async_fn: Attempt) -> Attempt:
    async def call(item: object) -> object:
        awaitable: object = caller.call(async_fn, item)
        if not isinstance(awaitable, Awaitable):
            raise Misused from TypeError(
                f"retry must have an async method call, and that of {caller!r} returned "
                f"{awaitable!r}"
            )
        return await awaitable

    return call


def _within(seconds: float, async_fn: Attempt, name: str) -> Attempt:
    async def call(item: object) -> object:
        with trio.CancelScope(relative_deadline=seconds):
            return await async_fn(item)
        raise TaskTimeout(name, seconds)

    return call


def _at_most(seconds: float, async_fn: Attempt, name: str) -> Attempt:
    async def call(item: object) -> object:
        with trio.CancelScope(relative_deadline=seconds) as scope:
            value = await async_fn(item)
            if not scope.cancel_called:
                return value
        raise TaskTimeout(name, seconds)

    return call


def check_that_it_was_called(name: str, error: Exception) -> None:
    """Raise `Misused` if a call failed before the function began."""
    if isinstance(error, Misused):
        raise error
    if not isinstance(error, TypeError) or not is_of_callers(error):
        return
    raise Misused from TypeError(
        f"{name} must be an async function that takes an item: {error}; if it is a plain "
        "function, have it run in a thread: write run_in='thread'"
    )
