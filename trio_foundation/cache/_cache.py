"""The cache."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar, cast, final, overload

import trio
from trio.lowlevel import current_trio_token, enable_ki_protection

from .._base import check_async_fn, check_seconds
from ..supervision import ChildSpec, child
from ._core import Core
from ._errors import CacheMiss
from ._flight import without_arguments
from ._loads import Loads
from ._options import Options, TellsTime
from ._rules import RemovalCause
from ._statistics import CacheStatistics

__all__ = ["Cache"]

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

AT_ONCE = 1_000
"""Entries swept before others get their turn."""


@final
class Cache(Generic[K, V]):
    """Remembers values by key, for as long as they are good and there is room.

    An entry expires exactly at its *ttl*, and is deleted when next asked for or swept, or for room.
    Expired entries make room first, the oldest first, then the least recently used. `None` is a
    value like any other.

    A cache is for one thread, and one Trio run at a time, whose clock it goes by; in the next run,
    what is left of a value's time goes on. It works outside of Trio too; before the first run,
    values that expire need a *clock*.

    Args:
        max_size: How many entries there may be, at least 1.
        ttl: How long a value is good for, in seconds, above 0, unless `put` says otherwise;
            `math.inf` is for ever.
        name: Its name, in errors and events.
        clock: What tells the time instead of the run: a function such as `time.monotonic`, or a
            Trio clock. While it goes back, time stands still.
        jitter: The share, from 0 to 1, by which each value's time is shortened at random; what is
            put in together then expires apart.
        stale_for: For how many seconds `get_or_load` may give out an expired value, while a better
            one is loaded or if that fails; with `math.inf`, until room is needed.
        negative_ttl: For how many seconds a load's error is remembered, with its traceback and what
            that holds; meanwhile nothing is loaded, and whoever asks gets a `LoadFailed`. None for
            not at all.
        on_removal: A plain function called, last of all, with key, value and cause of what is
            removed or replaced. It may use the cache; what it removes it is told of after it has
            returned, 1000 times in a row at most. What it raises is only told, as
            `RemovalCallbackFailed`, or logged.
        rng: Where the jitter comes from; a seeded one repeats it.

    Raises:
        TypeError: An option of the wrong kind.
        ValueError: An option that makes no sense.

    Example:
        >>> users = Cache[str, int](max_size=1_000, name="users")
        >>> users.put("alice", 30)
        >>> users.get("alice"), users.get("bob", 0)
        (30, 0)
        >>> users
        <Cache 'users': 1 of 1000>
    """

    __slots__ = ("__weakref__", "_core", "_loads")

    def __init__(  # noqa: PLR0913  a cache has that many sides, and all are named
        self,
        *,
        max_size: int = 100_000,
        ttl: float = math.inf,
        name: str = "cache",
        clock: TellsTime | None = None,
        jitter: float = 0.0,
        stale_for: float = 0.0,
        negative_ttl: float | None = None,
        on_removal: Callable[[K, V, RemovalCause], object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        options = Options(
            max_size=max_size,
            ttl=ttl,
            name=name,
            clock=clock,
            jitter=jitter,
            stale_for=stale_for,
            negative_ttl=negative_ttl,
            on_removal=on_removal,
            rng=rng,
        )
        self._core: Core[K, V] = Core(options)
        self._loads: Loads[K, V] = Loads(self._core)

    def __repr__(self) -> str:
        options = self._core.options
        return f"<Cache {options.name!r}: {len(self)} of {options.max_size}>"

    @enable_ki_protection
    def __len__(self) -> int:
        return self._core.shelf.count(self._core.moment())

    @enable_ki_protection
    def __contains__(self, key: object) -> bool:
        entry = self._core.find(cast("K", key))
        return entry is not None and self._core.moment() < entry.deadline

    @enable_ki_protection
    def __iter__(self) -> Iterator[K]:
        now = self._core.moment()
        live = [entry.key for entry in self._core.shelf.entries.values() if entry.deadline > now]
        return iter(live)

    @property
    def name(self) -> str:
        """Its name."""
        return self._core.name

    # Asking

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    @enable_ki_protection
    def get(self, key: K, default: object = None) -> object:
        """Return the value of a key; *default* if there is none, or it has expired.

        Emits:
            CacheHit: If there is one.
            CacheMissed: If not.
            CacheRemoved: If it has expired.

        Example:
            >>> prices = Cache[str, float]()
            >>> prices.put("apples", 1.5)
            >>> prices.get("apples"), prices.get("pears"), prices.get("pears", 0.0)
            (1.5, None, 0.0)
        """
        # This is `Core.moment` and `Core.use`, written out: nothing is called as often.
        core = self._core
        entry = core.find(key)
        if entry is not None:
            try:
                if current_trio_token() is not core.token:
                    core.look_around()
            except RuntimeError:  # there is no run
                core.look_around()
            if entry.deadline > core.clock.current_time():
                core.turn = entry.used = core.turn + 1
                if core.hit_ear.is_there:
                    return core.tell_hit(key, entry.value)
                return entry.value
        core.miss(key, entry)
        return default

    @enable_ki_protection
    def fetch(self, key: K) -> V:
        """Return the value of a key, or raise why there is none.

        Raises:
            CacheMiss: There is none, or it has expired; *reason* says which.

        Emits:
            CacheHit, CacheMissed, CacheRemoved: As `get`.

        Example:
            >>> prices = Cache[str, float](name="prices")
            >>> try:
            ...     prices.fetch("pears")
            ... except CacheMiss as error:
            ...     print(error.reason)
            not_found
        """
        core = self._core
        entry = core.find(key)
        if entry is None or core.moment() >= entry.deadline:
            raise CacheMiss(core.name, key, core.miss(key, entry))
        return core.use(key, entry)

    @enable_ki_protection
    async def get_or_load(
        self,
        key: K,
        load: Callable[[], Awaitable[V]] | Callable[[K], Awaitable[V]],
        *,
        ttl: float | None = None,
    ) -> V:
        """Return the value of a key; if there is none, load it and put it in.

        Of all who ask for a key at the same time one loads, in its own task, under its cancel
        scopes and with its context variables; the others wait.

        If the key is deleted or put, or the cache cleared, meanwhile, what is loaded is not kept,
        and is returned only to those who asked before.

        With *stale_for*, the first who finds an expired value loads a better one, and gets the
        expired one if that fails; all others get the expired one at once.

        Args:
            key: The key.
            load: An async function that returns the value; called with the key, unless it can be
                called without arguments.
            ttl: How long a loaded value is good for, in seconds; by default that of the cache.

        Returns:
            The value.

        Raises:
            CircularLoad: This is part of the load of the same key, and would wait for itself.
            LoadFailed: Somebody else's load failed, or any did less than *negative_ttl* seconds
                ago.
            TypeError: *load* cannot be an async function, or *ttl* is no number.
            ValueError: *ttl* is NaN or not above 0.
            Exception: What the caller's own *load* raises.

        Cancellation:
            Ends the wait, or goes into the load; then the next who waits loads, with its own
            *load*. If the value is there, this only checks for a cancellation, and is no schedule
            point.

        Emits:
            CacheHit: If there is a value.
            CacheMissed: If not.
            CachePut: When it is loaded.
            CacheRemoved: If another makes room for it, or an expired one is seen.
            StaleServed: If an expired value is returned.

        Example:
            >>> import trio
            >>> async def fetch(product):
            ...     print("asking for", product)
            ...     return 1.5
            >>> async def main():
            ...     prices = Cache[str, float](ttl=60.0)
            ...     print(await prices.get_or_load("apples", fetch))
            ...     print(await prices.get_or_load("apples", fetch))
            >>> trio.run(main)
            asking for apples
            1.5
            1.5
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if ttl is not None:
            check_seconds("ttl", ttl, above_zero=True)
        core = self._core
        entry = core.find(key)
        if entry is not None and core.moment() < entry.deadline:
            return core.use(key, entry)
        given: object = load
        if inspect.iscoroutine(given):
            name = given.__name__
            given.close()  # or Python would warn that it was never awaited
            raise TypeError(
                f"get_or_load takes an async function, but got a coroutine: write "
                f"get_or_load({key!r}, {name}), or partial({name}, ...) for its arguments"
            )
        check_async_fn("get_or_load", load, before=(key,))
        core.miss(key, entry)
        return await self._loads.load(key, without_arguments(load, key), ttl)

    # Changing

    @enable_ki_protection
    def put(self, key: K, value: V, *, ttl: float | None = None) -> None:
        """Put a value in, in place of any that is there; what is being loaded is not kept.

        For the very object that is there, not expired, this only renews its time.

        Args:
            key: The key, hashable.
            value: The value.
            ttl: How long it is good for, in seconds; by default that of the cache.

        Raises:
            RuntimeError: The value is to expire, but no Trio run has begun, and there is no
                *clock*.
            TypeError: *key* cannot be hashed, or *ttl* is no number.
            ValueError: *ttl* is NaN or not above 0.

        Emits:
            CachePut: Always.
            CacheRemoved: If another was there, or makes room for it.

        Example:
            >>> import time
            >>> prices = Cache[str, float](ttl=60.0, clock=time.monotonic)
            >>> prices.put("apples", 1.5)
            >>> prices.put("pears", 2.0, ttl=0)
            Traceback (most recent call last):
            ValueError: ttl must be more than 0 seconds, not 0
        """
        if ttl is not None:
            check_seconds("ttl", ttl, above_zero=True)
        self._loads.detach(key)
        self._core.store(key, value, ttl)

    @enable_ki_protection
    def delete(self, key: K) -> bool:
        """Remove the value of a key; what is being loaded for it is not kept.

        Returns:
            Whether there was one, not expired.

        Emits:
            CacheRemoved: If there was one.

        Example:
            >>> prices = Cache[str, float]()
            >>> prices.put("apples", 1.5)
            >>> prices.delete("apples"), prices.delete("apples")
            (True, False)
        """
        self._loads.detach(key)
        core = self._core
        entry = core.find(key)
        if entry is None:
            return False
        is_live = core.moment() < entry.deadline
        core.remove(entry, "explicit" if is_live else "expired")
        return is_live

    @enable_ki_protection
    def clear(self) -> None:
        """Remove all values; what is being loaded is not kept.

        Emits:
            CacheRemoved: For each, when all are gone.

        Example:
            >>> prices = Cache[str, float]()
            >>> prices.put("apples", 1.5)
            >>> prices.clear()
            >>> len(prices)
            0
        """
        self._loads.detach_all()
        self._core.clear()

    @enable_ki_protection
    def sweep(self) -> int:
        """Remove all expired values, less those that *stale_for* keeps.

        Returns:
            How many.

        Emits:
            CacheRemoved: For each.

        Example:
            >>> now = 0.0
            >>> prices = Cache[str, float](ttl=60.0, clock=lambda: now)
            >>> prices.put("apples", 1.5)
            >>> now = 60.0
            >>> prices.sweep()
            1
        """
        return self._core.sweep(math.inf)

    def sweeper(self, *, every: float = 60.0) -> ChildSpec:
        """Return a child for a supervisor that sweeps now and then.

        Answers are right without it. It frees what is expensive to keep, and has *on_removal*
        called in time.

        Args:
            every: How long it waits between sweeps, in seconds.

        Returns:
            What `trio_foundation.supervision.open_supervisor` takes, named after the cache: under
            one supervisor, caches need different names.

        Raises:
            TypeError: *every* is no number.
            ValueError: *every* is not above 0, or not finite.

        Example:
            >>> Cache[str, int](name="users").sweeper(every=10.0).name
            'sweep users'
        """
        check_seconds("every", every, above_zero=True, finite=True)
        return child(sweep_now_and_then, self._core, every, name=f"sweep {self.name}")

    @enable_ki_protection
    def statistics(self) -> CacheStatistics:
        """Return the present figures.

        Example:
            >>> prices = Cache[str, float]()
            >>> prices.get("apples")
            >>> prices.statistics().misses
            1
        """
        core, loads = self._core, self._loads
        return CacheStatistics(
            hits=core.hits,
            misses=core.misses,
            expired=core.expired,
            stale=core.stale,
            puts=core.puts,
            replaced=core.removals["replaced"],
            deletes=core.removals["explicit"],
            evictions=core.removals["size"],
            expirations=core.removals["expired"],
            held=len(core.shelf.entries),
            loads=loads.begun,
            load_failures=loads.failed,
            loading=len(loads),
        )


@enable_ki_protection
async def sweep_now_and_then(core: Core[K, V], every: float) -> None:
    """Sweep a cache for ever, a part at a time."""
    while True:
        is_done = core.sweep(AT_ONCE) < AT_ONCE
        await trio.sleep(every if is_done else 0)
