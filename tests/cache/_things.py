"""Caches to try, and loads that a test can watch.

A cache may go by any clock; most tests here give it one whose hand they move themselves, and
then need no Trio run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import attrs
import pytest
import trio

from trio_foundation.cache import Cache, CacheStatistics, RemovalCause
from trio_foundation.cache._rules import GONE, PILE, Shelf

__all__ = ["Asker", "Hand", "Loader", "assert_lawful", "each_kind_of_key", "leaves_of", "noting"]

K = TypeVar("K")
V = TypeVar("V")


class Hand:
    """A clock that a test moves by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Loader:
    """A load that can be waited for, and counts how often it was begun."""

    def __init__(self, value: Any = "loaded", *, after: float = 0.0, error: Any = None) -> None:
        self.value = value
        self.after = after
        self.error = error
        self.begun = 0
        self.keys: list[object] = []

    async def __call__(self, *keys: object) -> Any:
        self.begun += 1
        self.keys += keys
        await trio.sleep(self.after)
        if self.error is not None:
            raise self.error
        return self.value


class Asker:
    """Somebody who asks a cache for a key, in a task."""

    def __init__(
        self,
        nursery: trio.Nursery,
        cache: Cache[Any, Any],
        load: Callable[..., Awaitable[Any]],
        key: object = "k",
    ) -> None:
        self.scope = trio.CancelScope()
        self.answer: Any = None
        """What came back, or was raised."""
        self.at: float | None = None
        """When that was."""
        nursery.start_soon(self._ask, cache, load, key)

    async def _ask(
        self, cache: Cache[Any, Any], load: Callable[..., Awaitable[Any]], key: object
    ) -> None:
        with self.scope:
            try:
                self.answer = await cache.get_or_load(key, load)
            except Exception as error:  # noqa: BLE001  it is the answer
                self.answer = error
        if self.scope.cancelled_caught:
            self.answer = "cancelled"
        self.at = trio.current_time()


def leaves_of(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, or the error itself."""
    found = getattr(error, "exceptions", None)
    return [error] if found is None else [leaf for one in found for leaf in leaves_of(one)]


def noting(told: list[tuple[K, V, RemovalCause]]) -> Callable[[K, V, RemovalCause], None]:
    """Return an *on_removal* that notes what it is told."""

    def note(key: K, value: V, cause: RemovalCause) -> None:
        told.append((key, value, cause))

    return note


def assert_lawful(cache: Cache[Any, Any]) -> CacheStatistics:
    """Assert that nothing is lost and nothing is held that should not be; return the figures."""
    seen = cache.statistics()
    gone = seen.replaced + seen.deletes + seen.evictions + seen.expirations
    assert seen.puts == seen.held + gone, seen
    assert seen.hits + seen.misses + seen.expired == seen.gets
    assert min(attrs.astuple(seen)) >= 0
    faults = list(faults_of(cache._core.shelf, cache._core.options.max_size))
    assert faults == [], faults
    return seen


def faults_of(shelf: Shelf[Any, Any], max_size: int) -> Iterator[str]:
    """Yield what is wrong with a shelf itself."""
    entries = list(shelf.entries.values())
    live = [entry for entry in entries if entry.used != GONE]
    uses, dues, overdue = shelf._uses, shelf._dues, shelf._overdue
    if len(entries) > max_size:
        yield f"{len(entries)} entries, and room for {max_size}"
    if {entry for entry in entries if entry.used == GONE} != set(overdue):
        yield "the overdue ones are not those that were found to be"
    if len({entry.used for entry in live}) != len(live):
        yield "two were used at the same time"
    if uses.held > 2 * len(entries) + PILE:
        yield f"{uses.held} are held in the order of use"
    if dues.held > 2 * len(entries) + PILE:
        yield f"{dues.held} are held in the order of deadlines"
    if uses.first() is not min(live, key=lambda entry: entry.used, default=None):
        yield "another one was least recently used"


each_kind_of_key = pytest.mark.parametrize("key", ["a", 1, (1, "a"), None, frozenset[int]()])
