"""What is remembered, and what has to go for room.

A shelf removes nothing expired by itself: whoever looks at it does, since that is an event.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, NamedTuple, TypeVar, final

from ._dues import Dues
from ._entry import GONE, Entry
from ._uses import PILE, Uses
from ._words import RemovalCause

__all__ = ["Removed", "Shelf"]

K = TypeVar("K")
V = TypeVar("V")


class Removed(NamedTuple, Generic[K, V]):
    """What is no longer on the shelf."""

    key: K
    value: V
    cause: RemovalCause


@final
class Shelf(Generic[K, V]):
    """At most *max_size* entries. Expired ones go first, then the least recently used.

    Example:
        >>> shelf = Shelf(max_size=1)
        >>> shelf.put("a", 1, deadline=10.0, use=1, now=0.0)
        >>> shelf.put("b", 2, deadline=10.0, use=2, now=0.0)
        Removed(key='a', value=1, cause='size')
        >>> shelf.put("c", 3, deadline=20.0, use=3, now=10.0)
        Removed(key='b', value=2, cause='expired')
    """

    __slots__ = ("_dues", "_max_size", "_overdue", "_uses", "entries")

    def __init__(self, max_size: int) -> None:
        self.entries: Final[dict[K, Entry[K, V]]] = {}
        """Always the same dictionary, so its methods may be kept."""
        self._max_size = max_size
        self._uses: Uses[Entry[K, V]] = Uses()
        self._dues: Dues[Entry[K, V]] = Dues()
        self._overdue: OrderedDict[Entry[K, V], None] = OrderedDict()
        """Those known to have expired, in order."""

    def put(self, key: K, value: V, deadline: float, use: int, now: float) -> Removed[K, V] | None:
        """Put a value in (nothing, if its key's methods raise); return what had to go for it."""
        entries = self.entries
        old = entries.get(key)
        removed = None
        if old is None and len(entries) >= self._max_size:
            removed = self._make_room(now)
        entry = Entry(key, value, deadline, use)
        entries[key] = entry
        self._uses.add(entry)
        self._dues.add(entry)
        if old is not None:
            removed = self._forget(old, "expired" if old.deadline <= now else "replaced")
        return removed

    def remove(self, entry: Entry[K, V], cause: RemovalCause) -> Removed[K, V]:
        """Take an entry off the shelf."""
        del self.entries[entry.key]  # first, for what its key may raise
        return self._forget(entry, cause)

    def clear(self, now: float) -> list[Removed[K, V]]:
        """Take all entries off the shelf."""
        entries = list(self.entries.values())
        self.entries.clear()
        self._overdue.clear()
        self._dues.clear()
        self._uses.tidy(())
        return [
            Removed(entry.key, entry.value, "expired" if entry.deadline <= now else "explicit")
            for entry in entries
        ]

    def count(self, now: float) -> int:
        """Return how many have not expired."""
        self._find_overdue(now)
        return len(self.entries) - len(self._overdue)

    def expired(self, now: float, since: float) -> Iterator[Entry[K, V]]:
        """Yield what expired *since* seconds ago or more; remove each before the next."""
        self._find_overdue(now)
        while self._overdue:
            entry = next(iter(self._overdue))
            if entry.deadline + since > now:
                return
            yield entry

    def move(self, then: float, now: float) -> None:
        """Take *then* on one clock for *now* on another; rounding brings nothing expired back."""
        for entry in self.entries.values():
            entry.deadline = now + (entry.deadline - then)
        self._dues.move(then, now)

    # Helpers, in order of use

    def _make_room(self, now: float) -> Removed[K, V] | None:
        self._find_overdue(now)
        if self._overdue:
            return self.remove(next(iter(self._overdue)), "expired")
        first = self._uses.first()
        assert first is not None, "a full shelf has entries"
        return self.remove(first, "size")

    def _forget(self, entry: Entry[K, V], cause: RemovalCause) -> Removed[K, V]:
        removed = Removed(entry.key, entry.value, cause)
        entry.used = GONE
        if entry in self._overdue:
            del self._overdue[entry]
        else:
            self._dues.note_gone(entry)
        # What is gone may still lie about in a pile, and should keep nothing alive.
        del entry.key, entry.value
        if self._uses.held > 2 * len(self.entries) + PILE:
            self._uses.tidy(self.entries.values())
        return removed

    def _find_overdue(self, now: float) -> None:
        while (entry := self._dues.pop(now)) is not None:
            entry.used = GONE
            self._overdue[entry] = None
