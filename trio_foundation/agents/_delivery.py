"""A message on its way, and what is told of it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, final

import attrs

from ..messaging import CallError

__all__ = [
    "DeadLetter",
    "DeadLetterReason",
    "Delivery",
    "DeliveryOutcome",
    "Parcel",
    "Receipt",
    "ReceiptStatus",
]

ReceiptStatus: TypeAlias = Literal["delivered", "buffered"]
"""What became of a message so far: its receiver has handled it, or it waits in the buffer."""

DeliveryOutcome: TypeAlias = Literal["not_done", "unknown"]
"""What is known of a message that was not acknowledged: no handler has begun it, or one has, nobody
knows how far."""

DeadLetterReason: TypeAlias = Literal["overflow", "expired", "gone", "refused", "closed"]
"""Why a message that waited is not delivered: it had to make room, was too old, its receiver is
gone or refused it, or the coordinator has ended."""


@final
@attrs.frozen
class Receipt:
    """What `Coordinator.deliver` returns; two of the same status are equal.

    Example:
        >>> Receipt("delivered", "ann", 1, reply=42).status
        'delivered'
    """

    status: ReceiptStatus
    """What became of it so far."""

    agent_id: str = attrs.field(default="", eq=False)
    """The receiver."""

    sequence: int = attrs.field(default=0, eq=False)
    """The number of the message: `Delivery.sequence`."""

    reply: Any = attrs.field(default=None, eq=False)
    """What `Agent.receive` returned; None if buffered."""


@final
@attrs.frozen(kw_only=True)
class Delivery:
    """What a receiver is told of the message in hand.

    Example:
        >>> Delivery(agent_id="ann", message="hello", sequence=7).is_redelivery
        False
    """

    agent_id: str
    """The receiver."""

    message: object
    """The message."""

    sender: str | None = None
    """The sender, if told."""

    sequence: int
    """Its number among the messages to this receiver, from 1, the same when it is delivered again.
    Another coordinator counts anew, as does one whose receiver was gone."""

    key: str | None = None
    """The idempotency key, if any."""

    attempt: int = 1
    """Which attempt this is, from 1."""

    is_redelivery: bool = False
    """Whether it may have been handled before: a handler began it, and did not acknowledge it."""


@final
@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that waited, and is not delivered.

    Example:
        >>> DeadLetter(agent_id="ann", message="hello", sequence=7, reason="expired").outcome
        'not_done'
    """

    agent_id: str
    """The receiver."""

    message: Any
    """The message."""

    sender: str | None = None
    """The sender, if told."""

    sequence: int
    """Its number: `Delivery.sequence`."""

    key: str | None = None
    """The idempotency key, if any."""

    attempts: int = 0
    """How many there were."""

    reason: DeadLetterReason
    """Why."""

    outcome: DeliveryOutcome = "not_done"
    """Whether it may have been handled all the same."""

    error: BaseException | None = None
    """What the last attempt failed with, if any."""


@final
class Parcel:
    """A message on its way; each attempt has its own, which a late handler still sees."""

    __slots__ = (
        "accepted_at",
        "agent_id",
        "attempt",
        "error",
        "has_begun",
        "is_redelivery",
        "is_sent",
        "key",
        "message",
        "sender",
        "sequence",
    )

    def __init__(
        self,
        agent_id: str,
        message: object,
        sender: str | None,
        key: str | None,
        accepted_at: float,
    ) -> None:
        self.agent_id: str = agent_id
        self.message: object = message
        self.sender: str | None = sender
        self.key: str | None = key
        self.accepted_at: float = accepted_at
        """When its sender gave it, in seconds."""
        self.sequence: int = 0
        self.attempt: int = 1
        self.is_redelivery: bool = False
        self.is_sent: bool = False
        """Whether the breaker has let this attempt through."""
        self.has_begun: bool = False
        """Whether a handler has begun it, in this attempt."""
        self.error: BaseException | None = None
        """What the attempt before failed with."""

    def again(self, error: BaseException | None) -> Parcel:
        """Return it for the next attempt."""
        following = Parcel(self.agent_id, self.message, self.sender, self.key, self.accepted_at)
        following.sequence = self.sequence
        following.attempt = self.attempt + self.is_sent
        following.is_redelivery = self.outcome == "unknown"
        following.error = None if error is None else _without_frames(error)
        self.error = None  # or each would hold all those before it
        return following

    @property
    def outcome(self) -> DeliveryOutcome:
        """What is known of it, if not acknowledged."""
        return "unknown" if self.has_begun or self.is_redelivery else "not_done"

    def delivery(self) -> Delivery:
        return Delivery(
            agent_id=self.agent_id,
            message=self.message,
            sender=self.sender,
            sequence=self.sequence,
            key=self.key,
            attempt=self.attempt,
            is_redelivery=self.is_redelivery,
        )

    def dead(self, reason: DeadLetterReason) -> DeadLetter:
        return DeadLetter(
            agent_id=self.agent_id,
            message=self.message,
            sender=self.sender,
            sequence=self.sequence,
            key=self.key,
            attempts=self.attempt - 1 + self.is_sent,
            reason=reason,
            outcome=self.outcome,
            error=self.error,
        )


def _without_frames(error: BaseException) -> BaseException:
    """Return an error less our tracebacks, whose frames hold the message and so the error."""
    cause = error.__cause__
    if cause is not None and not isinstance(cause, CallError):  # which was raised by the receiver
        cause.__traceback__ = None
    return error.with_traceback(None)
