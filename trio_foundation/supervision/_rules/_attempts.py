"""Which attempt a restart is, and so how long it is put off."""

from __future__ import annotations

__all__ = ["next_attempt"]


def next_attempt(attempt: int, *, ready_for: float | None, reset_after: float) -> int:
    """Return the number of the next restart, from 0; the times are in seconds."""
    return 0 if ready_for is not None and ready_for >= reset_after else attempt
