"""Those who receive every change, or how many they have lost."""

from __future__ import annotations

from types import TracebackType
from typing import final

import trio
from trio.lowlevel import enable_ki_protection

from ._events import Lagged
from ._transaction import Change

__all__ = ["Watcher"]


@final
class Watcher:
    """The sending end of a watcher's channel, and the block in which it is open."""

    __slots__ = ("_receive", "_registry", "_send", "_spare", "_was_entered", "_watchers")

    def __init__(self, registry: str, capacity: int, watchers: dict[Watcher, None]) -> None:
        self._registry = registry
        self._send, self._receive = trio.open_memory_channel[Change | Lagged](capacity)
        # To take from what was not received, whatever becomes of the far end.
        self._spare = self._receive.clone()
        self._watchers = watchers
        self._was_entered = False

    def tell(self, change: Change) -> Lagged | None:
        """Tell of a change; without room, send a `Lagged` instead, and return it."""
        try:
            self._send.send_nowait(change)
        except trio.WouldBlock:
            return self._lag()
        return None

    def _lag(self) -> Lagged:
        missed = 1
        while self._spare.statistics().current_buffer_used:
            lost = self._spare.receive_nowait()
            missed += lost.missed if isinstance(lost, Lagged) else 1
        lagged = Lagged(registry=self._registry, missed=missed)
        self._send.send_nowait(lagged)
        return lagged

    @enable_ki_protection
    def __enter__(self) -> trio.MemoryReceiveChannel[Change | Lagged]:
        if self._was_entered:
            raise RuntimeError("this watch was entered before: call watch again")
        self._was_entered = True
        self._watchers[self] = None
        return self._receive

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watchers.pop(self, None)
        self._send.close()
        self._spare.close()
        self._receive.close()
