"""The generic cell rate algorithm: each one that passes puts off the time of rest, up to a limit."""

from __future__ import annotations

import math
from typing import final

from ..._base import check_count, check_number, check_seconds

__all__ = ["Pace"]


@final
class Pace:
    """The arithmetic of one rate limiter: who passes when.

    Example:
        >>> pace = Pace(rate=10, per=1.0, burst=2)
        >>> [pace.admit(now) for now in (0.0, 0.0, 0.0)]
        [True, True, False]
        >>> pace.due
        0.1
    """

    __slots__ = ("_base", "_count", "_spare", "interval")

    interval: float
    """How many seconds lie between two that pass, in the long run."""

    def __init__(self, *, rate: float, per: float, burst: int) -> None:
        check_number("rate", rate, least=0)
        check_seconds("per", per, above_zero=True, finite=True)
        check_count("burst", burst, least=1)
        if not rate:
            raise ValueError(f"rate must be more than 0, not {rate!r}")
        self.interval = per / rate
        self._spare = burst - 1
        try:
            is_measurable = self.interval > 0 and burst * self.interval < math.inf
        except OverflowError:
            is_measurable = False
        if not is_measurable:
            raise ValueError(
                f"rate, per and burst make no measurable pace: one in {self.interval!r} seconds, "
                f"for {rate!r} in {per!r} seconds and {burst!r} at once"
            )
        # It rests at the time *base* plus *count* intervals. Were the sum kept instead, it
        # would be rounded each time, and the last of a burst might come too early by that.
        self._base = -math.inf
        self._count = 0

    @property
    def due(self) -> float:
        """When the next one may pass, in seconds; it may be long past."""
        return self._base + (self._count - self._spare) * self.interval

    @property
    def rests_at(self) -> float:
        """When it is as if none had ever passed, in seconds."""
        return self._base + self._count * self.interval

    def admit(self, now: float) -> bool:
        """Let one pass if it is time, and say whether."""
        # The same number that waiters sleep until, so that whoever wakes then may pass.
        if now < self.due:
            return False
        if now >= self.rests_at:
            self._base, self._count = now, 0
        self._count += 1
        return True

    def wait_from(self, now: float, *, ahead: int = 0) -> float:
        """Return in how many seconds one more may pass when *ahead* wait, never too few."""
        due = self.due + ahead * self.interval
        wait = max(due - now, 0.0)
        # The difference may be rounded down, and then the sum is a little before it is due.
        return wait if now + wait >= due else wait + math.ulp(due)
