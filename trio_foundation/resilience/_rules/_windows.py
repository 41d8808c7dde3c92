"""How many failures are too many; each outcome takes constant time and memory."""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol, final

__all__ = ["ConsecutiveFailures", "CountWindow", "TimeWindow", "Window"]

_SLICES = 10
# In seconds; a clock shows no less, and the number of a slice stays finite.
_LEAST_WIDTH = 1e-9


class Window(Protocol):
    """Remembers outcomes, and says when there are too many failures among them."""

    def record(self, now: float, failed: bool) -> bool:
        """Note an outcome at *now*, in seconds; return whether that is too much."""
        ...

    def clear(self) -> None:
        """Forget all outcomes."""

    def counts(self, now: float) -> tuple[int, int]:
        """Return how many outcomes count at *now*, in seconds, and how many failed."""
        ...


@final
class ConsecutiveFailures:
    """So many failures in a row.

    Example:
        >>> window = ConsecutiveFailures(2)
        >>> [window.record(0.0, failed=failed) for failed in (True, False, True, True)]
        [False, False, False, True]
    """

    __slots__ = ("_failures", "_threshold")

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._failures = 0

    def record(self, now: float, failed: bool) -> bool:
        self._failures = self._failures + 1 if failed else 0
        return self._failures >= self._threshold

    def clear(self) -> None:
        self._failures = 0

    def counts(self, now: float) -> tuple[int, int]:
        """Return how many failures there were in a row, twice."""
        return self._failures, self._failures


@final
class CountWindow:
    """A share of failures among the last so many outcomes.

    Example:
        >>> window = CountWindow(4, rate=0.5, minimum=2)
        >>> [window.record(0.0, failed=failed) for failed in (True, False, False, False, True)]
        [False, True, False, False, False]
    """

    __slots__ = ("_failures", "_minimum", "_outcomes", "_rate")

    def __init__(self, size: int, *, rate: float, minimum: int) -> None:
        self._outcomes: deque[bool] = deque(maxlen=size)
        self._failures = 0
        self._rate = rate
        self._minimum = min(minimum, size)

    def record(self, now: float, failed: bool) -> bool:
        outcomes = self._outcomes
        if len(outcomes) == outcomes.maxlen:
            self._failures -= outcomes[0]
        outcomes.append(failed)
        self._failures += failed
        return is_too_much(len(outcomes), self._failures, self._rate, self._minimum)

    def clear(self) -> None:
        self._outcomes.clear()
        self._failures = 0

    def counts(self, now: float) -> tuple[int, int]:
        return len(self._outcomes), self._failures


@final
class TimeWindow:
    """A share of failures among the outcomes of the last so many seconds.

    In ten slices, each forgotten as a whole: an outcome counts for nine tenths of the window at
    least.

    Example:
        >>> window = TimeWindow(10.0, rate=0.5, minimum=2)
        >>> window.record(0.0, failed=True), window.record(5.0, failed=True)
        (False, True)
        >>> window.counts(5.0), window.counts(12.0), window.counts(100.0)
        ((2, 2), (1, 1), (0, 0))
    """

    __slots__ = ("_failures", "_minimum", "_rate", "_slice", "_slices", "_total", "_width")

    def __init__(self, seconds: float, *, rate: float, minimum: int) -> None:
        self._width = max(seconds / _SLICES, _LEAST_WIDTH)
        self._rate = rate
        self._minimum = minimum
        # Each with how many outcomes and failures it holds, newest last.
        self._slices: deque[list[int]] = deque([0, 0] for _ in range(_SLICES))
        self._slice = -(2**63)  # the number of the newest
        self._total = self._failures = 0

    def record(self, now: float, failed: bool) -> bool:
        self._move_to(now)
        newest = self._slices[-1]
        newest[0] += 1
        newest[1] += failed
        self._total += 1
        self._failures += failed
        return is_too_much(self._total, self._failures, self._rate, self._minimum)

    def clear(self) -> None:
        for held in self._slices:
            held[:] = 0, 0
        self._total = self._failures = 0

    def counts(self, now: float) -> tuple[int, int]:
        self._move_to(now)
        return self._total, self._failures

    def _move_to(self, now: float) -> None:
        number = math.floor(now / self._width)
        for _ in range(min(number - self._slice, _SLICES)):
            oldest = self._slices.popleft()
            self._total -= oldest[0]
            self._failures -= oldest[1]
            self._slices.append([0, 0])
        self._slice = max(self._slice, number)


def is_too_much(total: int, failures: int, rate: float, minimum: int) -> bool:
    """Return whether the share of failures is *rate* or more, of at least *minimum* outcomes."""
    # Not `failures >= rate * total`: 0.07 * 100 is more than 7.
    return total >= minimum and failures / total >= rate
