"""What a coordinator reports."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

from ..resilience import BreakerState
from ._delivery import DeadLetter
from ._registry_events import AgentsEvent

__all__ = [
    "BufferDrained",
    "CoordinatorEvent",
    "MessageBuffered",
    "MessageDeadLettered",
    "MessageDelivered",
]


@attrs.frozen(kw_only=True)
class CoordinatorEvent(AgentsEvent):
    """The base class of the events of a coordinator.

    Example:
        >>> BufferDrained(coordinator="mail", agent="ann", delivered=3, after=1.5).agent
        'ann'
    """

    coordinator: str
    """Its name."""


@final
@attrs.frozen(kw_only=True)
class MessageDelivered(CoordinatorEvent):
    """A receiver has acknowledged a message."""

    name: ClassVar[str] = "foundation.agents.message_delivered"
    level: ClassVar[int] = logging.DEBUG

    sequence: int
    """Its number: `Delivery.sequence`."""

    attempt: int
    """Which attempt, from 1."""

    was_buffered: bool
    """Whether it waited in the buffer."""

    after: float
    """How long ago it was given, in seconds."""


@final
@attrs.frozen(kw_only=True)
class MessageBuffered(CoordinatorEvent):
    """A message waits in the buffer of its receiver."""

    name: ClassVar[str] = "foundation.agents.message_buffered"
    level: ClassVar[int] = logging.DEBUG

    sequence: int
    """Its number: `Delivery.sequence`."""

    buffered: int
    """How many wait now."""

    state: BreakerState
    """The state of the circuit."""


@final
@attrs.frozen(kw_only=True)
class MessageDeadLettered(CoordinatorEvent):
    """A message that waited is not delivered."""

    name: ClassVar[str] = "foundation.agents.message_dead_lettered"
    level: ClassVar[int] = logging.WARNING

    letter: DeadLetter
    """The message, and why."""


@final
@attrs.frozen(kw_only=True)
class BufferDrained(CoordinatorEvent):
    """No message waits for a receiver any more."""

    name: ClassVar[str] = "foundation.agents.buffer_drained"
    level: ClassVar[int] = logging.INFO

    delivered: int
    """How many were delivered since the first of them began to wait."""

    after: float
    """How long ago that was, in seconds."""
