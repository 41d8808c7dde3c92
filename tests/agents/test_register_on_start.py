"""Tests of agents that each of their incarnations registers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.agents import Agent, AgentRegistry, AgentUp
from trio_foundation.messaging import CallFailed, serve
from trio_foundation.registry import NameTaken
from trio_foundation.supervision import ChildStartFailed, open_supervisor
from trio_foundation.telemetry import subscribe

from ._agents import Worker, a_ref, check, keys


class Seen(Worker):
    """Notes what there is when it sets itself up."""

    def __init__(self, agents: AgentRegistry, seen: list[object]) -> None:
        self.agents = agents
        self.seen = seen

    async def setup(self) -> None:
        self.seen.append([*self.agents])
        await trio.lowlevel.checkpoint()


@pytest.fixture
def agents() -> AgentRegistry:
    return AgentRegistry()


def test_the_child_is_the_same(agents: AgentRegistry) -> None:
    served = serve(Worker, capacity=9, restart="transient", grace=2)
    spec = agents.register_on_start("ann", served, capability="sort")
    assert spec.name == "ann"
    assert not spec.is_named
    assert spec.resident is served.spec.resident
    assert (spec.restart, spec.grace, spec.takes_task_status) == ("transient", 2, True)
    assert agents.register_on_start(
        "ann", serve(Worker, capacity=9, name="w"), capability="x"
    ).is_named
    assert "ann" not in agents


def test_what_is_wrong_is_told_where_it_is_written(agents: AgentRegistry) -> None:
    register: Any = agents.register_on_start
    served = serve(Worker, capacity=9)
    with pytest.raises(TypeError, match=r"capability is required.*; node must be a string"):
        register("ann", served, node=3)
    with pytest.raises(TypeError, match=r"write register_on_start\('ann', serve\(...\)"):
        register("ann", served.ref, capability="sort")
    with pytest.raises(ValueError, match="no attribute can be called 'owner' here"):
        register("ann", served, capability="sort", owner=None)


async def test_it_is_there_when_it_is_ready_and_not_before(agents: AgentRegistry) -> None:
    seen: list[object] = []
    served = serve(partial(Seen, agents, seen), capacity=9)
    spec = agents.register_on_start("ann", served, capability=["sort"], node="x", cost=3)
    async with open_supervisor() as sup:
        await sup.start_child(spec)
        assert seen == [[]]
        entry = agents.lookup("ann")
        assert entry.value == served.ref
        assert entry.owner is sup.children["ann"]
        assert (entry.attributes["node"], entry.attributes["cost"]) == ("x", 3)
        assert await served.ref.call(Worker.receive, "hello") == "hello"
        sup.shutdown()
    assert len(agents) == 0
    check(agents)


async def test_each_incarnation_registers_it_again(
    agents: AgentRegistry, autojump_clock: MockClock
) -> None:
    gone: list[str] = []
    agents.on_gone(gone.append)
    served = serve(Worker, capacity=9, backoff=Backoff(initial=1, jitter=0))
    spec = agents.register_on_start("ann", served, capability="sort")
    async with open_supervisor([spec]) as sup:
        agents.set_health("ann", "degraded")
        with pytest.raises(CallFailed):
            await served.ref.call(Worker.receive, "crash")
        assert "ann" not in agents
        ref = agents.ref_of("ann")
        assert ref is not None
        # Which waits for the next incarnation.
        assert await ref.call(Agent.receive, "hello") == "hello"
        assert agents.lookup("ann").attributes["health"] == "healthy"
        assert agents.lookup("ann").incarnation == 2
        assert not gone
        sup.shutdown()
    assert gone == ["ann"]


async def test_of_many_that_crash_at_once_all_come_back(
    agents: AgentRegistry, autojump_clock: MockClock
) -> None:
    backoff = Backoff(initial=1, jitter=0.5)
    all_served = [serve(Worker, capacity=9, backoff=backoff) for _ in range(20)]
    specs = [
        agents.register_on_start(f"{number}", served, capability="sort")
        for number, served in enumerate(all_served)
    ]
    ups: list[str] = []
    with subscribe(lambda event: ups.append(event.agent), AgentUp):
        async with open_supervisor(specs, max_restarts=100) as sup:
            for served in all_served:
                served.ref.cast(Worker.receive, "crash")
            await trio.sleep(0.1)
            assert len(agents) == 0
            await trio.sleep(5)
            assert sorted(keys(agents.find_capable("sort"))) == sorted(map(str, range(20)))
            sup.shutdown()
    assert sorted(ups) == sorted([*map(str, range(20))] * 2)
    check(agents)


async def test_an_id_that_is_taken_crashes_the_start(agents: AgentRegistry) -> None:
    agents.register("ann", a_ref(), capability="sort")
    spec = agents.register_on_start("ann", serve(Worker, capacity=9), capability="sort")
    async with open_supervisor() as sup:
        with pytest.raises(ChildStartFailed) as caught:
            await sup.start_child(spec)
        assert isinstance(caught.value.__cause__, NameTaken)
        sup.shutdown()
    assert [*agents] == ["ann"]


async def test_one_server_may_be_registered_under_two_names(agents: AgentRegistry) -> None:
    served = serve(Worker, capacity=9)
    first = agents.register_on_start("ann", served, capability="sort")
    spec = agents.register_on_start("bob", served._replace(spec=first), capability="count")
    async with open_supervisor([spec]) as sup:
        assert [*agents] == ["ann", "bob"]
        await sup.stop_child("bob")
        assert not len(agents)


class Stubborn(Worker):
    """Does not mind being cancelled while it sets itself up."""

    async def setup(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)


async def test_one_that_is_stopped_before_it_is_ready_is_not_registered(
    agents: AgentRegistry, autojump_clock: MockClock
) -> None:
    told: list[object] = []
    agents.on_change(told.append)
    spec = agents.register_on_start("ann", serve(Stubborn, capacity=9), capability="sort")
    async with open_supervisor() as sup:
        with trio.move_on_after(0.5):
            await sup.start_child(spec)
        await trio.sleep(2)
        sup.shutdown()
    assert not told
