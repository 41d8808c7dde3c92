"""What the breaker's family raises."""

from __future__ import annotations

from typing import final

import trio

from .._base import FoundationError, seconds_in_words
from ._not_called import NotCalled

__all__ = ["BulkheadFull", "RateLimited", "TimedOut"]


@final
class BulkheadFull(NotCalled):
    """The bulkhead lets no more calls run or wait.

    Example:
        >>> print(BulkheadFull("database", 10, 5))
        bulkhead 'database' is full: 10 run at once, and 5 wait
    """

    name: str
    """The name of the bulkhead."""

    limit: int
    """How many run at once."""

    waiting: int
    """How many were waiting already."""

    def __init__(self, name: str, limit: int, waiting: int) -> None:
        super().__init__(name, limit, waiting)
        self.name = name
        self.limit = limit
        self.waiting = waiting

    def __str__(self) -> str:
        waiting = f"{self.waiting} wait" if self.waiting else "none may wait"
        return f"bulkhead {self.name!r} is full: {self.limit} run at once, and {waiting}"


@final
class RateLimited(NotCalled):
    """The rate limiter lets nobody pass now.

    Example:
        >>> print(RateLimited("api", 2.5))
        rate limiter 'api' lets nobody pass now: try again in 2.5 s
    """

    name: str
    """The name of the rate limiter."""

    retry_after: float
    """In how many seconds it may let one more pass."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(name, retry_after)
        self.name = name
        self.retry_after = retry_after

    def __str__(self) -> str:
        return (
            f"rate limiter {self.name!r} lets nobody pass now: "
            f"try again in {seconds_in_words(self.retry_after)}"
        )


@final
class TimedOut(FoundationError, trio.TooSlowError):
    """A call took longer than it was given, and was cancelled.

    It is a `trio.TooSlowError` that says whose time was up; another's comes through as it is.

    Example:
        >>> print(TimedOut("fetch", 2.0))
        fetch took longer than 2 s
    """

    name: str
    """The name of the time limit, or of the function."""

    seconds: float
    """How long it was given, in seconds."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(name, seconds)
        self.name = name
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.name} took longer than {seconds_in_words(self.seconds)}"
