"""The next moments at which something is due, for one loop that sleeps until the first."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar, final

import attrs

__all__ = ["Timers"]

OwnerT = TypeVar("OwnerT")

# Cleared timers are swept when they are more than half of the heap, and this many.
_SWEEP = 64


@final
@attrs.define(eq=False)
class _Timer(Generic[OwnerT]):
    due: float
    order: int
    owner: OwnerT | None

    def __lt__(self, other: _Timer[OwnerT]) -> bool:
        return (self.due, self.order) < (other.due, other.order)


@final
@attrs.define(eq=False)
class Timers(Generic[OwnerT]):
    """At most one due time an owner; at the same time, in order of setting.

    Example:
        >>> timers = Timers()
        >>> timers.set("poll", 2.0)
        >>> timers.set("fetch", 1.0)
        >>> timers.next_due, timers.pop_due(1.5), timers.pop_due(1.5)
        (1.0, 'fetch', None)
    """

    _heap: list[_Timer[OwnerT]] = attrs.field(init=False, factory=list[_Timer[OwnerT]])
    _set: dict[OwnerT, _Timer[OwnerT]] = attrs.field(
        init=False, factory=dict[OwnerT, _Timer[OwnerT]]
    )
    _count: int = attrs.field(init=False, default=0)

    def set(self, owner: OwnerT, due: float) -> None:
        """Let *owner* come due at that time, in seconds, and at none set before."""
        self.clear(owner)
        if due == math.inf:
            return
        self._count += 1
        timer: _Timer[OwnerT] = _Timer(due, self._count, owner)
        self._set[owner] = timer
        heapq.heappush(self._heap, timer)

    def clear(self, owner: OwnerT) -> None:
        timer = self._set.pop(owner, None)
        if timer is None:
            return
        timer.owner = None
        if len(self._heap) > _SWEEP + 2 * len(self._set):
            self._heap = [timer for timer in self._heap if timer.owner is not None]
            heapq.heapify(self._heap)

    @property
    def next_due(self) -> float:
        """When the first one is due, in seconds; `math.inf` if none is set."""
        while self._heap and self._heap[0].owner is None:
            heapq.heappop(self._heap)
        return self._heap[0].due if self._heap else math.inf

    def pop_due(self, now: float) -> OwnerT | None:
        """Return an owner that is due at time *now*, in seconds, and forget its timer."""
        if self.next_due > now:
            return None
        owner = heapq.heappop(self._heap).owner
        assert owner is not None
        del self._set[owner]
        return owner

    def __len__(self) -> int:
        return len(self._set)
