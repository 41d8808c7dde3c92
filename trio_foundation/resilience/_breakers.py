"""Breakers by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TypeVar, Unpack, final, overload

import trio
from trio.lowlevel import enable_ki_protection

from .._base import AsyncBlock, check_async_fn, check_count
from ._breaker import CircuitBreaker
from ._options import BreakerOptions
from ._statistics import BreakerStatistics
from ._workers import Workers

__all__ = ["Breakers", "open_breakers"]

D = TypeVar("D")

_SPARE_TASKS = 64
"""How many idle tasks a block keeps."""


@final
class Breakers(Mapping[object, CircuitBreaker]):
    """Breakers by key, each made when first asked for; what `open_breakers` gives.

    ``breakers[key]`` makes one; ``key in breakers`` and iteration do not. Beyond *max_breakers*,
    closed ones without a call under way are dropped, the longest unused first.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_breakers(failure_threshold=3) as breakers:
        ...         print(await breakers["prices"].call(trio.sleep, 0))
        ...         print(list(breakers))
        >>> trio.run(main)
        None
        ['prices']
    """

    __slots__ = ("_breakers", "_defaults", "_max_breakers", "_overrides", "_workers")

    def __init__(
        self, nursery: trio.Nursery, defaults: BreakerOptions, max_breakers: float
    ) -> None:
        self._workers = Workers(nursery, spare=_SPARE_TASKS)
        self._defaults = defaults
        self._max_breakers = max_breakers
        self._overrides: dict[object, BreakerOptions] = {}
        self._breakers: OrderedDict[object, CircuitBreaker] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Breakers {list(self._breakers)!r}>"

    def __getitem__(self, key: object) -> CircuitBreaker:
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._make(key, self._overrides.get(key, {}))
            self._breakers[key] = breaker
            self._drop_idle(key)
        else:
            self._breakers.move_to_end(key)
        return breaker

    @overload
    def get(self, key: object, /) -> CircuitBreaker | None: ...
    @overload
    def get(self, key: object, default: CircuitBreaker, /) -> CircuitBreaker: ...
    @overload
    def get(self, key: object, default: D, /) -> CircuitBreaker | D: ...
    def get(self, key: object, default: object = None, /) -> object:
        """Return the breaker of a key if there, else *default*; it makes none."""
        return self[key] if key in self._breakers else default

    def __contains__(self, key: object) -> bool:
        return key in self._breakers

    def __iter__(self) -> Iterator[object]:
        return iter(tuple(self._breakers))

    def __len__(self) -> int:
        return len(self._breakers)

    def configure(self, key: object, **options: Unpack[BreakerOptions]) -> None:
        """Give the breaker of one key options of its own, on top of the defaults.

        Args:
            key: The key.
            **options: Those of `CircuitBreaker`.

        Raises:
            TypeError: An option of the wrong kind.
            ValueError: The breaker is made already, or an option makes no sense.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_breakers() as breakers:
            ...         breakers.configure("slow one", slow_after=60.0)
            >>> trio.run(main)
        """
        if key in self._breakers:
            raise ValueError(f"the breaker of {key!r} is made already: call configure() before")
        self._make(key, options)  # and forget it: what makes no sense is refused here
        self._overrides[key] = options

    def snapshot(self) -> dict[object, BreakerStatistics]:
        """Return the figures of all breakers now."""
        return {key: breaker.statistics() for key, breaker in self._breakers.items()}

    def _make(self, key: object, overrides: BreakerOptions) -> CircuitBreaker:
        options: BreakerOptions = {**self._defaults, **overrides}
        nursery = self._workers.nursery
        breaker = CircuitBreaker(str(key) or repr(key), nursery=nursery, **options)
        # All breakers of the block share its tasks.
        breaker._workers = self._workers  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return breaker

    def _drop_idle(self, new: object) -> None:
        for key, breaker in list(self._breakers.items()):
            if len(self._breakers) <= self._max_breakers:
                return
            if key != new and breaker.state == "closed" and not breaker.statistics().in_flight:
                self._breakers.pop(key, None)  # who was told of its state may have been here


def open_breakers(
    *, max_breakers: float = 1_000, **defaults: Unpack[BreakerOptions]
) -> AbstractAsyncContextManager[Breakers]:
    """Open a block of circuit breakers, one for each key, whose calls run in its nursery.

    Args:
        max_breakers: How many there may be before idle ones are dropped; `math.inf` sets no limit.
        **defaults: The options of each `CircuitBreaker`.

    Returns:
        The block, for ``async with``; it gives `Breakers`.

    Raises:
        TypeError: An option of the wrong kind.
        ValueError: An option that makes no sense.

    Cancellation:
        Leaving it, cancelled or not, cancels the calls under way. Their callers, unless cancelled
        too, get `BreakerOpen` with the state ``closed_down``.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_breakers(failure_threshold=3, reset_timeout=10.0) as breakers:
        ...         await breakers["prices"].call(trio.sleep, 0)
        ...         print(breakers["prices"].statistics().succeeded)
        >>> trio.run(main)
        1
    """
    check_count("max_breakers", max_breakers, least=1, allow_inf=True)
    health = defaults.get("health")
    probe: BreakerOptions = {**defaults}
    if health is not None:
        check_async_fn("health", health)
        probe["health"] = None
    CircuitBreaker("breakers", **probe)  # what makes no sense is refused here
    return _Block(defaults, max_breakers)


@final
class _Block(AsyncBlock[Breakers]):
    opens = "breakers"

    def __init__(self, defaults: BreakerOptions, max_breakers: float) -> None:
        self._defaults = defaults
        self._max_breakers = max_breakers
        self._nursery: trio.Nursery | None = None
        self._manager = trio.open_nursery()

    @enable_ki_protection
    async def __aenter__(self) -> Breakers:
        if self._nursery is not None:
            raise RuntimeError("the block of breakers is entered once: call open_breakers() again")
        self._nursery = await self._manager.__aenter__()
        return Breakers(self._nursery, self._defaults, self._max_breakers)

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        assert self._nursery is not None
        # All that is in there is cancelled anyway. What the body raised is not to be replaced
        # by a cancellation of theirs that belongs to a scope around the block.
        self._nursery.cancel_scope.shield = True
        self._nursery.cancel_scope.cancel(reason="the block of breakers has ended")
        await self._manager.__aexit__(None, None, None)
        return False
