"""Those who are called with every change, at once.

They keep books of their own, so each change reaches all of them, in order, even if one fails. They
are called when the change is complete, and never within each other: what one of them changes is
told when all know of the present change.
"""

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
    """Callbacks in order of registration, each removed by itself."""

    __slots__ = ("_is_telling", "_untold", "callbacks")

    callbacks: dict[object, Listener]
    """All of them; most registries have none, and look here with each change."""

    def __init__(self) -> None:
        self.callbacks = {}
        self._untold: deque[Change] = deque()
        self._is_telling = False

    @property
    def is_telling(self) -> bool:
        """Whether a change is being told, with those that come meanwhile."""
        return self._is_telling

    def add(self, callback: Listener) -> Callable[[], None]:
        """Add a callback; return a function that removes it, and may be called again."""
        key = object()
        self.callbacks[key] = callback

        def remove() -> None:
            self.callbacks.pop(key, None)

        return remove

    def note(self, change: Change) -> None:
        """Note a change that is to be told."""
        self._untold.append(change)

    def tell(self) -> None:
        """Tell what was noted, in order, even if a callback adds to it; not while `is_telling`.

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
        """What was noted and is not told yet."""
        return [*self._untold]
