"""So often, and no more: the arithmetic is in `_rules`, tasks wait in `_line`."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Generic, TypeVar, TypeVarTuple, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from .._base import awaitable_of, check_async_fn, check_count
from ._by_run import of_this_run
from ._family_errors import RateLimited
from ._line import Line, Terms

__all__ = ["KeyedRateLimiter", "RateLimiter", "RateLimiterStatistics"]

A = TypeVarTuple("A")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)


@final
@attrs.frozen(kw_only=True)
class RateLimiterStatistics:
    """The figures of a rate limiter.

    Example:
        >>> RateLimiter(10).statistics().passed
        0
    """

    passed: int
    """How many passed."""

    waiting: int
    """How many wait now."""

    max_waiting: int | float
    """How many may wait."""

    rejected: int
    """How many were turned away."""


@final
class RateLimiter:
    """Lets so many pass in so many seconds; the others wait.

    In any *w* seconds at most ``rate * w / per + burst`` pass. It may be made outside of Trio; each
    Trio run has its own pace.

    Args:
        rate: How many pass in *per* seconds, in the long run; more than 0.
        per: What *rate* is for, in seconds.
        burst: How many may pass at once after a pause, at least 1. With 1, two are always
            ``per / rate`` seconds apart, or more.
        max_waiting: How many may wait for their turn; `math.inf` sets no limit.
        name: What errors call it.

    Raises:
        RateLimited: On entering the block, if too many wait already.
        TypeError: A number is none, or has to be whole.
        ValueError: A number is out of its range.

    Cancellation:
        As with `wait`. Entering the block ``async with limiter:`` is a checkpoint, leaving it is
        none.

    Example:
        >>> import trio
        >>> async def main():
        ...     api = RateLimiter(1000, burst=2, name="api")
        ...     began = trio.current_time()
        ...     for _ in range(12):
        ...         async with api:
        ...             pass  # ask it something
        ...     print(trio.current_time() - began >= 0.01)
        >>> trio.run(main)
        True
    """

    __slots__ = ("__weakref__", "_terms")

    def __init__(
        self,
        rate: float,
        per: float = 1.0,
        burst: int = 1,
        *,
        max_waiting: int | float = 1000,
        name: str = "rate limiter",
    ) -> None:
        self._terms = Terms(rate, per, burst, max_waiting, name)

    def __repr__(self) -> str:
        return f"<RateLimiter {self.name!r}: {len(self._line())} wait>"

    @property
    def name(self) -> str:
        """What errors call it."""
        return self._terms.name

    async def wait(self) -> None:
        """Wait for one's turn to pass, in the order of coming.

        Raises:
            RateLimited: Too many wait already.

        Cancellation:
            Who is cancelled has not passed, and those behind move up.

        Example:
            >>> import trio
            >>> async def main():
            ...     api = RateLimiter(1000)
            ...     await api.wait()
            >>> trio.run(main)
        """
        await self._line().wait()

    def take(self) -> None:
        """Pass now or not at all; call it in the Trio thread.

        Raises:
            RateLimited: It is too early, or others wait.

        Example:
            >>> import trio
            >>> async def main():
            ...     api = RateLimiter(1, per=60.0, name="api")
            ...     api.take()
            ...     try:
            ...         api.take()
            ...     except RateLimited as error:
            ...         print(error)
            >>> trio.run(main)
            rate limiter 'api' lets nobody pass now: try again in 60 s
        """
        self._line().take()

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        """Wait for one's turn, and call an async function.

        Args:
            async_fn: The function.
            *args: Its positional arguments; bind keyword arguments with `functools.partial`.

        Returns:
            What it returned.

        Raises:
            RateLimited: Too many wait already.
            TypeError: *async_fn* is no async function.

        Cancellation:
            Ends the wait, with nothing called; or goes into the function.

        Example:
            >>> import trio
            >>> async def main():
            ...     print(await RateLimiter(10).call(trio.sleep, 0))
            >>> trio.run(main)
            None
        """
        check_async_fn("call", async_fn, args)
        await self.wait()
        return await awaitable_of("call", async_fn, async_fn(*args), args)

    def statistics(self) -> RateLimiterStatistics:
        """Return the figures of this Trio run now."""
        return _figures(self._line(), self._terms)

    async def __aenter__(self) -> None:
        await self.wait()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def _line(self) -> Line:
        return of_this_run(self, self._terms.new_line)


@final
class KeyedRateLimiter(Generic[K]):
    """A rate limiter for each key: each customer, each host, each address.

    The other options are those of `RateLimiter`, for each key; *per* is in seconds.

    Args:
        max_keys: How many keys are remembered, at least 1. For one more, a key that is at rest is
            forgotten, with its figures; if none is, the new key is turned away.

    Raises:
        TypeError: A number is none, or has to be whole.
        ValueError: A number is out of its range.

    Example:
        >>> import trio
        >>> async def main():
        ...     logins = KeyedRateLimiter[str](5, per=60.0, name="logins")
        ...     logins.take("alice")
        ...     await logins.wait("bob")
        ...     try:
        ...         logins.take("alice")
        ...     except RateLimited as error:
        ...         print(error)
        >>> trio.run(main)
        rate limiter 'logins' lets nobody pass now: try again in 12 s
    """

    __slots__ = ("__weakref__", "_max_keys", "_terms")

    def __init__(
        self,
        rate: float,
        per: float = 1.0,
        burst: int = 1,
        *,
        max_waiting: int | float = 1000,
        max_keys: int = 10_000,
        name: str = "rate limiter",
    ) -> None:
        self._terms = Terms(rate, per, burst, max_waiting, name)
        self._max_keys = check_count("max_keys", max_keys, least=1)

    def __repr__(self) -> str:
        return f"<KeyedRateLimiter {self.name!r}: {len(self)} keys>"

    def __len__(self) -> int:
        return len(self._keys().lines)

    def __contains__(self, key: object) -> bool:
        return key in self._keys().lines

    @property
    def name(self) -> str:
        """What errors call it."""
        return self._terms.name

    @enable_ki_protection
    async def wait(self, key: K) -> None:
        """Wait for one's turn to pass, among those of the same key.

        Args:
            key: Which limiter.

        Raises:
            RateLimited: Too many of this key wait already, or there are too many keys.

        Cancellation:
            As in `RateLimiter.wait`.

        Example:
            >>> import trio
            >>> async def main():
            ...     logins = KeyedRateLimiter[str](5)
            ...     await logins.wait("alice")
            ...     print("alice" in logins, len(logins))
            >>> trio.run(main)
            True 1
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            line = self._line_of(key)
        except RateLimited:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        await line.wait()

    @enable_ki_protection
    def take(self, key: K) -> None:
        """Pass now or not at all; call it in the Trio thread.

        Args:
            key: Which limiter.

        Raises:
            RateLimited: It is too early, others of this key wait, or there are too many keys.

        Example:
            >>> import trio
            >>> async def main():
            ...     KeyedRateLimiter[str](5).take("alice")
            >>> trio.run(main)
        """
        self._line_of(key).take()

    def statistics(self, key: K) -> RateLimiterStatistics:
        """Return the figures of one key in this Trio run, since it was last forgotten.

        Args:
            key: Which limiter.

        Raises:
            KeyError: The key is unknown, or forgotten.
        """
        return _figures(self._keys().lines[key], self._terms)

    def _keys(self) -> _Keys[K]:
        return of_this_run(self, _Keys[K])

    def _line_of(self, key: K) -> Line:
        keys = self._keys()
        line = keys.lines.get(key)
        if line is None:
            now = trio.current_time()
            if len(keys.lines) >= self._max_keys:
                rests_at = keys.forget_one(now)
                if rests_at > now:
                    raise RateLimited(self.name, rests_at - now)
            line = keys.add(key, self._terms.new_line(), now)
        return line


@final
class _Keys(Generic[K]):
    """The lines of all keys in one Trio run, and when each may be forgotten at the earliest."""

    __slots__ = ("_added", "_resting", "lines")

    def __init__(self) -> None:
        self.lines: dict[K, Line] = {}
        # A heap. No limiter is at rest before its time here.
        self._resting: list[tuple[float, int, K]] = []
        self._added = 0  # so that no two keys are ever compared

    def add(self, key: K, line: Line, now: float) -> Line:
        self._added += 1
        self.lines[key] = line
        heapq.heappush(self._resting, (now, self._added, key))
        return line

    def forget_one(self, now: float) -> float:
        """Forget a limiter at rest; return the earliest time at which one is."""
        noted, number, key = self._resting[0]
        while (rests_at := self.lines[key].rests_at(now)) > noted:
            heapq.heapreplace(self._resting, (rests_at, number, key))
            noted, number, key = self._resting[0]
        if noted <= now:
            heapq.heappop(self._resting)
            del self.lines[key]
        return noted


def _figures(line: Line, terms: Terms) -> RateLimiterStatistics:
    return RateLimiterStatistics(
        passed=line.passed,
        waiting=len(line),
        max_waiting=terms.max_waiting,
        rejected=line.rejected,
    )
