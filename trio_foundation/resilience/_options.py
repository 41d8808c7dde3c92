"""The options of a circuit breaker."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

from .._base import Backoff, check_count, check_number, check_seconds
from ._rules import ConsecutiveFailures, Counts, CountWindow, ErrorTypes, TimeWindow, Window

__all__ = ["BreakerOptions", "first_open_time", "open_times", "window_of"]

_WINDOW = 100


class BreakerOptions(TypedDict, total=False):
    """The keyword arguments of `CircuitBreaker`, where more is said of each; all but *nursery*.

    Example:
        >>> options: BreakerOptions = {"failure_threshold": 3, "reset_timeout": 10.0}
    """

    failure_threshold: int
    """How many failures in a row open it."""

    failure_rate: float | None
    """The share of failures that opens it instead."""

    window: float | None
    """Of which calls: so many (an int), or those of so many seconds (a float)."""

    minimum_calls: int
    """How many calls the window has to hold first."""

    slow_after: float | None
    """After how many seconds a call counts as a failure."""

    reset_timeout: float | Backoff
    """How long it stays open, in seconds."""

    success_threshold: int
    """How many successful probes close it."""

    half_open_max_calls: int
    """How many probes at once."""

    probe_timeout: float | None
    """After how many seconds a probe is cancelled."""

    counts: Counts
    """Which errors are failures."""

    ignores: ErrorTypes
    """Which are not."""

    result_is_failure: Callable[[Any], bool] | None
    """Which results are failures."""

    cancel_in_flight: bool
    """Whether opening cancels the calls under way."""

    health: Callable[[], Awaitable[object]] | None
    """What the breaker calls to try whether it may close."""

    rng: random.Random | None
    """Where the jitter of a `Backoff` comes from."""


def open_times(reset_timeout: object, rng: random.Random | None) -> Callable[[int], float]:
    if isinstance(reset_timeout, Backoff):
        backoff = reset_timeout
        return lambda attempt: backoff.delay(attempt, rng)
    seconds = check_seconds("reset_timeout", reset_timeout, finite=True)
    return lambda attempt: seconds


def first_open_time(reset_timeout: float | Backoff) -> float | None:
    if isinstance(reset_timeout, Backoff):
        reset_timeout = min(reset_timeout.initial, reset_timeout.maximum)
    return reset_timeout or None  # in no time at all no probe would end


def window_of(
    failure_threshold: int, failure_rate: float | None, window: float | None, minimum: int
) -> Window:
    check_count("failure_threshold", failure_threshold, least=1)
    check_count("minimum_calls", minimum, least=1)
    if failure_rate is None:
        if window is not None:
            raise ValueError(
                f"window={window!r} needs a failure_rate: write failure_rate=0.5 to open at one half"
            )
        return ConsecutiveFailures(failure_threshold)
    rate = check_number("failure_rate", failure_rate, least=0, most=1)
    if rate == 0:
        raise ValueError(
            f"failure_rate must be more than 0, not {failure_rate!r}: at 0 a success would open it"
        )
    if isinstance(window, float):
        seconds = check_seconds("window", window, above_zero=True, finite=True)
        return TimeWindow(seconds, rate=rate, minimum=minimum)
    size = _WINDOW if window is None else check_count("window", window, least=1)
    return CountWindow(size, rate=rate, minimum=minimum)
