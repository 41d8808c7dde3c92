"""Whose turn it is.

Batches of one key run one after the other, in the order in which they came; those of other keys
do not concern them. So there is a line for each key: one batch holds it, and the others wait.
A line is there only while somebody holds it, or a program that names its keys after orders
would keep a line for each order it ever had.

A batch may be executed within an operation of another one. If that one cannot end before this
one has, both would wait for ever; who waits for whom is known here, so that is found.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Any, final

__all__ = ["Batch", "Line", "Lines"]


@final
class Batch:
    """One batch, as those see it that wait for their turn.

    Args:
        tx_id: What it is called.
        key: Whose line it is in.
        outer: The batch that cannot end before this one has, since this one is executed within
            an operation of it.
    """

    __slots__ = ("arrived_at", "begun_at", "inner", "key", "outer", "runs_in", "tx_id")

    arrived_at: float
    """When it came, in seconds; minus infinity if nobody looked at the clock."""

    begun_at: float
    """When its turn came, in seconds; infinity while it waits for that."""

    inner: dict[Batch, Line] | None
    """The batches within it that wait, and the lines in which they do; None if there never were
    any."""

    outer: Batch | None
    """The batch that cannot end before this one has; None if there is none."""

    runs_in: tuple[Any, int] | None
    """The task in which its operations run, and how many nurseries that had opened before; None
    unless they run."""

    def __init__(self, tx_id: object, key: Hashable, outer: Batch | None) -> None:
        self.tx_id = tx_id
        self.key = key
        self.outer = outer
        self.inner = self.runs_in = None
        self.arrived_at = self.begun_at = -math.inf

    def outers(self) -> Iterator[Batch]:
        """Yield the batch that this one is in, the one that that is in, and so on."""
        batch = self.outer
        while batch is not None:
            yield batch
            batch = batch.outer


@final
class Line:
    """The batches of one key.

    Args:
        holder: The batch whose turn it is.
    """

    __slots__ = ("holder", "waiting")

    holder: Batch
    """The batch whose turn it is."""

    waiting: OrderedDict[Batch, None] | None
    """Those that wait, in the order in which they came; None if there never were any."""

    def __init__(self, holder: Batch) -> None:
        self.holder = holder
        self.waiting = None


@final
class Lines:
    """The lines of all keys that have one."""

    __slots__ = ("_lines", "waiting")

    waiting: int
    """How many batches wait, in all lines."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, Line] = {}
        self.waiting = 0

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, batch: Batch) -> Line | None:
        """Make it the turn of a batch, unless it is another one's.

        Returns:
            The line to wait in; None if it is this one's turn.

        Raises:
            TypeError: If the key cannot be one.
        """
        try:
            line = self._lines.get(batch.key)
        except TypeError:
            key = batch.key
            raise TypeError(f"key must be hashable, as those of a dict are, not {key!r}") from None
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
        """End the turn of a batch, and return the one whose turn it is now."""
        line = self._lines[batch.key]
        if not line.waiting:
            del self._lines[batch.key]
            return None
        line.holder, _ = line.waiting.popitem(last=False)
        self._wait_no_more(line.holder)
        return line.holder

    def all_that_wait(self) -> list[tuple[Line, Batch]]:
        """Return the batches that wait, and in which lines."""
        return [(line, batch) for line in self._lines.values() for batch in line.waiting or ()]

    def is_part_of_a_turn(self, batch: Batch) -> bool:
        """Return whether it is the turn of a batch that this one is in."""
        lines = [(outer, self._lines.get(outer.key)) for outer in batch.outers()]
        return any(line is not None and line.holder is outer for outer, line in lines)

    def would_wait_for_ever(self, line: Line, batch: Batch) -> bool:
        """Return whether a batch would wait for itself, if it waited in this line.

        Within the batch that holds the line others may wait, in lines whose holders wait in
        turn; if one of all these holders is a batch that this one is in, none of them can end.
        """
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
