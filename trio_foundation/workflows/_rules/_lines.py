"""Whose turn it is.

Each key has a line: one batch holds it, the others wait. It is there only while somebody holds it,
as keys may be as many as orders.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Any, final

__all__ = ["Batch", "Line", "Lines"]


@final
class Batch:
    """One batch, and its place among the others."""

    __slots__ = ("arrived_at", "begun_at", "inner", "key", "outer", "runs_in", "tx_id")

    arrived_at: float
    """When it came, in seconds; -inf if nobody looked at the clock."""

    begun_at: float
    """When its turn came, in seconds; inf before."""

    inner: dict[Batch, Line] | None
    """Batches within it that wait, with their lines; None if never any."""

    outer: Batch | None
    """The batch that cannot end before this one."""

    runs_in: tuple[Any, int] | None
    """The task of its operations, and how many nurseries that had open before."""

    def __init__(self, tx_id: object, key: Hashable, outer: Batch | None) -> None:
        self.tx_id = tx_id
        self.key = key
        self.outer = outer
        self.inner = self.runs_in = None
        self.arrived_at = self.begun_at = -math.inf

    def outers(self) -> Iterator[Batch]:
        """Yield the batches around this one, from the inside."""
        batch = self.outer
        while batch is not None:
            yield batch
            batch = batch.outer


@final
class Line:
    """The batches of one key."""

    __slots__ = ("holder", "waiting")

    holder: Batch
    """The batch whose turn it is."""

    waiting: OrderedDict[Batch, None] | None
    """Those that wait, as they came; None if never any."""

    def __init__(self, holder: Batch) -> None:
        self.holder = holder
        self.waiting = None


@final
class Lines:
    """The lines of all keys."""

    __slots__ = ("_lines", "waiting")

    waiting: int
    """How many batches wait, in all lines."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, Line] = {}
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, batch: Batch) -> Line | None:
        """Give a batch its turn, or return the line to wait in."""
        try:
            line = self._lines.get(batch.key)
        except TypeError:
            key = batch.key
            raise TypeError(
                f"key must be hashable, such as a string or a tuple, not {key!r}"
            ) from None
        if line is None:
            self._lines[batch.key] = Line(batch)
        return line

    def join(self, line: Line, batch: Batch) -> None:
        """Let a batch wait in a line."""
        if line.waiting is None:
            line.waiting = OrderedDict()
        line.waiting[batch] = None
        self.waiting += 1
        for outer in batch.outers():
            if outer.inner is None:
                outer.inner = {}
            outer.inner[batch] = line

    def leave(self, line: Line, batch: Batch) -> None:
        """Let a batch wait no longer."""
        assert line.waiting is not None
        del line.waiting[batch]
        self._wait_no_more(batch)

    def pass_on(self, batch: Batch) -> Batch | None:
        """End a batch's turn, and return the one whose turn it is now."""
        line = self._lines[batch.key]
        if not line.waiting:
            del self._lines[batch.key]
            return None
        line.holder, _ = line.waiting.popitem(last=False)
        self._wait_no_more(line.holder)
        return line.holder

    def all_that_wait(self) -> list[tuple[Line, Batch]]:
        """Return the batches that wait, with their lines."""
        return [(line, batch) for line in self._lines.values() for batch in line.waiting or ()]

    def is_part_of_a_turn(self, batch: Batch) -> bool:
        """Return whether a batch around this one has its turn."""
        lines = [(outer, self._lines.get(outer.key)) for outer in batch.outers()]
        return any(line is not None and line.holder is outer for outer, line in lines)

    def would_wait_for_ever(self, line: Line, batch: Batch) -> bool:
        """Return whether a batch would wait in this line for one around it, also indirectly."""
        mine = set(batch.outers())
        seen: set[Batch] = set()
        holders = [line.holder]
        while holders:
            holder = holders.pop()
            if holder in mine:
                return True
            if holder not in seen and holder.inner:
                seen.add(holder)
                holders += [there.holder for there in holder.inner.values()]
        return False

    def _wait_no_more(self, batch: Batch) -> None:
        self.waiting -= 1
        for outer in batch.outers():
            assert outer.inner is not None
            del outer.inner[batch]
