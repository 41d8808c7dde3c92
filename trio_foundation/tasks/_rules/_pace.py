"""How far a map may go ahead of its consumer, and in which order results come."""

from __future__ import annotations

import math
from collections import deque
from typing import Generic, TypeVar, final

__all__ = ["Pace", "Queue"]

R = TypeVar("R")


@final
class Pace:
    """Says how many items may have begun, and how many tasks may work on them.

    At most *limit* items run, and at most *limit* + *buffer* run or wait for the consumer. What is
    asked for each item is a plain attribute.

    Example:
        >>> pace = Pace(limit=1, buffer=1)
        >>> pace.begun = 2  # two results run, or wait to be taken
        >>> pace.wants_worker
        False
        >>> pace.take()
        >>> pace.wants_worker
        True
    """

    __slots__ = ("_buffer", "_taken", "begun", "limit", "most_begun", "workers")

    def __init__(self, *, limit: float, buffer: float = math.inf) -> None:
        self._buffer = buffer
        self._taken = 0
        self.limit = limit
        """How many tasks may work at once; 0 if nothing more begins."""
        self.most_begun = limit + buffer
        """How many items may have begun by now."""
        self.begun = 0
        """How many items have begun; the number of the next."""
        self.workers = 0
        """How many tasks work."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more begins."""
        return not self.limit

    @property
    def wants_worker(self) -> bool:
        """Whether there is room for one more task."""
        return self.workers < self.limit and self.begun < self.most_begun

    def set_limit(self, limit: float) -> None:
        """Change how many tasks may work at once."""
        if not self.has_ended:
            self.limit = limit
            self.most_begun = self._taken + limit + self._buffer

    def take(self) -> None:
        """Note that a result was taken."""
        self._taken += 1
        self.most_begun += 1

    def end(self) -> None:
        """Note that nothing more begins, so no task waits for room."""
        self.limit = 0
        self.most_begun = math.inf


@final
class Queue(Generic[R]):
    """Results that wait, in the order of the items or of their ends.

    Example:
        >>> queue = Queue[str](ordered=True)
        >>> queue.put(1, "b")
        0
        >>> queue.put(0, "a")
        2
        >>> queue.pop(), queue.pop()
        ('a', 'b')
    """

    __slots__ = ("_early", "_next", "_ordered", "_ready")

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[R] = deque()
        self._early: dict[int, R] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._ready)

    def put(self, number: int, result: R) -> int:
        """Add the result of an item; return how many this makes ready."""
        if not self._ordered:
            self._ready.append(result)
            return 1
        if number != self._next:
            self._early[number] = result
            return 0
        self._ready.append(result)
        first = self._next
        self._next += 1
        while self._early and self._next in self._early:
            self._ready.append(self._early.pop(self._next))
            self._next += 1
        return self._next - first

    def pop(self) -> R:
        """Take the next result."""
        return self._ready.popleft()

    def clear(self) -> None:
        """Forget all results."""
        self._ready.clear()
        self._early.clear()
