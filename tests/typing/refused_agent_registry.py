"""What type checkers have to refuse of a registry of agents; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.agents import Agent, AgentRegistry, RegisterAgent, change_serially
from trio_foundation.messaging import Ref, Served, Server
from trio_foundation.workflows import SerialOperations


def comes_and_goes(
    agents: AgentRegistry, ref: Ref[Agent], served: Served[Agent], other: Ref[Server]
) -> None:
    agents.register("ann", ref)  # type: ignore[call-arg]
    agents.register("ann", other, capability="sort")  # type: ignore[arg-type]
    agents.register(3, ref, capability="sort")  # type: ignore[arg-type]
    agents.register("ann", ref, capability=3)  # type: ignore[arg-type]
    agents.register("ann", ref, capability="sort", health="ok")  # type: ignore[arg-type]
    agents.register("ann", ref, capability="sort", owner="me")  # type: ignore[arg-type]
    agents.register_on_start("ann", ref, capability="sort")  # type: ignore[arg-type]
    agents.register_on_start("ann", served)  # type: ignore[call-arg]
    agents.set_health("ann", "ok")  # type: ignore[arg-type]
    agents.batch_register([("ann", ref)])  # type: ignore[list-item]


async def looks(agents: AgentRegistry, serial: SerialOperations) -> None:
    agents.find_capable("sort", health="ok")  # type: ignore[arg-type]
    agents.find(all_of=[3])  # type: ignore[list-item]
    agents.with_resources(memory=0.5)  # type: ignore[arg-type]
    agents.least_loaded("sort", by=3)  # type: ignore[arg-type]
    print(agents.ref_of("ann").name)  # type: ignore[union-attr]  # noqa: T201
    await change_serially(serial, agents, ["ann"])  # type: ignore[list-item]
    RegisterAgent("ann")  # type: ignore[call-arg]
