"""What time it is, in one Trio run after the other.

Each run's clock begins anywhere. So a cache keeps the clock of its last run, which goes on (a
`MockClock` stands still): it tells how much time has passed since.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol, final

from trio.abc import Clock
from trio.lowlevel import current_clock

from ._options import TellsTime

__all__ = ["TimeSource", "Timekeeper"]


class TimeSource(Protocol):
    """The part of a clock needed here."""

    def current_time(self) -> float: ...


@final
class Timekeeper:
    """Finds a cache's clock.

    Example:
        >>> Timekeeper(lambda: 5.0).clock.current_time()
        5.0
    """

    __slots__ = ("_is_given", "clock")

    clock: TimeSource
    """The clock; minus infinity before the first run, unless given."""

    def __init__(self, clock: TellsTime | None) -> None:
        self._is_given = clock is not None
        self.clock = NO_TIME
        if clock is not None:
            self.clock = Steady(clock.current_time if isinstance(clock, Clock) else clock)

    def enter_run(self) -> tuple[float, float] | None:
        """Go by this run's clock, unless one was given; return old and new time if it changes."""
        if self._is_given:
            return None
        old, new = self.clock, current_clock()
        if old is new:
            return None
        then = old.current_time()
        self.clock = new
        # What was put in before the first run does not expire, and needs no other deadline.
        return None if old is NO_TIME else (then, new.current_time())


@final
class Steady:
    """A clock that stands still while the one behind it goes back."""

    __slots__ = ("_clock", "_latest")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest = -math.inf

    def current_time(self) -> float:
        """Return the latest time, in seconds."""
        self._latest = max(self._latest, self._clock())
        return self._latest


@final
class NoTime:
    """The clock before the first run."""

    __slots__ = ()

    def current_time(self) -> float:
        """Return a time before all others."""
        return -math.inf


NO_TIME: Final = NoTime()
