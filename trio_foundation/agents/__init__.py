"""Who can do what, and who gets the message?

An `Agent` is a server that is given messages. An `AgentRegistry` knows which agents there are,
what they can do, and how they are; a `Coordinator` brings them messages, through a circuit breaker
and a bounded buffer for each, and says what became of every one.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._agent import Agent
from ._answered import AnsweredKeys
from ._changes import (
    AgentChange,
    AgentChangeFailed,
    RegisterAgent,
    UnregisterAgent,
    UpdateAgent,
    change_serially,
)
from ._coordinator import Coordinator
from ._delivery import (
    DeadLetter,
    DeadLetterReason,
    Delivery,
    DeliveryOutcome,
    Receipt,
    ReceiptStatus,
)
from ._errors import (
    CoordinatorClosed,
    DeliveryError,
    DeliveryFailed,
    DeliveryFailure,
    DeliveryTimeout,
    ReceiverNotFound,
)
from ._events import (
    BufferDrained,
    CoordinatorEvent,
    MessageBuffered,
    MessageDeadLettered,
    MessageDelivered,
)
from ._open import open_coordinator
from ._registry import AgentEntry, AgentRegistry, Health
from ._registry_events import AgentDown, AgentsEvent, AgentUp
from ._statistics import CoordinatorStatistics, ReceiverStatistics
from ._terms import BufferOverflow

__all__ = [
    "Agent",
    "AgentChange",
    "AgentChangeFailed",
    "AgentDown",
    "AgentEntry",
    "AgentRegistry",
    "AgentUp",
    "AgentsEvent",
    "AnsweredKeys",
    "BufferDrained",
    "BufferOverflow",
    "Coordinator",
    "CoordinatorClosed",
    "CoordinatorEvent",
    "CoordinatorStatistics",
    "DeadLetter",
    "DeadLetterReason",
    "Delivery",
    "DeliveryError",
    "DeliveryFailed",
    "DeliveryFailure",
    "DeliveryOutcome",
    "DeliveryTimeout",
    "Health",
    "MessageBuffered",
    "MessageDeadLettered",
    "MessageDelivered",
    "Receipt",
    "ReceiptStatus",
    "ReceiverNotFound",
    "ReceiverStatistics",
    "RegisterAgent",
    "UnregisterAgent",
    "UpdateAgent",
    "change_serially",
    "open_coordinator",
]

_give_home(globals())
