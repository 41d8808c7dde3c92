"""What the room reports."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

from ..telemetry import Event
from ._errors import RejectedBy
from ._rules import BreakerState, Cause

__all__ = [
    "BreakerEvent",
    "CallFailedThrough",
    "CallRejected",
    "CallSucceeded",
    "ProbeStarted",
    "SlowCall",
    "StaleResult",
    "StateChanged",
]


@attrs.frozen(kw_only=True)
class BreakerEvent(Event):
    """The base class of what a circuit breaker tells.

    Example:
        >>> ProbeStarted(breaker="prices").breaker
        'prices'
    """

    breaker: str
    """The name of the breaker."""


@final
@attrs.frozen(kw_only=True)
class StateChanged(BreakerEvent):
    """The state of a breaker has changed."""

    name: ClassVar[str] = "foundation.resilience.state_changed"
    level: ClassVar[int] = logging.WARNING

    old: BreakerState
    """The state before."""

    new: BreakerState
    """The state now."""

    cause: Cause
    """Why."""


@final
@attrs.frozen(kw_only=True)
class CallSucceeded(BreakerEvent):
    """A call ended, and speaks for what was called."""

    name: ClassVar[str] = "foundation.resilience.call_succeeded"
    level: ClassVar[int] = logging.DEBUG

    after: float
    """How long it took, in seconds."""


@final
@attrs.frozen(kw_only=True)
class CallFailedThrough(BreakerEvent):
    """A call ended, and speaks against what was called."""

    name: ClassVar[str] = "foundation.resilience.call_failed"
    level: ClassVar[int] = logging.INFO

    after: float
    """How long it took, in seconds."""

    error: str
    """The error's type and text; empty if a result counts as a failure."""


@final
@attrs.frozen(kw_only=True)
class CallRejected(BreakerEvent):
    """A call was not let through."""

    name: ClassVar[str] = "foundation.resilience.call_rejected"
    level: ClassVar[int] = logging.DEBUG

    state: RejectedBy
    """The state that it was rejected in."""

    retry_after: float | None
    """In how many seconds it may let a call through; None if unknown."""


@final
@attrs.frozen(kw_only=True)
class ProbeStarted(BreakerEvent):
    """A call was let through to try."""

    name: ClassVar[str] = "foundation.resilience.probe_started"


@final
@attrs.frozen(kw_only=True)
class StaleResult(BreakerEvent):
    """A call ended that an earlier state had let through; it decides nothing."""

    name: ClassVar[str] = "foundation.resilience.stale_result"
    level: ClassVar[int] = logging.DEBUG

    after: float
    """How long it took, in seconds."""


@final
@attrs.frozen(kw_only=True)
class SlowCall(BreakerEvent):
    """A call takes too long, and counts as a failure from now on."""

    name: ClassVar[str] = "foundation.resilience.slow_call"
    level: ClassVar[int] = logging.INFO

    after: float
    """How long it has taken until now, in seconds."""
