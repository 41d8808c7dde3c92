"""The coordinator: messages to agents, acknowledged, or told what became of them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack, cast, final, get_args

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, enable_ki_protection

from .._base import check_choice, check_name, check_seconds
from ..messaging import Ref
from ..registry import Criterion, Entry
from ..resilience import CircuitBreaker
from ..tasks import Failed, MapOptions, Ok, TaskSupervisor, open_task_supervisor, parallel_map
from ._agent import Agent
from ._attempt import ask
from ._delivery import DeadLetter, Parcel, Receipt
from ._errors import CoordinatorClosed, DeliveryError, DeliveryFailed, ReceiverNotFound
from ._post_office import PostOffice
from ._registry import Health
from ._statistics import CoordinatorStatistics

__all__ = ["Coordinator"]

AgentT = TypeVar("AgentT", bound=Agent)
P = ParamSpec("P")
R = TypeVar("R")


@final
class Coordinator:
    """Brings messages to agents; what `open_coordinator` gives.

    Each receiver has a circuit breaker and a buffer of its own, so a slow or broken one is no
    concern of the others.

    Example:
        >>> import trio
        >>> from trio_foundation.messaging import serve
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Counter(Agent):
        ...     async def receive(self, message, *, sender=None):
        ...         return len(message)
        >>> async def main():
        ...     agents = AgentRegistry()
        ...     spec = agents.register_on_start("ann", serve(Counter, capacity=9), capability="count")
        ...     async with open_supervisor([spec]), open_coordinator(agents) as coordinator:
        ...         print(await coordinator.deliver("ann", "hello"))
        >>> trio.run(main)
        Receipt(status='delivered', agent_id='ann', sequence=1, reply=5)
    """

    __slots__ = ("__weakref__", "_office")

    def __init__(self, office: PostOffice) -> None:
        self._office = office

    def __repr__(self) -> str:
        return f"<Coordinator {self.name!r}, {len(self._office.lanes)} receivers>"

    @property
    def name(self) -> str:
        """What it is called, in events."""
        return self._office.terms.name

    # Sending

    @enable_ki_protection
    async def deliver(
        self, agent_id: str, message: object, *, sender: str | None = None, key: str | None = None
    ) -> Receipt:
        """Deliver a message to an agent, and wait until the agent has handled it.

        While the agent's circuit is open, or older messages wait for it, the message goes into the
        agent's buffer, and this returns at once. An agent that is being started again is waited for.

        Args:
            agent_id: The id of the receiver.
            message: The message.
            sender: Who sends it, for the receiver.
            key: An idempotency key, which tells a message that is sent again from a new one: it does
                not wait in the buffer twice, and if it may have been handled before, `Agent.delivery`
                says so.

        Returns:
            The receipt: ``delivered`` or ``buffered``.

        Raises:
            ReceiverNotFound: If there is no such agent, and none that is being started again.
            DeliveryTimeout: If it did not acknowledge the message in time.
            DeliveryFailed: If it crashed by the message or refused it, if its mailbox or buffer is
                full, or if the circuit opened and broke it off.
            CoordinatorClosed: If the coordinator has ended, or is draining.
            TypeError: If the key is no string, or what is registered is no agent.

        Cancellation:
            Withdraws a message that no handler has begun. One that has begun goes on to its end, and
            what comes of it is not told. To the circuit a deadline of the caller is a failure, any
            other cancellation is none.

        Emits:
            MessageDelivered, MessageBuffered, MessageDeadLettered.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_coordinator(AgentRegistry()) as coordinator:
            ...         try:
            ...             await coordinator.deliver("ann", "hello")
            ...         except DeliveryError as error:
            ...             print(error)
            >>> trio.run(main)
            there is no agent 'ann': it is not registered, or is gone
        """
        await checkpoint_if_cancelled()
        if key is not None:
            check_name("key", key)
        try:
            lane, ref = self._office.find(agent_id)
        except (ReceiverNotFound, CoordinatorClosed):
            await cancel_shielded_checkpoint()
            raise
        parcel = Parcel(agent_id, message, sender, key, trio.current_time())
        return await self._office.deliver(lane, ref, parcel)

    @enable_ki_protection
    async def broadcast(
        self,
        message: object,
        *,
        capability: str | None = None,
        health: Health | None = None,
        sender: str | None = None,
        key: str | None = None,
    ) -> dict[str, Receipt | DeliveryError]:
        """Deliver a message to all registered agents, or to those of one capability, all at once.

        One that is being started again is not registered.

        Args:
            message: The message, one object for all.
            capability: What they can do; None for anything.
            health: How they are; None for any health.
            sender: Who sends it, for the receivers.
            key: An idempotency key; see `deliver`.

        Returns:
            For each agent id, when all have ended, a receipt, or an error that `deliver` raises.

        Raises:
            TypeError: If the key is no string, or something registered is no agent.
            ValueError: If there is no such health.

        Cancellation:
            As with `deliver`, for each that has not ended.

        Emits:
            MessageDelivered, MessageBuffered, MessageDeadLettered.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_coordinator(AgentRegistry()) as coordinator:
            ...         print(await coordinator.broadcast("hello", capability="count"))
            >>> trio.run(main)
            {}
        """
        await checkpoint_if_cancelled()
        if key is not None:
            check_name("key", key)
        if health is not None:
            check_choice("health", health, get_args(Health))
        agents = self._office.agents
        if capability is None:
            entries = agents.find() if health is None else agents.find(health=health)
        else:
            entries = agents.find_capable(capability, health=health)
        receivers = [entry.key for entry in entries]

        async def send(agent_id: str) -> Receipt | DeliveryError:
            try:
                return await self.deliver(agent_id, message, sender=sender, key=key)
            except DeliveryError as error:
                return error

        async with open_task_supervisor(name=f"broadcast of {self.name}") as tasks:
            results = await parallel_map(send, receivers, limit=math.inf, tasks=tasks)
        return {result.item: result.unwrap() for result in results}

    @enable_ki_protection
    async def request(
        self,
        agent_id: str,
        method: Callable[Concatenate[AgentT, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what an agent answers to a call of one of its methods, such as ``Counter.count``.

        The call goes through the agent's circuit breaker. While the circuit is open it fails at once,
        rather than wait in a buffer.

        Raises:
            CallError: What the method raised to refuse this call.
            ReceiverNotFound: If there is no such agent, and none that is being started again.
            DeliveryTimeout: If it did not answer in time.
            DeliveryFailed: If it crashed by the call, has no room, or its circuit is open.
            CoordinatorClosed: If the coordinator has ended, or is draining.
            TypeError: If *method* is no async method of the agent's class, or the arguments do not fit.

        Cancellation:
            As with `deliver`.

        Example:
            >>> import trio
            >>> from trio_foundation.messaging import serve
            >>> from trio_foundation.supervision import open_supervisor
            >>> class Divider(Agent):
            ...     async def divide(self, a, b):
            ...         return a / b
            >>> async def main():
            ...     agents = AgentRegistry()
            ...     spec = agents.register_on_start("ann", serve(Divider, capacity=9), capability="/")
            ...     async with open_supervisor([spec]), open_coordinator(agents) as coordinator:
            ...         print(await coordinator.request("ann", Divider.divide, 6, b=2))
            >>> trio.run(main)
            3.0
        """
        await checkpoint_if_cancelled()
        try:
            lane, ref = self._office.find(agent_id)
        except (ReceiverNotFound, CoordinatorClosed):
            await cancel_shielded_checkpoint()
            raise
        if lane.buffer.held and lane.breaker.state == "half_open":
            await cancel_shielded_checkpoint()  # the head of the buffer is the next probe
            raise DeliveryFailed(agent_id, "circuit_open")
        typed: Ref[Any] = ref
        call = cast("Callable[[], Awaitable[R]]", partial(typed.call, method, *args, **kwargs))
        try:
            return await ask(lane.breaker, agent_id, call, self._office.terms.delivery_timeout)
        finally:
            lane.wake()

    @enable_ki_protection
    async def parallel_map_agents(
        self,
        criteria: Iterable[str | Criterion],
        async_fn: Callable[[Entry[str, Ref[Agent]]], Awaitable[R]],
        /,
        *,
        tasks: TaskSupervisor | None = None,
        **options: Unpack[MapOptions],
    ) -> list[Ok[Entry[str, Ref[Agent]], R] | Failed[Entry[str, Ref[Agent]]]]:
        """Put all agents that match through a function, some at a time.

        Args:
            criteria: What they can do, as strings, and criteria made by `where`.
            async_fn: The function, given the entry of each.
            tasks: Whose tasks these are; None for the nearest open block of `open_task_supervisor`.
            **options: The options of `parallel_map`: *limit*, *timeout*, and so on.

        Returns:
            An `Ok` or `Failed` for each; its item is the entry.

        Raises:
            TaskSupervisorNotRunning: If there is no task supervisor.
            TypeError: If an argument is of the wrong kind.
            ValueError: If an option makes no sense.

        Cancellation:
            Cancels the calls under way, and returns no results.

        Emits:
            TaskStarted, TaskFinished.

        Example:
            >>> import trio
            >>> from trio_foundation.tasks import open_task_supervisor
            >>> async def name(entry):
            ...     return entry.key
            >>> async def main():
            ...     async with open_coordinator(AgentRegistry()) as coordinator:
            ...         async with open_task_supervisor():
            ...             print(await coordinator.parallel_map_agents(["count"], name))
            >>> trio.run(main)
            []
        """
        entries = self._office.agents.find(all_of=criteria)
        return await parallel_map(async_fn, entries, tasks=tasks, **options)

    # Looking

    def buffered(self, agent_id: str) -> int:
        """Return how many messages wait for an agent, with the one being tried; 0 if it is unknown."""
        lane = self._office.lanes.get(agent_id)
        return 0 if lane is None else lane.buffer.held

    def breaker(self, agent_id: str) -> CircuitBreaker:
        """Return the circuit breaker of an agent, to look at it or to open it by hand.

        Raises:
            ReceiverNotFound: If there is no such agent.
            CoordinatorClosed: If the coordinator has ended.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_coordinator(AgentRegistry()) as coordinator:
            ...         try:
            ...             coordinator.breaker("ann").force_open()
            ...         except ReceiverNotFound as error:
            ...             print(error.agent_id)
            >>> trio.run(main)
            ann
        """
        lane = self._office.lanes.get(agent_id)
        if lane is not None:
            return lane.breaker
        return self._office.find(agent_id)[0].breaker

    def statistics(self) -> CoordinatorStatistics:
        """Return the figures, as they are now.

        Raises:
            RuntimeError: Outside the Trio run.
        """
        return self._office.statistics()

    # The end

    @enable_ki_protection
    async def drain(
        self, within: float = math.inf, *, deadline: float = math.inf
    ) -> list[DeadLetter]:
        """Take no more messages, and wait until those in the buffers are delivered.

        For the end of a program, before the agents are stopped. In `Agent.receive` an agent would wait
        for itself.

        Args:
            within: How long it may take, in seconds; what is not delivered then is given up.
            deadline: Until when it may take, in seconds of Trio's clock, if that is earlier.

        Returns:
            What is not delivered, by receiver and in order; *on_dead_letter* is not given it.

        Raises:
            TypeError: If *within* or *deadline* is no number.
            ValueError: If one of them is NaN, or *within* is below 0.

        Cancellation:
            No more messages are taken. Those in the buffers are delivered while the coordinator is
            open, and are dead letters then.

        Emits:
            MessageDelivered, MessageDeadLettered, BufferDrained.

        Example:
            >>> import trio
            >>> async def main():
            ...     async with open_coordinator(AgentRegistry()) as coordinator:
            ...         print(await coordinator.drain())
            >>> trio.run(main)
            []
        """
        await checkpoint_if_cancelled()
        check_seconds("within", within)
        _check_deadline(deadline)
        return await self._office.drain(min(trio.current_time() + within, deadline))


def _check_deadline(deadline: object) -> None:
    if not isinstance(deadline, float | int) or isinstance(deadline, bool):
        raise TypeError(
            f"deadline must be a time, in seconds, not {deadline!r}: write "
            "deadline=trio.current_time() + 10"
        )
    if math.isnan(deadline):
        raise ValueError(f"deadline must be a time, in seconds, not {deadline!r}")
