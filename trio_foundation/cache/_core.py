"""What a cache knows, counts and tells, but for loads.

Nothing awaits, so no task sees it half done. It tells last: whoever listens may use the cache.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, TypeVar, final

from trio.lowlevel import TrioToken, current_trio_token, disable_ki_protection, in_trio_run

from ..telemetry import emit, wanted
from ._ears import DEAF, ears_of_this_run
from ._events import (
    CacheHit,
    CacheMissed,
    CachePut,
    CacheRemoved,
    RemovalCallbackFailed,
    StaleServed,
)
from ._names import told
from ._options import Options
from ._rules import Entry, Failures, MissReason, RemovalCause, Removed, Shelf
from ._time import Timekeeper

__all__ = ["Core"]

LONGEST_CHAIN: Final = 1_000
"""Calls of *on_removal* that may each come of the one before."""

K = TypeVar("K")
V = TypeVar("V")


@final
class Core(Generic[K, V]):
    """The entries and counts of one cache."""

    __slots__ = (
        "_depth",
        "_ears",
        "_time",
        "_turns_of_puts",
        "_untold",
        "clock",
        "expired",
        "failures",
        "find",
        "hit_ear",
        "misses",
        "name",
        "options",
        "puts",
        "removals",
        "shelf",
        "stale",
        "token",
        "turn",
    )

    def __init__(self, options: Options[K, V]) -> None:
        self.options = options
        self.name = options.name
        self.shelf: Shelf[K, V] = Shelf(options.max_size)
        self.find = self.shelf.entries.get
        """Returns the entry of a key, even an expired one."""
        self.failures: Failures[K] | None = None
        """The errors of loads, if remembered."""
        if options.negative_ttl is not None:
            self.failures = Failures(max_size=options.max_size, ttl=options.negative_ttl)

        self._time = Timekeeper(options.clock)
        self.clock = self._time.clock
        """The clock, if `token` is of this run; see `moment`."""
        self.token: TrioToken | None = None
        """The present run, if any."""
        self._ears = DEAF
        self.hit_ear = DEAF.hit

        self._untold: deque[tuple[int, Removed[K, V]]] = deque()
        """What *on_removal* is to be told of, and how many calls led to it."""
        self._depth = 0
        """That number, for the present call; else 0."""
        self.turn = 0
        """The number of the latest use, a hit or a put."""
        self._turns_of_puts = 0
        self.puts = self.misses = self.expired = self.stale = 0
        self.removals: dict[RemovalCause, int] = dict.fromkeys(
            ("expired", "size", "explicit", "replaced"), 0
        )

    @property
    def hits(self) -> int:
        """How often a value was there."""
        return self.turn - self._turns_of_puts

    # What time it is, and in which run

    def moment(self) -> float:
        """Return the time in seconds; ask before looking at a deadline, which a new run moves."""
        try:
            if current_trio_token() is not self.token:
                self.look_around()
        except RuntimeError:
            self.look_around()
        return self.clock.current_time()

    def look_around(self) -> None:
        """Find out which run this is, if any."""
        if not in_trio_run():
            self.token, self._ears = None, DEAF
        else:
            moved = self._time.enter_run()
            self.clock = self._time.clock
            if moved is not None:
                self.shelf.move(*moved)
                if self.failures is not None:
                    self.failures.move(*moved)
            self.token, self._ears = current_trio_token(), ears_of_this_run()
        self.hit_ear = self._ears.hit

    # Hits and misses

    def may_be_served(self, entry: Entry[K, V], now: float) -> bool:
        """Return whether an entry may be given out, if only as stale."""
        return entry.deadline + self.options.stale_for > now

    def use(self, key: K, entry: Entry[K, V]) -> V:
        """Count a hit; return the value."""
        self.turn = entry.used = self.turn + 1
        value = entry.value
        return self.tell_hit(key, value) if self.hit_ear.is_there else value

    def tell_hit(self, key: K, value: V) -> V:
        """Tell a hit; return the value, even if a listener removes it."""
        emit(CacheHit(cache=self.name, key=key))
        return value

    def miss(self, key: K, entry: Entry[K, V] | None) -> MissReason:
        """Count that an entry is missing or expired; delete an expired one."""
        now = self.moment()
        reason: MissReason = "expired"
        removed = None
        if entry is None:
            self.misses += 1
            reason = "not_found"
        else:
            self.expired += 1
            if not self.may_be_served(entry, now):
                removed = self._take_off(entry, "expired")
        if self._ears.missed.is_there:
            emit(CacheMissed(cache=self.name, key=key, reason=reason))
        if removed is not None:
            self.tell_removed(removed)
        return reason

    def serve(self, entry: Entry[K, V], error: Exception | None = None) -> V:
        """Count and return an expired value."""
        key, value = entry.key, entry.value
        self.stale += 1
        if self._ears.stale.is_there:
            why = "" if error is None else told(error)
            emit(StaleServed(cache=self.name, key=key, error=why))
        return value

    # Changes

    def store(self, key: K, value: V, ttl: float | None) -> None:
        """Put a value in."""
        options = self.options
        now = self.moment()
        ttl = options.ttl if ttl is None else ttl
        if now == -math.inf and ttl < math.inf:
            raise RuntimeError(
                f"cache {self.name!r} knows no time yet, and its values are to expire: put them in "
                f"within trio.run, or give it a clock: Cache(clock=time.monotonic)"
            )
        # A turn is never taken twice, even if this fails, or if what goes for it uses the cache.
        self.turn = turn = self.turn + 1
        self._turns_of_puts += 1
        removed = self.shelf.put(key, value, options.deadline(now, ttl), turn, now)
        self.puts += 1
        if removed is not None:
            self.removals[removed.cause] += 1
        if self._ears.put.is_there:
            emit(CachePut(cache=self.name, key=key, ttl=ttl))
        if removed is not None and (removed.cause != "replaced" or removed.value is not value):
            self.tell_removed(removed)

    def remove(self, entry: Entry[K, V], cause: RemovalCause) -> None:
        """Remove an entry."""
        self.tell_removed(self._take_off(entry, cause))

    def clear(self) -> None:
        """Remove all entries and errors."""
        if self.failures is not None:
            self.failures.clear()
        removed = self.shelf.clear(self.moment())
        for one in removed:
            self.removals[one.cause] += 1
        self.tell_removed(*removed)

    def sweep(self, limit: float) -> int:
        """Remove up to *limit* expired entries; return how many."""
        now = self.moment()
        count = 0
        for entry in self.shelf.expired(now, self.options.stale_for):
            self.remove(entry, "expired")
            count += 1
            if count >= limit:
                break
        if self.failures is not None:
            self.failures.tidy(now)
        return count

    def _take_off(self, entry: Entry[K, V], cause: RemovalCause) -> Removed[K, V]:
        removed = self.shelf.remove(entry, cause)
        self.removals[cause] += 1
        return removed

    # Telling of removals

    def tell_removed(self, *gone: Removed[K, V]) -> None:
        """Tell of removed entries."""
        if self._ears.removed.is_there:
            for removed in gone:
                emit(CacheRemoved(cache=self.name, key=removed.key, cause=removed.cause))
        if self.options.on_removal is not None:
            self._untold.extend((self._depth + 1, removed) for removed in gone)
            if self._depth == 0:
                self._call_back(self.options.on_removal)

    def _call_back(self, on_removal: Callable[[K, V, RemovalCause], object]) -> None:
        # One after the other, as calls within calls would meet Python's own limit some day.
        while self._untold:
            self._depth, removed = self._untold.popleft()
            try:
                call_back(on_removal, removed, self._depth)
            except Exception as error:  # noqa: BLE001  whoever made room must not suffer for it
                self._tell_failed(removed, error)
            finally:
                self._depth = 0

    def _tell_failed(self, removed: Removed[K, V], error: Exception) -> None:
        failure = RemovalCallbackFailed(
            cache=self.name,
            key=removed.key,
            cause=removed.cause,
            error=told(error),
            traceback="".join(traceback.format_exception(error)),
        )
        if wanted(RemovalCallbackFailed):
            emit(failure)
            return
        # A logger can be broken as well, and then there is nobody left to tell.
        with suppress(Exception):
            logging.getLogger("trio_foundation.cache").error(
                "on_removal of cache %r raised\n%s", failure.cache, failure.traceback
            )


@disable_ki_protection
def call_back(
    on_removal: Callable[[K, V, RemovalCause], object], removed: Removed[K, V], depth: int
) -> None:
    """Call the user's function."""
    if depth > LONGEST_CHAIN:
        raise RecursionError(
            f"on_removal removes what it is called for, {LONGEST_CHAIN} times in a row"
        )
    on_removal(removed.key, removed.value, removed.cause)
