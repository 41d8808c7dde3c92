"""Those who wait until a key is registered."""

from __future__ import annotations

from typing import TypeVar, final

import attrs
import trio

__all__ = ["Arrival", "Arrivals"]

KeyT = TypeVar("KeyT")


@attrs.define(eq=False)
class Arrival:
    """A key that somebody waits for."""

    event: trio.Event = attrs.field(factory=trio.Event)
    waiting: int = 0


@final
class Arrivals(dict[KeyT, Arrival]):
    """Who waits for which key."""

    __slots__ = ()

    def announce(self, key: KeyT) -> None:
        """Wake those who wait for a key."""
        arrival = self.pop(key, None)
        if arrival is not None:
            arrival.event.set()

    async def wait(self, key: KeyT) -> None:
        """Wait until a key is announced."""
        arrival = self.get(key)
        if arrival is None:
            arrival = self[key] = Arrival()
        arrival.waiting += 1
        try:
            await arrival.event.wait()
        finally:
            arrival.waiting -= 1
            if not arrival.waiting and self.get(key) is arrival:
                del self[key]
