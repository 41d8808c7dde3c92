"""One attempt at a delivery, through the receiver's circuit breaker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from ..messaging import CallError, CallFailed, MailboxFull, Ref, SelfCall, ServerGone
from ..resilience import BreakerOpen, CircuitBreaker
from ._agent import Agent
from ._delivery import DeliveryOutcome, Parcel
from ._errors import DeliveryError, DeliveryFailed, DeliveryTimeout, ReceiverNotFound
from ._lane import Lane

__all__ = ["ask", "attempt"]

R = TypeVar("R")

_FAILURES = (CallFailed, CallError, MailboxFull, ServerGone, SelfCall)
"""What a call fails with, mistakes of the program aside."""


async def attempt(lane: Lane, ref: Ref[Agent], parcel: Parcel, seconds: float) -> object:
    """Return the answer to a message; if BreakerOpen is raised, nothing has happened."""
    try:
        async with lane.breaker.guard():
            lane.note_sent(parcel)
            with trio.move_on_after(seconds):
                return await ref.call(Agent.handle_delivery, parcel)
            raise DeliveryTimeout(parcel.agent_id, seconds, parcel.outcome)
    except BreakerOpen as broken:
        if parcel.is_sent and parcel.has_begun:
            raise DeliveryFailed(parcel.agent_id, "broken_off", "unknown") from broken
        raise
    except _FAILURES as failure:
        if isinstance(failure, CallError):
            parcel.has_begun = False  # who refuses says that nothing has happened
        error = _translated(parcel.agent_id, failure, parcel.outcome)
        try:
            raise error from failure
        finally:
            del error  # its traceback holds this frame


async def ask(
    breaker: CircuitBreaker, agent_id: str, call: Callable[[], Awaitable[R]], seconds: float
) -> R:
    """Call a receiver, and return its answer."""
    is_sent = False
    try:
        async with breaker.guard():
            is_sent = True
            with trio.move_on_after(seconds):
                return await call()
            raise DeliveryTimeout(agent_id, seconds, "unknown")
    except BreakerOpen as broken:
        if is_sent:
            raise DeliveryFailed(agent_id, "broken_off", "unknown") from broken
        raise DeliveryFailed(agent_id, "circuit_open") from broken
    except CallError:
        raise
    except _FAILURES as failure:
        outcome: DeliveryOutcome = "unknown" if isinstance(failure, CallFailed) else "not_done"
        error = _translated(agent_id, failure, outcome)
        try:
            raise error from failure
        finally:
            del error  # as above


def _translated(agent_id: str, failure: Exception, outcome: DeliveryOutcome) -> DeliveryError:
    match failure:
        case ServerGone():
            return ReceiverNotFound(agent_id, outcome)
        case CallError():
            return DeliveryFailed(agent_id, "refused", outcome)
        case MailboxFull():
            return DeliveryFailed(agent_id, "mailbox_full", outcome)
        case SelfCall():
            return DeliveryFailed(agent_id, "self_call", outcome)
        case CallFailed(how="crashed"):
            return DeliveryFailed(agent_id, "crashed", outcome)
        case _:
            return DeliveryFailed(agent_id, "stopped", outcome)
