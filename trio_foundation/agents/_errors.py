"""What a delivery fails with."""

from __future__ import annotations

from typing import Literal, TypeAlias, final

from .._base import FoundationError, seconds_in_words, told
from ._delivery import DeliveryOutcome

__all__ = [
    "CoordinatorClosed",
    "DeliveryError",
    "DeliveryFailed",
    "DeliveryFailure",
    "DeliveryTimeout",
    "ReceiverNotFound",
]

DeliveryFailure: TypeAlias = Literal[
    "crashed",
    "stopped",
    "refused",
    "mailbox_full",
    "buffer_full",
    "circuit_open",
    "broken_off",
    "self_call",
]
"""Why a delivery failed: its receiver ``crashed`` or was ``stopped`` while it handled the message,
or ``refused`` it with a `CallError`; its mailbox, or the buffer before it, is full; its circuit is
open, for a request; the circuit opened and broke it off; or the receiver sent it to itself, and
would wait for ever."""

_IN_WORDS: dict[DeliveryFailure, str] = {
    "crashed": "it crashed while it handled the message",
    "stopped": "it was stopped while it handled the message",
    "refused": "it refused the message",
    "mailbox_full": "its mailbox is full",
    "buffer_full": "its circuit is open, and the buffer for it is full",
    "circuit_open": "its circuit is open",
    "broken_off": "its circuit opened meanwhile, which broke the delivery off",
    "self_call": "it sends to itself, and would wait for ever: let it call its own method, or "
    "`cast` to itself",
}


class DeliveryError(FoundationError):
    """The base class of what a delivery fails with.

    Example:
        >>> issubclass(ReceiverNotFound, DeliveryError)
        True
    """

    agent_id: str
    """The receiver."""

    outcome: DeliveryOutcome
    """Whether the message may have been handled all the same. If ``unknown``, send it again only
    under the same key."""

    def __init__(self, agent_id: str, outcome: DeliveryOutcome = "not_done") -> None:
        super().__init__(agent_id, outcome)
        self.agent_id = agent_id
        self.outcome = outcome

    def __str__(self) -> str:
        return f"the message to agent {self.agent_id!r} is not delivered"

    def _in_doubt(self) -> str:
        return "; the message may have been handled" if self.outcome == "unknown" else ""


@final
class ReceiverNotFound(DeliveryError):
    """No agent of that id is registered, or being started again.

    Example:
        >>> print(ReceiverNotFound("ann"))
        there is no agent 'ann': it is not registered, or is gone
    """

    def __str__(self) -> str:
        return f"there is no agent {self.agent_id!r}: it is not registered, or is gone"


@final
class DeliveryTimeout(DeliveryError):
    """The receiver did not acknowledge the message in time.

    Example:
        >>> print(DeliveryTimeout("ann", 5.0))
        agent 'ann' did not acknowledge the message within 5 s
    """

    seconds: float
    """How long it had, in seconds."""

    def __init__(
        self, agent_id: str, seconds: float, outcome: DeliveryOutcome = "not_done"
    ) -> None:
        super().__init__(agent_id, outcome)
        FoundationError.__init__(self, agent_id, seconds, outcome)  # what it is pickled as
        self.seconds = seconds

    def __str__(self) -> str:
        time = seconds_in_words(self.seconds)
        return f"agent {self.agent_id!r} did not acknowledge the message within {time}" + (
            self._in_doubt()
        )


@final
class DeliveryFailed(DeliveryError):
    """The message is not delivered, or not acknowledged. Its ``__cause__`` tells more.

    Example:
        >>> print(DeliveryFailed("ann", "refused"))
        the message to agent 'ann' is not delivered: it refused the message
    """

    reason: DeliveryFailure
    """Why."""

    def __init__(
        self, agent_id: str, reason: DeliveryFailure, outcome: DeliveryOutcome = "not_done"
    ) -> None:
        super().__init__(agent_id, outcome)
        FoundationError.__init__(self, agent_id, reason, outcome)  # as above
        self.reason = reason

    def __str__(self) -> str:
        cause = self.__cause__
        if self.reason == "crashed" and cause is not None:
            cause = cause.__cause__  # by what, rather than that it has
        tells_more = cause is not None and self.reason != "self_call"
        more = f" ({told(cause)})" if tells_more else ""
        return f"{super().__str__()}: {_IN_WORDS[self.reason]}{more}"


@final
class CoordinatorClosed(DeliveryError):
    """The coordinator has ended, or is draining, and takes no more messages.

    Example:
        >>> print(CoordinatorClosed("ann"))
        the message to agent 'ann' is not delivered: the coordinator takes no more messages
    """

    def __str__(self) -> str:
        return f"{super().__str__()}: the coordinator takes no more messages"
