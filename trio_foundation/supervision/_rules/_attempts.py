"""Which attempt a restart is, and so how long it is put off."""

from __future__ import annotations

__all__ = ["next_attempt"]


def next_attempt(attempt: int, *, ready_for: float | None, reset_after: float) -> int:
    """Return the number of the next attempt to restart a child; the first is 0.

    Args:
        attempt: How many there have been since the count last began anew.
        ready_for: How long the child was ready before it ended, in seconds; None if it never was.
        reset_after: How long it must have been ready, in seconds, for the count to begin anew.
    """
    return 0 if ready_for is not None and ready_for >= reset_after else attempt
