"""The block in which messages are delivered."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Unpack, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import AsyncBlock
from ..resilience import BreakerOptions
from ._coordinator import Coordinator
from ._delivery import DeadLetter
from ._post_office import PostOffice
from ._registry import AgentRegistry
from ._terms import BufferOverflow, Terms, check_terms

__all__ = ["open_coordinator"]


def open_coordinator(  # noqa: PLR0913  keywords, with defaults
    agents: AgentRegistry,
    *,
    name: str = "coordinator",
    delivery_timeout: float = 5.0,
    attempts: int = 1,
    buffer_capacity: int = 1000,
    overflow: BufferOverflow = "drop_oldest",
    max_age: float = math.inf,
    drain_rate: float = math.inf,
    drain_concurrency: int = 1,
    on_dead_letter: Callable[[DeadLetter], object] | None = None,
    **breaker: Unpack[BreakerOptions],
) -> AbstractAsyncContextManager[Coordinator]:
    """Open a block in which messages are delivered to agents.

    Each receiver has a circuit breaker. Too many failed deliveries in a row open it, and messages
    wait in a buffer until the oldest is let through to try. If that is delivered, the others
    follow in order; if not, it goes back to the head, and the circuit is open again. So an outage
    loses only what the buffer has no room for.

    Args:
        agents: The registry of the receivers.
        name: The coordinator's name, in events.
        delivery_timeout: How long a receiver has for one attempt, in seconds, the wait in its
            mailbox included.
        attempts: How many are made before the sender is told of a failure.
        buffer_capacity: How many messages may wait for one receiver, at least 1.
        overflow: What happens to one more: the oldest becomes a dead letter (``drop_oldest``), the
            new one fails (``reject``), or its sender waits for room, for *delivery_timeout*
            (``block``).
        max_age: How old, in seconds, a message that waits may become; looked at between deliveries
            to its receiver.
        drain_rate: Buffered messages sent to a receiver in a second, at most.
        drain_concurrency: How many of them at once, at most; above 1 they may change their order.
        on_dead_letter: A plain function that is given each `DeadLetter`; what it raises is logged
            and ignored.
        **breaker: Options of each receiver's `CircuitBreaker`. By default a failure is a crash, a
            stop, a timeout or a full mailbox, not a `CallError`. *counts* is asked about
            `CallFailed`, `CallError`, `MailboxFull`, `ServerGone` and `DeliveryTimeout`; what it
            raises goes to the sender, or, for a message that waits, ends the block.

    Returns:
        The block, for ``async with``; it gives a `Coordinator`.

    Raises:
        TypeError: An option of the wrong kind, or unknown.
        ValueError: An option that makes no sense.

    Cancellation:
        Entering is no checkpoint. What waits when the block ends is handed to *on_dead_letter*; to
        have it delivered call `Coordinator.drain` before. Deliveries by tasks outside the block
        come to their end.

    Emits:
        MessageDelivered, MessageBuffered, MessageDeadLettered, BufferDrained; and those of the
        breakers.

    Example:
        >>> import trio
        >>> from trio_foundation.messaging import serve
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Shout(Agent):
        ...     async def receive(self, message, *, sender=None):
        ...         return message.upper()
        >>> async def main():
        ...     agents = AgentRegistry()
        ...     spec = agents.register_on_start("ann", serve(Shout, capacity=9), capability="shout")
        ...     async with open_supervisor([spec]):
        ...         async with open_coordinator(agents, buffer_capacity=100) as coordinator:
        ...             print((await coordinator.deliver("ann", "hello")).reply)
        >>> trio.run(main)
        HELLO
    """
    if not isinstance(agents, AgentRegistry):
        raise TypeError(
            f"open_coordinator takes the AgentRegistry of the agents, not {agents!r}: write "
            "open_coordinator(AgentRegistry())"
        )
    terms = Terms(
        name=name,
        delivery_timeout=delivery_timeout,
        attempts=attempts,
        buffer_capacity=buffer_capacity,
        overflow=overflow,
        max_age=max_age,
        drain_rate=drain_rate,
        drain_concurrency=drain_concurrency,
        on_dead_letter=on_dead_letter,
        breaker=breaker,
    )
    return _Block(agents, check_terms(terms))


@final
class _Block(AsyncBlock[Coordinator]):
    opens = "a coordinator"

    def __init__(self, agents: AgentRegistry, terms: Terms) -> None:
        self._agents = agents
        self._terms = terms
        self._office: PostOffice | None = None
        self._nursery: trio.Nursery | None = None
        self._manager = trio.open_nursery()

    @enable_ki_protection
    async def __aenter__(self) -> Coordinator:
        if self._nursery is not None:
            raise RuntimeError("a block is entered once: call open_coordinator again")
        self._nursery = await self._manager.__aenter__()
        self._office = PostOffice(self._agents, self._terms, self._nursery)
        return Coordinator(self._office)

    @enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        assert self._nursery is not None
        assert self._office is not None
        office = self._office
        office.stop()
        # No task in there raises, and what cancels the body does not concern its own errors.
        self._nursery.cancel_scope.shield = True
        self._nursery.cancel_scope.cancel(reason=f"coordinator {office.terms.name!r} has ended")
        try:
            await self._manager.__aexit__(None, None, None)
        finally:
            office.close()
        if office.failure is not None:
            raise office.failure
        return False
