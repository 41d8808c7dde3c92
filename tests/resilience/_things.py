"""Breakers to try, and calls that a test can watch.

There are three ways through a breaker: `CircuitBreaker.call` in a nursery of its own, the same in
the nursery of `open_breakers`, and `CircuitBreaker.guard`. What a breaker promises it promises
for all of them, so most tests run three times.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeAlias, Unpack

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.resilience import (
    BreakerOpen,
    BreakerOptions,
    BreakerState,
    BreakerStatistics,
    CircuitBreaker,
    open_breakers,
)

__all__ = [
    "CANCELLED",
    "WAITS",
    "Call",
    "Failure",
    "Way",
    "assert_lawful",
    "attempt",
    "each_way",
    "each_way_of_call",
    "fail",
    "leaves_of",
    "open_breaker",
    "succeed",
    "trip",
    "use",
]

Way: TypeAlias = Literal["call", "call in breakers", "guard"]

each_way_of_call = pytest.mark.parametrize("way", ["call", "call in breakers"])
each_way = pytest.mark.parametrize("way", ["call", "call in breakers", "guard"])

WAITS: Final = "waits"
CANCELLED: Final = "cancelled"


class Failure(Exception):
    """What guarded functions fail with."""


@asynccontextmanager
async def open_breaker(
    way: Way, **options: Unpack[BreakerOptions]
) -> AsyncGenerator[CircuitBreaker]:
    """Open a breaker, called ``b``, that trips at the first failure if nothing else is said."""
    if "failure_rate" not in options:
        options.setdefault("failure_threshold", 1)
    if way == "call in breakers":
        async with open_breakers(**options) as breakers:
            yield breakers["b"]
    else:
        yield CircuitBreaker("b", **options)


async def use(
    breaker: CircuitBreaker, way: Way, async_fn: Callable[..., Awaitable[Any]], *args: Any
) -> Any:
    """Call a function through a breaker, one way or the other."""
    if way == "guard":
        async with breaker.guard():
            return await async_fn(*args)
    return await breaker.call(async_fn, *args)


async def attempt(
    breaker: CircuitBreaker, way: Way, async_fn: Callable[..., Awaitable[Any]], *args: Any
) -> Any:
    """Use a breaker, and return what that returns or raises."""
    try:
        return await use(breaker, way, async_fn, *args)
    except Exception as error:  # noqa: BLE001  it is the answer
        return error


class Call:
    """A call that another task makes."""

    def __init__(
        self,
        nursery: trio.Nursery,
        breaker: CircuitBreaker,
        way: Way,
        async_fn: Callable[..., Awaitable[Any]],
        *args: Any,
        deadline: float = float("inf"),
    ) -> None:
        self.answer: Any = WAITS
        """What it returned or raised; `WAITS` before, `CANCELLED` if the caller left."""
        self.at: float | None = None
        """When that was."""
        self.scope = trio.CancelScope(deadline=deadline)
        nursery.start_soon(self._make, breaker, way, async_fn, args)

    async def _make(
        self,
        breaker: CircuitBreaker,
        way: Way,
        async_fn: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
    ) -> None:
        with self.scope:
            self.answer = await attempt(breaker, way, async_fn, *args)
        if self.scope.cancelled_caught:
            self.answer = CANCELLED
        self.at = trio.current_time()

    async def leave(self) -> None:
        """Let the caller leave, and wait until it has."""
        self.scope.cancel()
        await wait_all_tasks_blocked()

    @property
    def is_rejected(self) -> bool:
        """Whether the breaker did not let it through, or has ended it."""
        return isinstance(self.answer, BreakerOpen)


async def succeed(value: Any = "good", *, after: float = 0.0) -> Any:
    """Return a value."""
    await trio.sleep(after)
    return value


async def fail(error: BaseException | None = None, after: float = 0.0) -> None:
    """Raise an error, by default a `Failure`."""
    await trio.sleep(after)
    raise Failure("as told") if error is None else error


async def trip(breaker: CircuitBreaker, state: BreakerState = "open") -> None:
    """Let calls fail until it opens, and wait until it is in a state."""
    while breaker.state == "closed":
        with pytest.raises(Failure):
            await breaker.call(fail)
    await breaker.wait_state(state)


def leaves_of(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, or the error itself."""
    found = getattr(error, "exceptions", None)
    return [error] if found is None else [leaf for one in found for leaf in leaves_of(one)]


def assert_lawful(breaker: CircuitBreaker) -> BreakerStatistics:
    """Assert that no call has vanished, and return the figures."""
    seen = breaker.statistics()
    ended = seen.succeeded + seen.failed + seen.ignored + seen.cancelled + seen.stale
    assert seen.calls == ended + seen.in_flight, seen
    return seen
