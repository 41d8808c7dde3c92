"""The messages that wait for one receiver, in order and with a cap.

One in hand still counts, since it may come back, unless a newer one needs its room.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Generic, Protocol, TypeVar, final

__all__ = ["Buffer", "Numbered"]


class Numbered(Protocol):
    """What can wait in a buffer."""

    @property
    def sequence(self) -> int:
        """Its place; a smaller one is older."""
        ...

    @property
    def accepted_at(self) -> float:
        """When it was given, in seconds."""
        ...


NumberedT = TypeVar("NumberedT", bound=Numbered)


@final
class Buffer(Generic[NumberedT]):
    """Messages in order of their numbers, those in hand included.

    Example:
        >>> from types import SimpleNamespace
        >>> buffer = Buffer(2)
        >>> for number in (1, 2):
        ...     buffer.add(SimpleNamespace(sequence=number, accepted_at=0.0))
        >>> head = buffer.take()
        >>> head.sequence, buffer.held, buffer.is_full
        (1, 2, True)
        >>> buffer.add(SimpleNamespace(sequence=3, accepted_at=0.0))  # 1 is not to come back
        >>> buffer.give_back(head), [one.sequence for one in buffer.waiting]
        (False, [2, 3])
    """

    __slots__ = ("_in_hand", "_is_by_age", "capacity", "peak", "waiting")

    waiting: deque[NumberedT]
    """Those that are not in hand."""

    def __init__(self, capacity: int) -> None:
        self.capacity: int = capacity
        self.peak: int = 0
        """How many there were at most."""
        self.waiting = deque()
        # The numbers of those in hand that may come back, oldest first.
        self._in_hand: dict[int, None] = {}
        # Whether those that wait are in order of their age, too. One that is sent again has its
        # number of before, and is younger than those behind it.
        self._is_by_age = True

    @property
    def held(self) -> int:
        """How many there are, those in hand that may come back included."""
        return len(self.waiting) + len(self._in_hand)

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return self.held >= self.capacity

    def add(self, message: NumberedT) -> NumberedT | None:
        """Put in one more; return the one that had to go, if it was not in hand."""
        dropped = None
        if self.is_full:
            oldest = min(self._in_hand, default=math.inf)
            if self.waiting and self.waiting[0].sequence < oldest:
                dropped = self.waiting.popleft()
            else:
                self._in_hand.pop(int(oldest))
        self._insert(message)
        self.peak = max(self.peak, self.held)
        return dropped

    def take(self) -> NumberedT:
        """Take the oldest in hand."""
        message = self.waiting.popleft()
        self._in_hand[message.sequence] = None
        return message

    def settle(self, message: NumberedT) -> bool:
        """Note that one in hand does not come back; return whether it might have."""
        return self._in_hand.pop(message.sequence, _ABSENT) is not _ABSENT

    def give_back(self, message: NumberedT) -> bool:
        """Put one in hand back in its place, unless that is taken; return whether it is there."""
        if not self.settle(message):
            return False
        self._insert(message)
        return True

    def expire(self, now: float, max_age: float) -> list[NumberedT]:
        """Take out those too old at a time, in seconds."""
        if self.expires_at(max_age) > now:
            return []
        waiting, old = self.waiting, list[NumberedT]()
        while waiting and waiting[0].accepted_at + max_age <= now:
            old.append(waiting.popleft())
        if not self._is_by_age:
            old += [message for message in waiting if message.accepted_at + max_age <= now]
            left = [message for message in waiting if message.accepted_at + max_age > now]
            self.waiting = deque(left)
        return old

    def expires_at(self, max_age: float) -> float:
        """Return when the first that waits becomes too old, in seconds."""
        if not self.waiting:
            return math.inf
        if self._is_by_age:
            return self.waiting[0].accepted_at + max_age
        return min(message.accepted_at for message in self.waiting) + max_age

    def empty(self) -> list[NumberedT]:
        """Take out all that wait; those in hand may still come back."""
        waiting = list(self.waiting)
        self.waiting.clear()
        return waiting

    def let_go(self) -> int:
        """Note that none in hand comes back; return how many might have."""
        count = len(self._in_hand)
        self._in_hand.clear()
        return count

    def _insert(self, message: NumberedT) -> None:
        waiting, place = self.waiting, len(self.waiting)
        self._is_by_age = self._is_by_age or not waiting
        if waiting and message.sequence < waiting[0].sequence:
            place = 0  # the usual case of what comes back
        while place and waiting[place - 1].sequence > message.sequence:
            place -= 1
        if place < len(waiting) and message.accepted_at > waiting[place].accepted_at:
            self._is_by_age = False
        waiting.insert(place, message)


_ABSENT = object()
