"""Work for maps and tasks that a test can watch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Container, Generator, Iterable, Mapping
from typing import Any

import pytest
import trio

from trio_foundation.tasks import Ok

__all__ = [
    "Failure",
    "Source",
    "Work",
    "double",
    "errors_of",
    "fail",
    "leaves_of",
    "loose_groups",
    "values_of",
]

loose_groups = pytest.mark.filterwarnings(
    "ignore:.*strict_exception_groups=False:trio.TrioDeprecationWarning"
)


class Failure(Exception):
    """What functions and inputs fail with."""


class Work:
    """A function that takes some time for an item, and notes what becomes of it."""

    def __init__(
        self, seconds: float | Mapping[Any, float] = 1.0, *, fails: Container[Any] = ()
    ) -> None:
        self._seconds = seconds
        self._fails = fails
        self.started: list[Any] = []
        self.ended: list[Any] = []
        """Those that returned or failed."""
        self.cancelled: list[Any] = []
        self.running = 0
        self.most = 0
        """How many ran at once, at most."""

    async def do(self, item: Any) -> Any:
        self.started.append(item)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            seconds = self._seconds
            await trio.sleep(seconds[item] if isinstance(seconds, Mapping) else seconds)
        except trio.Cancelled:
            self.cancelled.append(item)
            raise
        finally:
            self.running -= 1
        self.ended.append(item)
        if item in self._fails:
            raise Failure(item)
        return item


class Source:
    """An input that notes what was pulled of it, and whether it was closed."""

    def __init__(self, items: Iterable[Any], *, error: BaseException | None = None) -> None:
        self._items = items
        self._error = error
        self.pulled: list[Any] = []
        self.is_closed = False

    def plain(self) -> Generator[Any]:
        for item in self._items:
            self.pulled.append(item)
            yield item
        if self._error is not None:
            raise self._error

    async def slow(self) -> AsyncGenerator[Any]:
        """Give the items asynchronously."""
        try:
            for item in self._items:
                await trio.lowlevel.checkpoint()
                self.pulled.append(item)
                yield item
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True


async def double(item: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return 2 * item


async def fail(*args: object) -> None:
    await trio.lowlevel.checkpoint()
    raise Failure(*args)


def values_of(results: Iterable[Any]) -> list[Any]:
    """Return the values, all of which must be there."""
    assert all(isinstance(result, Ok) for result in results)
    return [result.value for result in results]


def errors_of(results: Iterable[Any]) -> dict[Any, type[Exception]]:
    """Return what kind of error each item has failed with."""
    return {one.item: type(one.error) for one in results if not isinstance(one, Ok)}


def leaves_of(error: BaseException) -> list[BaseException]:
    """Return the errors in a group, or the error itself."""
    found = getattr(error, "exceptions", None)
    return [error] if found is None else [leaf for one in found for leaf in leaves_of(one)]
