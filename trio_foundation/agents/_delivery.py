"""A message on its way: what its sender, its receiver and whoever finds it undelivered are told."""

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
"""What became of a message so far: its receiver has handled it, or it waits for it."""

DeliveryOutcome: TypeAlias = Literal["not_done", "unknown"]
"""What is known of a message that was not acknowledged: no handler has begun it, or one has, and
nobody knows how far it came."""

DeadLetterReason: TypeAlias = Literal["overflow", "expired", "gone", "refused", "closed"]
"""Why a message that waited is not delivered: there was no room for it any more, it was too old,
its receiver is gone for good or has refused it, or the coordinator has ended."""


@final
@attrs.frozen
class Receipt:
    """What `Coordinator.deliver` returns. Two are equal if they have the same status.

    Example:
        >>> Receipt("delivered", "ann", 1, reply=42).status
        'delivered'
    """

    status: ReceiptStatus
    """``delivered``: the receiver has handled it. ``buffered``: it waits until the receiver's
    circuit closes."""

    agent_id: str = attrs.field(default="", eq=False)
    """The receiver."""

    sequence: int = attrs.field(default=0, eq=False)
    """The number of the message among those to this receiver, from 1."""

    reply: Any = attrs.field(default=None, eq=False)
    """What the receiver's `Agent.receive` returned; None if the message is buffered."""


@final
@attrs.frozen(kw_only=True)
class Delivery:
    """What a receiver is told of the message in hand.

    Example:
        >>> Delivery(agent_id="ann", message="hello", sequence=7).is_redelivery
        False
    """

    agent_id: str
    """What the receiver is registered as."""

    message: object
    """The message."""

    sender: str | None = None
    """Who sends it, if that was said."""

    sequence: int
    """The number of the message among those to this receiver, from 1. It stays the same when the
    message is delivered again. Another coordinator counts anew, and so does one whose receiver
    was gone."""

    key: str | None = None
    """The idempotency key, if it was given one."""

    attempt: int = 1
    """Which attempt this is to deliver it, from 1."""

    is_redelivery: bool = False
    """Whether it may have been handled before: a handler had begun it, and did not acknowledge
    it."""


@final
@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that waited, and is not delivered.

    Example:
        >>> DeadLetter(agent_id="ann", message="hello", sequence=7, reason="expired").outcome
        'not_done'
    """

    agent_id: str
    """Whom it was for."""

    message: Any
    """The message."""

    sender: str | None = None
    """Who sent it, if that was said."""

    sequence: int
    """The number of the message among those to this receiver."""

    key: str | None = None
    """The idempotency key, if it was given one."""

    attempts: int = 0
    """How many attempts there were to deliver it."""

    reason: DeadLetterReason
    """Why it is not delivered."""

    outcome: DeliveryOutcome = "not_done"
    """Whether a handler may have handled it all the same."""

    error: BaseException | None = None
    """What the last attempt failed with, if there was one."""


@final
class Parcel:
    """A message on its way.

    A further attempt has another one, so that a handler that is late still sees its own.
    """

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
        """Return it as it is for the next attempt, if this one has failed.

        Args:
            error: What it has failed with.
        """
        following = Parcel(self.agent_id, self.message, self.sender, self.key, self.accepted_at)
        following.sequence = self.sequence
        following.attempt = self.attempt + self.is_sent
        following.is_redelivery = self.outcome == "unknown"
        following.error = None if error is None else _without_frames(error)
        self.error = None  # or each would hold all those before it
        return following

    @property
    def outcome(self) -> DeliveryOutcome:
        """What is known of it, if it was not acknowledged."""
        return "unknown" if self.has_begun or self.is_redelivery else "not_done"

    def delivery(self) -> Delivery:
        """Return what its receiver is told."""
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
        """Return it as a message that is not delivered.

        Args:
            reason: Why.
        """
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
    """Return an error less the tracebacks that are ours.

    Their frames hold the message that the error is kept with, and so the error itself.
    """
    cause = error.__cause__
    if cause is not None and not isinstance(cause, CallError):  # which was raised by the receiver
        cause.__traceback__ = None
    return error.with_traceback(None)
