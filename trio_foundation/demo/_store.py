"""Where an agent stores what it has found."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import attrs
import trio

from ._counting import Found
from ._faults import StoreDown

__all__ = ["Store"]

WRITING = 0.02  # seconds that it takes, however much is written


@attrs.define(eq=False)
class Store:
    """What one agent has found; as a database would, it outlives crashes."""

    name: str
    batches: dict[str, Sequence[Found]] = attrs.field(factory=dict[str, Sequence[Found]])
    """What was found, by the key of the batch."""

    came_again: int = 0
    """How many batches were there already."""

    is_down: bool = False

    async def save(self, key: str, found: Sequence[Found]) -> None:
        """Store a batch with its key, unless it is there already; no crash comes between.

        Raises:
            StoreDown: It is out of order.
        """
        await trio.sleep(WRITING)
        if self.is_down:
            raise StoreDown(f"the store of {self.name} is down")
        self.came_again += key in self.batches
        self.batches.setdefault(key, found)

    @contextmanager
    def outage(self) -> Generator[None]:
        self.is_down = True
        try:
            yield
        finally:
            self.is_down = False
