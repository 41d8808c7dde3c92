"""The coordinator: messages to agents, and what became of them."""

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

    A slow or broken receiver delays no other.

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
        """Its name, in events."""
        return self._office.terms.name

    # Sending

    @enable_ki_protection
    async def deliver(
        self, agent_id: str, message: object, *, sender: str | None = None, key: str | None = None
    ) -> Receipt:
        """Deliver a message to an agent, and wait until the agent has handled it.

        While its circuit is open, or older messages wait, the message goes into its buffer, and
        this returns. An agent that is being started again is waited for.

        Args:
            agent_id: The receiver.
            message: The message.
            sender: Who sends it, for the receiver.
            key: An idempotency key, for a message that is sent again: it does not wait in the
                buffer twice, and `Agent.delivery` says if it may have been handled before.

        Returns:
            The receipt: ``delivered`` or ``buffered``.

        Raises:
            ReceiverNotFound: No such agent is there, or being started again.
            DeliveryTimeout: It did not acknowledge the message in time.
            DeliveryFailed: It crashed by the message, refused it, has no room, or its circuit
                opened and broke it off; see `DeliveryFailure`.
            CoordinatorClosed: The coordinator has ended, or is draining.
            TypeError: The key is no string, or what is registered is no agent.
            ValueError: The key is empty.

        Cancellation:
            Withdraws a message that no handler has begun. One that has begun goes on to its end,
            and what comes of it is not told. To the circuit a deadline of the caller is a failure,
            any other cancellation is none.

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
        """Deliver a message to all registered agents that match, at once.

        One that is being started again gets none.

        Args:
            message: One object for all.
            capability: What they can do; None for any.
            health: How they are; None for any.
            sender: As in `deliver`.
            key: As in `deliver`.

        Returns:
            For each agent id, when all have ended, a receipt, or an error that `deliver` raises.

        Raises:
            TypeError: The key is no string, or something registered is no agent.
            ValueError: The key is empty, or there is no such health.

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
        """Return what an agent answers to a call of one of its methods.

        The call goes through the agent's circuit breaker, and fails at once while that is open.

        Raises:
            CallError: What the method raised to refuse this call.
            ReceiverNotFound: As with `deliver`.
            DeliveryTimeout: It did not answer in time.
            DeliveryFailed: It crashed by the call, has no room, or its circuit is open.
            CoordinatorClosed: As with `deliver`.
            TypeError: *method* is no async method of the agent's class, or the arguments do not
                fit.

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
            async_fn: It is given each entry.
            tasks: Whose tasks these are; None for the nearest open `TaskSupervisor`.
            **options: Those of `parallel_map`, such as *limit* and *timeout*.

        Returns:
            An `Ok` or `Failed` for each entry.

        Raises:
            TaskSupervisorNotRunning: There is no task supervisor.
            TypeError: An argument of the wrong kind.
            ValueError: An option that makes no sense.

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
        """Return how many messages wait for an agent, with the one being tried; 0 if unknown."""
        lane = self._office.lanes.get(agent_id)
        return 0 if lane is None else lane.buffer.held

    def breaker(self, agent_id: str) -> CircuitBreaker:
        """Return the circuit breaker of an agent, to look at or to open by hand.

        Raises:
            ReceiverNotFound: As with `deliver`.
            CoordinatorClosed: The coordinator has ended or is draining, and does not know the
                agent yet.

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
        """Return the present figures.

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

        For the end of a program, before the agents are stopped. In `Agent.receive` an agent would
        wait for itself.

        Args:
            within: How long it may take, in seconds; the rest is given up.
            deadline: Until when, in seconds of Trio's clock, if that is earlier.

        Returns:
            What is not delivered, by receiver and in order; *on_dead_letter* is not given it.

        Raises:
            TypeError: *within* or *deadline* is no number.
            ValueError: One is NaN, or *within* is below 0.

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
