"""The figures of a circuit breaker."""

from __future__ import annotations

from typing import final

import attrs

from ._rules import BreakerState

__all__ = ["BreakerStatistics"]


@final
@attrs.frozen(kw_only=True)
class BreakerStatistics:
    """The figures of a circuit breaker since it was made.

    At any time ``calls == succeeded + failed + ignored + cancelled + stale + in_flight``.

    Example:
        >>> BreakerStatistics(state="closed", calls=3, succeeded=1, failed=1, ignored=0,
        ...     cancelled=0, stale=0, in_flight=1, rejected=0, slow=0, opened_at=None,
        ...     retry_after=None, counted=2, counted_failures=1).in_flight
        1
    """

    state: BreakerState
    """What it does with calls now."""

    calls: int
    """How many were let through."""

    succeeded: int
    """How many of them ended well."""

    failed: int
    """How many failed, or took too long."""

    ignored: int
    """How many raised an error that says nothing."""

    cancelled: int
    """How many were cancelled, and say nothing."""

    stale: int
    """How many ended when another state had begun, and decide nothing."""

    in_flight: int
    """How many have not ended."""

    rejected: int
    """How many were not let through."""

    slow: int
    """How many took longer than *slow_after*."""

    opened_at: float | None
    """Since when it has not been closed, in seconds by `trio.current_time`; None if it is closed or
    disabled."""

    retry_after: float | None
    """In how many seconds it may let a call through; None if unknown."""

    counted: int
    """How many outcomes count now: in the window, or failures in a row."""

    counted_failures: int
    """How many of those are failures."""
