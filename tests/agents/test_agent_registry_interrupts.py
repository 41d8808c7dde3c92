"""Tests of KeyboardInterrupt at any step of a registry of agents.

Run as a program, ``python -m tests.agents.test_agent_registry_interrupts FIRST STRIDE``, this sends
itself SIGINT before the n-th instruction that is run in the library, for n = FIRST,
FIRST + STRIDE and so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from trio_foundation import Backoff
from trio_foundation.agents import AgentRegistry, AgentsEvent, RegisterAgent
from trio_foundation.messaging import serve
from trio_foundation.supervision import child, current_child, open_supervisor
from trio_foundation.telemetry import subscribe

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep
from ._agents import Oops, Worker, a_ref

made: list[AgentRegistry] = []


async def owner(agents: AgentRegistry, *, task_status: trio.TaskStatus[None]) -> None:
    with counted():
        agents.register("a", a_ref(), capability="sort", owner=current_child())
        task_status.started()
        with agents.register("b", a_ref(), capability=["sort"], owner=current_child()):
            agents.update("b", health="degraded")
            await trio.sleep(1)
        raise Oops


def change(agents: AgentRegistry) -> None:
    """Change agents, while one of them is away."""
    with suppress(Oops), agents.transaction():
        agents.unregister("a")
        agents.batch_register([RegisterAgent("a", a_ref(), capability="x")])
        raise Oops
    with agents.transaction():
        agents.unregister("a")
    with agents.register("c", a_ref(), capability="sort"):
        agents.least_loaded("sort")


async def everything() -> None:
    agents = AgentRegistry(indexes=["resources.load"])
    made.append(agents)
    gone: list[str] = []
    with counted():
        served = serve(Worker, capacity=2)
        specs = [
            child(owner, agents, backoff=Backoff(initial=1, jitter=0)),
            agents.register_on_start("d", served, capability="sort"),
        ]
        agents.on_gone(gone.append)
        with subscribe(lambda event: None, AgentsEvent):
            async with open_supervisor(specs) as sup:
                served.ref.cast(Worker.receive, "crash")
                await trio.sleep(1.5)
                change(agents)
                await trio.sleep(1)
                await sup.stop_child("owner")
                sup.shutdown()


def disorder() -> list[str]:
    """Return what is wrong with the registries, as the run has ended."""
    wrong: list[str] = []
    for agents in made:
        wrong += agents._registry._book.check()
        left = (len(agents), agents._presence.away, agents._presence._transactions)
        if any(left):
            wrong.append(f"{left} is left")
    return wrong


@pytest.mark.realtime
def test_an_interrupt_leaves_a_registry_of_agents_in_order_at_whatever_step_it_comes() -> None:
    run_module("tests.agents.test_agent_registry_interrupts", 5, 37)


if __name__ == "__main__":
    sweep(everything, begin=made.clear, disorder=disorder)
