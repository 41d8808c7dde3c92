"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from typing import final

import attrs

from ._checks import check_count, check_number, check_seconds

__all__ = ["Backoff"]

# Beyond this a float no longer holds every whole number, and raising to the power of a
# larger one may be an error even where the result is 1.
LAST_ATTEMPT_TOLD_APART = 2**53


@final
@attrs.frozen(kw_only=True)
class Backoff:
    """Delays that grow from attempt to attempt, up to a maximum.

    It counts no attempts, and may be shared by any number of children.

    Raises:
        TypeError: An argument that is no number.
        ValueError: One that is NaN or out of range.

    Example:
        >>> backoff = Backoff(initial=0.5, factor=2.0, maximum=3.0, jitter=0.0)
        >>> [backoff.delay(attempt) for attempt in range(5)]
        [0.5, 1.0, 2.0, 3.0, 3.0]
    """

    initial: float = 0.1
    """The delay before the first new attempt, in seconds; finite. With 0, every delay is 0."""

    factor: float = 2.0
    """How many times longer each delay is than the one before; 1 or more, and finite."""

    maximum: float = 30.0
    """The longest delay, in seconds, spread included, even if *initial* is longer; finite."""

    jitter: float = 0.1
    """The share by which a delay is spread both ways, from 0 to 1. With 0.1, 10 seconds become 9
    to 11."""

    reset_after: float = 60.0
    """After how many seconds without a failure the next delay is the first again; more than 0.
    With `math.inf`, never."""

    def __attrs_post_init__(self) -> None:
        check_seconds("initial", self.initial, finite=True)
        check_number("factor", self.factor, least=1)
        check_seconds("maximum", self.maximum, finite=True)
        check_number("jitter", self.jitter, least=0, most=1)
        check_seconds("reset_after", self.reset_after, above_zero=True)

    def delay(self, attempt: int, rng: random.Random | None = None) -> float:
        """Return the delay before a new attempt, in seconds.

        Args:
            attempt: Which attempt this is, from 0, however large.
            rng: Where the spread comes from; a seeded one repeats it. By default `random` itself.

        Returns:
            A number of seconds from 0 to *maximum*, where the spread is cut off.

        Raises:
            TypeError: *attempt* is no whole number.
            ValueError: *attempt* is below 0.

        Example:
            >>> backoff = Backoff(initial=10.0, jitter=0.1)
            >>> 9.0 <= backoff.delay(0) <= 11.0
            True
            >>> backoff.delay(10**6) <= 30.0
            True
        """
        check_count("attempt", attempt)
        middle = self._middle(attempt)
        if not self.jitter:
            return middle
        uniform = random.uniform if rng is None else rng.uniform  # noqa: S311
        lowest = middle * (1.0 - self.jitter)
        # The spread is cut off there: delays set to the maximum would gather late attempts.
        highest = min(middle * (1.0 + self.jitter), self.maximum)
        # The sum in `uniform` may be rounded up, past the highest.
        return min(uniform(lowest, highest), highest)

    def _middle(self, attempt: int) -> float:
        if not self.initial:
            return 0.0  # whatever the factor has grown to, infinity included
        try:
            grown = self.initial * float(self.factor) ** min(attempt, LAST_ATTEMPT_TOLD_APART)
        except OverflowError:
            return float(self.maximum)
        return min(grown, float(self.maximum))
