"""The message in hand."""

from __future__ import annotations

from typing import final

import attrs

__all__ = ["CurrentMessage"]


@final
@attrs.frozen(kw_only=True)
class CurrentMessage:
    """The message that a server has in hand: what a snapshot shows as its child's ``status``.

    Example:
        >>> print(CurrentMessage(method="charge", since=100.0, running_for=2.5, queued=3))
        charge for 2.5 s, 3 more wait
    """

    method: str
    """The method's name, ``setup`` and ``teardown`` included."""

    since: float
    """When its handler began, in seconds by `trio.current_time`."""

    running_for: float
    """How long ago that is, in seconds."""

    queued: int
    """How many messages wait."""

    shown: object = None
    """What the server has put into ``current_child().status``."""

    def __str__(self) -> str:
        shown = "" if self.shown is None else f"{self.shown}; "
        waiting = "" if not self.queued else f", {self.queued} more wait"
        return f"{shown}{self.method} for {round(self.running_for, 3):g} s{waiting}"
