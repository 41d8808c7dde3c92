"""Whose time is up."""

from __future__ import annotations

import heapq
import math
from typing import Any, Final, Generic, TypeVar, final

from ._entry import Entry

__all__ = ["Dues"]

E = TypeVar("E", bound=Entry[Any, Any])

FEW: Final = 64
"""So many that are gone are not worth sorting out."""


@final
class Dues(Generic[E]):
    """The entries by deadline; those gone stay until it, or until they are the majority.

    Example:
        >>> dues = Dues()
        >>> dues.add(Entry("a", 1, 5.0, used=1))
        >>> dues.add(Entry("b", 2, math.inf, used=2))
        >>> dues.pop(4.9), dues.pop(5.0).key
        (None, 'a')
    """

    __slots__ = ("_gone", "_heap")

    def __init__(self) -> None:
        # The use at which it was put settles a tie, so that entries are never compared.
        self._heap: list[tuple[float, int, E]] = []
        self._gone = 0

    @property
    def held(self) -> int:
        """How many it holds, gone ones included."""
        return len(self._heap)

    def add(self, entry: E) -> None:
        """Add an entry."""
        if entry.deadline < math.inf:
            heapq.heappush(self._heap, (entry.deadline, entry.used, entry))

    def pop(self, now: float) -> E | None:
        """Take out the first to have expired, if any."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)[2]
            if entry.used >= 0:
                return entry
            self._gone -= 1
        return None

    def note_gone(self, entry: E) -> None:
        """Hear that one of them is gone."""
        if entry.deadline == math.inf:
            return
        self._gone += 1
        if self._gone > FEW and self._gone * 2 > len(self._heap):
            self._heap[:] = [item for item in self._heap if item[2].used >= 0]
            heapq.heapify(self._heap)
            self._gone = 0

    def move(self, then: float, now: float) -> None:
        """Take *then* for *now*, as `Shelf.move` does."""
        self._heap[:] = [(now + (due - then), use, entry) for due, use, entry in self._heap]
        heapq.heapify(self._heap)  # what was rounded may be equal now

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._gone = 0
