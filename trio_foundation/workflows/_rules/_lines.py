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
from typing import final

__all__ = ["Batch", "Line", "Lines"]


@final
class Batch:
    """One batch, as those see it that wait for their turn.

    Args:
        tx_id: What it is called.
        key: Whose line it is in.
        outer: The batch within an operation of which it is executed, or was begun.
    """

    __slots__ = ("arrived_at", "begun_at", "is_running", "key", "outer", "tx_id", "waits_in")

    arrived_at: float
    """When it came, in seconds; minus infinity if nobody looked at the clock."""

    begun_at: float
    """When its turn came, in seconds; infinity while it waits for that."""

    is_running: bool
    """Whether its operations run."""

    outer: Batch | None
    """The batch within an operation of which it is executed; None if that has ended."""

    waits_in: Line | None
    """The line in which it waits, or something that is executed within it."""

    def __init__(self, tx_id: object, key: Hashable, outer: Batch | None) -> None:
        while outer is not None and not outer.is_running:  # a task that it left behind
            outer = outer.outer
        self.tx_id = tx_id
        self.key = key
        self.outer = outer
        self.is_running = False
        self.waits_in = None
        self.arrived_at = self.begun_at = -math.inf

    def and_outer(self) -> Iterator[Batch]:
        """Yield this batch, the one that it is in, the one that that is in, and so on."""
        batch: Batch | None = self
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
        for one in batch.and_outer():
            one.waits_in = line

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

    def send_away(self) -> list[Batch]:
        """Let nobody wait any longer, and return those that did."""
        sent = [batch for line in self._lines.values() for batch in line.waiting or ()]
        for line in self._lines.values():
            line.waiting = None
        for batch in sent:
            self._wait_no_more(batch)
        return sent

    def would_wait_for_ever(self, line: Line, batch: Batch) -> bool:
        """Return whether a batch would wait for itself, if it waited in this line.

        Who holds the line may wait in another one, whose holder waits in a third; if one of
        them is a batch that this one is in, none of them can end.
        """
        mine = set(batch.and_outer())
        seen: set[Batch] = set()
        there: Line | None = line
        while there is not None and there.holder not in seen:
            if there.holder in mine:
                return True
            seen.add(there.holder)
            there = there.holder.waits_in
        return False

    def _wait_no_more(self, batch: Batch) -> None:
        self.waiting -= 1
        for one in batch.and_outer():
            one.waits_in = None
