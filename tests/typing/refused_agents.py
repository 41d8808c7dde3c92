"""What type checkers have to refuse of agents; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.agents import (
    Agent,
    AgentRegistry,
    Coordinator,
    DeadLetter,
    DeliveryFailed,
    Receipt,
    RegisterAgent,
    UnregisterAgent,
    UpdateAgent,
    change_serially,
    open_coordinator,
)
from trio_foundation.messaging import Ref, Server, serve
from trio_foundation.registry import where
from trio_foundation.workflows import SerialOperations


class Counter(Agent):
    """Counts, if it is asked."""

    async def increment(self, by: int = 1) -> int:
        return by

    async def rename(self, name: str) -> str:
        return name

    def peek(self) -> int:
        return 0


class NoAgent(Server):
    """Takes no messages of a coordinator."""

    async def increment(self) -> int:
        return 0


def is_written() -> None:
    class PlainReceiver(Agent):  # pyright: ignore[reportUnusedClass]
        """Does not wait."""

        def receive(self, message: object, *, sender: str | None = None) -> object:  # type: ignore[override]
            return message


# More of it is in refused_agent_registry.py.
def comes_and_goes(agents: AgentRegistry, ref: Ref[Counter]) -> None:
    agents.register("ann", ref, "count")  # type: ignore[call-arg]
    agents.register("ann", ref, capability="count", health="ok")  # type: ignore[arg-type]
    agents.register("ann", ref, capability="count", node=3)  # type: ignore[arg-type]
    agents.register("ann", ref, capability="count", resources=["load"])  # type: ignore[arg-type]
    agents.register_on_start("ann", Counter, capability="count")  # type: ignore[arg-type]
    agents.register_on_start("ann", serve(NoAgent, capacity=1), capability="a")  # type: ignore[arg-type]
    agents.set_health("ann", "ok")  # type: ignore[arg-type]
    agents.unregister(7)  # type: ignore[arg-type]
    RegisterAgent("ann", ref, capability="count", health="ok")  # type: ignore[arg-type]


def opens(agents: AgentRegistry) -> None:
    open_coordinator()  # type: ignore[call-arg]
    open_coordinator({})  # type: ignore[arg-type]
    open_coordinator(agents, overflow="drop_newest")  # type: ignore[arg-type]
    open_coordinator(agents, buffer_capacity="many")  # type: ignore[arg-type]
    open_coordinator(agents, buffer_size=10)  # type: ignore[call-arg]
    open_coordinator(agents, failure_threshold="3")  # type: ignore[arg-type]
    open_coordinator(agents, nursery=None)  # type: ignore[call-arg]

    def no_letter(number: int) -> None:
        pass

    open_coordinator(agents, on_dead_letter=no_letter)  # type: ignore[arg-type]
    with open_coordinator(agents):  # type: ignore[attr-defined]
        pass


async def delivers(coordinator: Coordinator) -> None:
    await coordinator.deliver("ann")  # type: ignore[call-arg]
    await coordinator.deliver(7, "hello")  # type: ignore[arg-type]
    await coordinator.deliver("ann", "hello", "bob")  # type: ignore[call-arg]
    await coordinator.deliver("ann", "hello", key=7)  # type: ignore[arg-type]
    coordinator.deliver("ann", "hello")  # type: ignore[unused-coroutine]
    await coordinator.broadcast("hello", health="ok")  # type: ignore[arg-type]
    await coordinator.drain("soon")  # type: ignore[arg-type]


async def requests(coordinator: Coordinator) -> None:
    await coordinator.request("ann", Counter.increment, "2")  # type: ignore[arg-type]
    await coordinator.request("ann", Counter.increment, 1, 2)  # type: ignore[call-arg]
    await coordinator.request("ann", Counter.increment, of=2)  # type: ignore[call-arg]
    await coordinator.request("ann", Counter.rename)  # type: ignore[call-arg]
    await coordinator.request("ann", Counter.peek)  # type: ignore[arg-type]
    await coordinator.request("ann", NoAgent.increment)  # type: ignore[type-var]
    await coordinator.request("ann", "increment")  # type: ignore[arg-type]
    text: str = await coordinator.request("ann", Counter.increment)  # type: ignore[arg-type]
    print(text)  # noqa: T201


async def maps(coordinator: Coordinator) -> None:
    async def no_entry(number: int) -> int:
        return number

    await coordinator.parallel_map_agents(["count"], no_entry)  # type: ignore[arg-type]
    await coordinator.parallel_map_agents([where("load")], print)  # type: ignore[list-item, arg-type]


async def changes(serial: SerialOperations, agents: AgentRegistry) -> None:
    await change_serially(agents, serial, [])  # type: ignore[arg-type]
    await change_serially(serial, agents, ["ann"])  # type: ignore[list-item]
    await change_serially(serial, agents, UnregisterAgent("ann"))  # type: ignore[arg-type]
    UpdateAgent("ann", ["health"])  # type: ignore[arg-type]


def is_told(receipt: Receipt, letter: DeadLetter) -> None:
    receipt.status = "delivered"  # type: ignore[misc]
    letter.message = None  # type: ignore[misc]
    Receipt("sent")  # type: ignore[arg-type]
    DeliveryFailed("ann", "exploded")  # type: ignore[arg-type]
