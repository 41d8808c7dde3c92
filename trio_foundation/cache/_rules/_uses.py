"""Who was least recently used.

Keeping a line at each hit costs more than the hit. So a hit only writes the number of the use into
the entry; the order is settled when it is asked for, as far as needed.

Entries lie in piles of 1024 uses each, never in a later one than they belong to; so the least
recently used lies in the first. When that is taken up, entries used since go to their piles, the
others are sorted. Only what was used since its last move is moved: hits pay for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar, final

from ._entry import Entry

__all__ = ["PILE", "Uses"]

E = TypeVar("E", bound=Entry[Any, Any])

BITS: Final = 10

PILE: Final = 1 << BITS
"""Uses, and most entries, of a pile."""


@final
class Uses(Generic[E]):
    """Entries by last use.

    Example:
        >>> uses = Uses()
        >>> a, b = Entry("a", 1, 9.0, used=1), Entry("b", 2, 9.0, used=2)
        >>> uses.add(a)
        >>> uses.add(b)
        >>> a.used = 3
        >>> uses.first() is b
        True
    """

    __slots__ = ("_held", "_line", "_numbers", "_piles")

    def __init__(self) -> None:
        self._piles: dict[int, list[E]] = {}
        self._numbers: list[int] = []
        """The piles' numbers, a heap."""
        self._line: list[tuple[int, E]] = []
        """The pile taken up, least recently used last, each with its use then."""
        self._held = 0

    @property
    def held(self) -> int:
        """How many it holds, with those gone but not yet met."""
        return self._held

    def add(self, entry: E) -> None:
        """Add an entry."""
        self._held += 1
        number = entry.used >> BITS
        pile = self._piles.get(number)
        if pile is None:
            self._piles[number] = [entry]
            heapq.heappush(self._numbers, number)
        else:
            pile.append(entry)

    def first(self) -> E | None:
        """Return the least recently used entry, if any."""
        while True:
            while self._line:
                used, entry = self._line[-1]
                if entry.used == used:
                    return entry
                self._line.pop()
                self._move(entry)
            if not self._numbers:
                return None
            self._take_up(heapq.heappop(self._numbers))

    def tidy(self, entries: Iterable[E]) -> None:
        """Start over with these entries, less those gone."""
        self._piles.clear()
        self._numbers.clear()
        self._line.clear()
        self._held = 0
        for entry in entries:
            if entry.used >= 0:
                self.add(entry)

    def _take_up(self, number: int) -> None:
        for entry in self._piles.pop(number):
            if entry.used >> BITS == number:
                self._line.append((entry.used, entry))
            else:
                self._move(entry)
        self._line.sort(reverse=True)  # no two entries have the same use

    def _move(self, entry: E) -> None:
        self._held -= 1
        if entry.used >= 0:
            self.add(entry)
