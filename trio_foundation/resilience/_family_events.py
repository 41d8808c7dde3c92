"""What the breaker's family reports."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

from ..telemetry import Event

__all__ = ["HedgedCallFailed", "RetryScheduled"]


@final
@attrs.frozen(kw_only=True)
class HedgedCallFailed(Event):
    """A call of a hedge failed unseen: another has won, or the caller was cancelled."""

    name: ClassVar[str] = "foundation.resilience.hedged_call_failed"
    level: ClassVar[int] = logging.WARNING

    what: str
    """The name of the function."""

    extra: int
    """Which call it was: 0 is the first, 1 the first extra one."""

    error: str
    """The error."""


@final
@attrs.frozen(kw_only=True)
class RetryScheduled(Event):
    """A try failed, and there will be another one."""

    name: ClassVar[str] = "foundation.resilience.retry_scheduled"
    level: ClassVar[int] = logging.WARNING

    what: str
    """The name of the retry, or of the function."""

    attempt: int
    """How many tries were made."""

    attempts: int | float
    """How many may be made."""

    delay: float
    """In how many seconds."""

    error: str
    """The error; empty if the result was not good enough."""
