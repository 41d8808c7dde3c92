"""Those who are called with every change, in order, and never within each other."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias, final

from ._transaction import Change

__all__ = ["Listener", "Listeners"]

Listener: TypeAlias = Callable[[Change], object]

_logger = logging.getLogger("trio_foundation.registry")


@final
class Listeners:
    """Callbacks, in order."""

    __slots__ = ("_is_telling", "_untold", "callbacks")

    callbacks: dict[object, Listener]
    """All of them; asked with each change."""

    def __init__(self) -> None:
        self.callbacks = {}
        self._untold: deque[Change] = deque()
        self._is_telling = False

    @property
    def is_telling(self) -> bool:
        """Whether a change is being told."""
        return self._is_telling

    def add(self, callback: Listener) -> Callable[[], None]:
        """Add a callback; return what removes it."""
        key = object()
        self.callbacks[key] = callback

        def remove() -> None:
            self.callbacks.pop(key, None)

        return remove

    def note(self, change: Change) -> None:
        """Note a change that is to be told."""
        self._untold.append(change)

    def tell(self) -> None:
        """Tell what was noted, even if a callback adds to it; not while `is_telling`.

        An Exception is logged; the first of anything else is raised at the end.
        """
        interrupts: list[BaseException] = []
        self._is_telling = True
        try:
            while self._untold:
                self._call(self._untold.popleft(), interrupts)
        finally:
            self._is_telling = False
        if interrupts:
            raise interrupts[0]

    def _call(self, change: Change, interrupts: list[BaseException]) -> None:
        for key in list(self.callbacks):
            callback = self.callbacks.get(key)
            if callback is None:  # removed by one before it
                continue
            try:
                callback(change)
            except Exception:
                with suppress(Exception):
                    message = "a callback of a registry raised, and is ignored: %r"
                    _logger.exception(message, callback)
            except BaseException as interrupt:  # noqa: BLE001  the others have to be told too
                interrupts.append(interrupt)

    @property
    def untold(self) -> list[Change]:
        """What is not told yet."""
        return [*self._untold]
