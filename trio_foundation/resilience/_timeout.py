"""A time limit that says whose it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple, final

import trio

from .._base import awaitable_of, check_async_fn, check_name, check_seconds, name_of
from ._family_errors import TimedOut

__all__ = ["Timeout", "timeout"]

A = TypeVarTuple("A")
R = TypeVar("R")


async def timeout(
    seconds: float,
    async_fn: Callable[[*A], Awaitable[R]],
    *args: *A,
    name: str | None = None,
) -> R:
    """Call an async function, and cancel it if it takes too long.

    Its own errors, a `trio.TooSlowError` too, come out as they are, even when its time is up.

    Args:
        seconds: How long it may take, in seconds. With 0 it gets as far as its first checkpoint;
            `math.inf` sets no limit.
        async_fn: The function.
        *args: Its positional arguments; bind keyword arguments with `functools.partial`.
        name: What the error calls it; by default the name of the function.

    Returns:
        What the function returned.

    Raises:
        TimedOut: It took longer, and was cancelled.
        TypeError: *async_fn* is no async function, or *seconds* is no number.
        ValueError: *seconds* is negative or NaN.

    Cancellation:
        Goes into the function. A checkpoint only as far as the function is.

    Example:
        >>> import trio
        >>> async def main():
        ...     try:
        ...         await timeout(0.01, trio.sleep, 60)
        ...     except TimedOut as error:
        ...         print(error)
        >>> trio.run(main)
        sleep took longer than 0.01 s
    """
    check_seconds("seconds", seconds)
    check_async_fn("timeout", async_fn, args, before=(seconds,))
    if name is not None:
        check_name("name", name)
    # The scope lets through all but its own cancellation, so what comes after it is its expiry.
    with trio.CancelScope(relative_deadline=seconds):
        work = async_fn(*args)
        return await awaitable_of("timeout", async_fn, work, args, before=(seconds,))
    raise TimedOut(name_of(async_fn) if name is None else name, seconds)


@final
class Timeout:
    """`timeout` with options kept: a step of a `Pipeline`.

    Args:
        seconds: How long a call may take, in seconds.
        name: What the error calls it.

    Raises:
        TypeError: *seconds* is no number.
        ValueError: *seconds* is negative or NaN.

    Example:
        >>> import trio
        >>> async def fetch(item):
        ...     return f"price of {item}"
        >>> async def main():
        ...     print(await Timeout(2.0).call(fetch, "apples"))
        >>> trio.run(main)
        price of apples
    """

    __slots__ = ("_name", "_seconds")

    def __init__(self, seconds: float, *, name: str | None = None) -> None:
        self._seconds = check_seconds("seconds", seconds)
        self._name = None if name is None else check_name("name", name)

    def __repr__(self) -> str:
        return f"Timeout({self._seconds!r})"

    @property
    def seconds(self) -> float:
        """How long a call may take, in seconds."""
        return self._seconds

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Call an async function as `timeout` does.

        Returns:
            What the function returned.

        Raises:
            TimedOut: It took longer, and was cancelled.

        Cancellation:
            As in `timeout`.
        """
        return await timeout(self._seconds, async_fn, *args, name=self._name)
