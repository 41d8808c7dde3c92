"""What type checkers have to accept of agents, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal, assert_type

from trio_foundation.agents import (
    Agent,
    AgentChange,
    AgentChangeFailed,
    AgentEntry,
    AgentRegistry,
    AnsweredKeys,
    Coordinator,
    CoordinatorStatistics,
    DeadLetter,
    DeadLetterReason,
    Delivery,
    DeliveryError,
    DeliveryFailed,
    DeliveryFailure,
    DeliveryOutcome,
    DeliveryTimeout,
    Health,
    Receipt,
    ReceiptStatus,
    ReceiverStatistics,
    RegisterAgent,
    UnregisterAgent,
    UpdateAgent,
    change_serially,
    open_coordinator,
)
from trio_foundation.messaging import Ref, serve
from trio_foundation.registry import where
from trio_foundation.resilience import BreakerState, CircuitBreaker
from trio_foundation.supervision import ChildSpec
from trio_foundation.tasks import Failed, Ok, TaskSupervisor
from trio_foundation.workflows import SerialOperations


class Counter(Agent):
    """Counts, as a message or as a question."""

    def __init__(self, start: int = 0, answered: AnsweredKeys | None = None) -> None:
        self.count = start
        self.answered = answered

    async def receive(self, message: object, *, sender: str | None = None) -> int:
        assert_type(self.delivery, Delivery)
        assert_type(self.delivery.key, str | None)
        assert_type(self.delivery.is_redelivery, bool)
        return await self.increment()

    async def increment(self, by: int = 1) -> int:
        self.count += by
        return self.count

    async def rename(self, name: str, /, *, to: str | None = None) -> dict[str, str]:
        return {name: to or name}


# What is said of agents: the rest is in accepted_agent_registry.py


def registers(agents: AgentRegistry, ref: Ref[Counter]) -> None:
    agents.register("ann", ref, capability="count")
    served = serve(partial(Counter, start=5), capacity=9)
    assert_type(agents.register_on_start("ann", served, capability="count"), ChildSpec)


def as_ref_of_agents(ref: Ref[Counter]) -> Ref[Agent]:
    return ref


def healths(agents: AgentRegistry, health: Health) -> None:
    assert_type(health, Literal["healthy", "degraded", "unhealthy"])
    assert_type(agents.set_health("ann", health), AgentEntry)
    agents.set_health("ann", "unhealthy")


async def undoes(serial: SerialOperations, agents: AgentRegistry) -> None:
    try:
        await change_serially(serial, agents, [UnregisterAgent("ann")])
    except AgentChangeFailed as failure:
        assert_type(failure.undo, list[AgentChange])
        assert_type(failure.change, RegisterAgent | UnregisterAgent | UpdateAgent)


# Who gets the message


def opens(agents: AgentRegistry, bury: Callable[[DeadLetter], None]) -> None:
    assert_type(open_coordinator(agents), AbstractAsyncContextManager[Coordinator])
    open_coordinator(
        agents,
        name="post",
        delivery_timeout=2,
        attempts=3,
        buffer_capacity=100,
        overflow="block",
        max_age=math.inf,
        drain_rate=50.0,
        drain_concurrency=2,
        on_dead_letter=bury,
        failure_threshold=3,
        reset_timeout=10.0,
        half_open_max_calls=1,
    )
    letters: list[DeadLetter] = []
    open_coordinator(agents, overflow="reject", on_dead_letter=letters.append)


async def delivers(coordinator: Coordinator) -> None:
    receipt = await coordinator.deliver("ann", {"any": "thing"}, sender="bob", key="7")
    assert_type(receipt, Receipt)
    assert_type(receipt.status, ReceiptStatus)
    assert_type(receipt.sequence, int)
    assert_type(receipt.reply, Any)
    assert_type(
        await coordinator.broadcast("hello", capability="count", health="degraded"),
        dict[str, Receipt | DeliveryError],
    )


async def requests(coordinator: Coordinator) -> None:
    assert_type(await coordinator.request("ann", Counter.increment), int)
    assert_type(await coordinator.request("ann", Counter.increment, 2), int)
    assert_type(await coordinator.request("ann", Counter.increment, by=2), int)
    assert_type(await coordinator.request("ann", Counter.rename, "a", to="b"), dict[str, str])


async def maps(coordinator: Coordinator, tasks: TaskSupervisor) -> None:
    async def load(entry: AgentEntry) -> float:
        return float(entry.attributes["resources"]["load"])

    assert_type(
        await coordinator.parallel_map_agents(
            ["count", where("node") == "a"], load, limit=3, timeout=1.0, tasks=tasks
        ),
        list[Ok[AgentEntry, float] | Failed[AgentEntry]],
    )


async def fails(coordinator: Coordinator) -> None:
    try:
        await coordinator.deliver("ann", "hello")
    except DeliveryTimeout as error:
        assert_type(error.seconds, float)
        assert_type(error.outcome, DeliveryOutcome)
    except DeliveryFailed as error:
        assert_type(error.reason, DeliveryFailure)
    except DeliveryError as error:
        assert_type(error.agent_id, str)


async def figures(coordinator: Coordinator) -> None:
    told = coordinator.statistics()
    assert_type(told, CoordinatorStatistics)
    assert_type(told.dead_lettered, int)
    assert_type(told.receivers["ann"], ReceiverStatistics)
    assert_type(told.receivers["ann"].state, BreakerState)
    assert_type(coordinator.breaker("ann"), CircuitBreaker)
    assert_type(coordinator.buffered("ann"), int)
    for letter in await coordinator.drain(deadline=10.0):
        assert_type(letter, DeadLetter)
        assert_type(letter.reason, DeadLetterReason)
