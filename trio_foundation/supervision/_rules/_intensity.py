"""How many restarts are too many: to restart a broken child for ever hides the fault."""

from __future__ import annotations

from collections import deque
from typing import final

import attrs

__all__ = ["RestartWindow"]


@final
@attrs.define(eq=False)
class RestartWindow:
    """The restarts of one supervisor that still count against its limit.

    Example:
        >>> window = RestartWindow(max_restarts=2, within=10.0)
        >>> window.admit(0.0), window.admit(1.0), window.admit(2.0)
        (True, True, False)
        >>> window.admit(10.5)  # by now the restart at 0.0 is forgotten
        True
    """

    max_restarts: int = attrs.field(kw_only=True)
    within: float = attrs.field(kw_only=True)
    _admitted: deque[float] = attrs.field(init=False, factory=deque[float])

    def admit(self, now: float) -> bool:
        """Return whether there is room for a restart at time *now*, in seconds, and count it.

        One exactly *within* seconds old still counts, as in OTP; a refused one does not.
        """
        if self.count(now) >= self.max_restarts:
            return False
        self._admitted.append(now)
        return True

    def count(self, now: float) -> int:
        """Return how many still count at time *now*, in seconds."""
        # Each restart is forgotten once, so a crash loop costs a constant per crash
        # however long the window is.
        while self._admitted and now - self._admitted[0] > self.within:
            self._admitted.popleft()
        return len(self._admitted)
