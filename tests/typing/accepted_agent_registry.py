"""What type checkers have to accept of a registry of agents, and what they find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, assert_type

from trio_foundation.agents import (
    Agent,
    AgentChange,
    AgentDown,
    AgentRegistry,
    AgentUp,
    Health,
    RegisterAgent,
    UnregisterAgent,
    UpdateAgent,
    change_serially,
)
from trio_foundation.messaging import Ref, Served, serve
from trio_foundation.registry import Entry, Registered, Unregistered, Updated, where
from trio_foundation.supervision import Child, ChildSpec
from trio_foundation.telemetry import subscribe
from trio_foundation.workflows import SerialOperations

AgentEntry = Entry[str, Ref[Agent]]


class Sorter(Agent):
    async def receive(self, message: object, *, sender: str | None = None) -> str:
        return f"{message}"


def comes_and_goes(
    agents: AgentRegistry, ref: Ref[Sorter], served: Served[Sorter], owner: Child[Any]
) -> None:
    block = agents.register("ann", ref, capability="sort", owner=owner, cost=3)
    assert_type(block, AbstractContextManager[AgentEntry])
    with agents.register("bob", ref, capability={"sort"}, resources={"load": 0.5}) as entry:
        assert_type(entry.value, Ref[Agent])
    assert_type(agents.register_on_start("joe", served, capability=["sort"]), ChildSpec)
    assert_type(
        agents.register_on_start("eve", serve(Sorter, capacity=1), capability=""), ChildSpec
    )
    entries = agents.batch_register(
        [
            RegisterAgent("ann", ref, capability="sort", health="degraded"),
            ("bob", ref, {"capability": "sort"}),
            {"agent_id": "joe", "ref": ref, "capability": "sort"},
        ]
    )
    assert_type(entries, list[AgentEntry])
    assert_type(agents.update("ann", node="b"), AgentEntry)
    assert_type(agents.set_health("ann", "degraded"), AgentEntry)
    agents.unregister("ann")


async def looks(agents: AgentRegistry) -> None:
    assert_type(agents.find_capable("sort", health=None), list[AgentEntry])
    assert_type(agents.find(all_of=["sort", where("node") == "a"], node="b"), list[AgentEntry])
    assert_type(agents.least_loaded("sort", 3, by="cost"), list[AgentEntry])
    assert_type(agents.with_resources(memory=(0.5, None)), list[AgentEntry])
    assert_type(agents.health_summary(), dict[Health, int])
    assert_type(agents.count_by_capability(), dict[str, int])
    assert_type(agents.ref_of("ann"), Ref[Agent] | None)
    assert_type(await agents.wait_for("ann"), AgentEntry)
    for agent_id in agents:
        assert_type(agent_id, str)


def hears(agents: AgentRegistry) -> None:
    def change(event: Registered | Updated | Unregistered) -> None: ...

    def gone(agent_id: str) -> None: ...

    def up(event: AgentUp | AgentDown) -> None: ...

    assert_type(agents.on_change(change), Callable[[], None])
    assert_type(agents.on_gone(gone), Callable[[], None])
    with subscribe(up, AgentUp, AgentDown):
        pass


async def changes(agents: AgentRegistry, serial: SerialOperations, ref: Ref[Sorter]) -> None:
    todo: list[AgentChange] = [RegisterAgent("ann", ref, capability="sort"), UnregisterAgent("bob")]
    undo = await change_serially(serial, agents, [*todo, UpdateAgent("joe", {"node": "a"})])
    assert_type(undo, list[AgentChange])
