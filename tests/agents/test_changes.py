"""Tests of changes that are made one after the other, and can be undone."""

from __future__ import annotations

import pickle
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import wait_all_tasks_blocked

from trio_foundation.agents import (
    AgentChange,
    AgentChangeFailed,
    AgentRegistry,
    RegisterAgent,
    UnregisterAgent,
    UpdateAgent,
    change_serially,
)
from trio_foundation.registry import NameTaken, NotRegistered
from trio_foundation.supervision import open_supervisor
from trio_foundation.workflows import SerialOperationsClosed, open_serial_operations

from ._agents import a_ref, check

REF = a_ref()


def register(agent_id: str, **given: Any) -> RegisterAgent:
    given.setdefault("capability", "sort")
    return RegisterAgent(agent_id, REF, **given)


def picture(agents: AgentRegistry) -> dict[str, object]:
    return {entry.key: (entry.value, dict(entry.attributes)) for entry in agents.find()}


@pytest.fixture
def agents() -> AgentRegistry:
    return AgentRegistry()


async def test_what_undoes_it_comes_newest_first(agents: AgentRegistry) -> None:
    changes: list[AgentChange] = [
        register("ann", attributes={"cost": 1}),
        UpdateAgent("ann", {"health": "degraded", "speed": 2}, without=["cost"]),
        UnregisterAgent("ann"),
        UnregisterAgent("nobody"),
    ]
    async with open_serial_operations(name="changes") as serial:
        undo = await change_serially(serial, agents, changes)
        assert undo == [
            register("ann", health="degraded", attributes={"speed": 2}),
            UpdateAgent("ann", {"health": "healthy", "cost": 1}, without=["speed"]),
            UnregisterAgent("ann"),
        ]
        await change_serially(serial, agents, undo[:2])
    assert agents.lookup("ann").attributes == register("ann", attributes={"cost": 1}).all_attributes


async def test_one_that_fails_tells_how_to_undo_those_before_it(agents: AgentRegistry) -> None:
    changes: list[AgentChange] = [register("a"), register("b"), register("a"), register("c")]
    async with open_serial_operations(name="changes") as serial:
        with pytest.raises(AgentChangeFailed) as caught:
            await change_serially(serial, agents, changes, "start")
        failed = caught.value
        assert (failed.index, failed.change) == (2, changes[2])
        assert failed.undo == [UnregisterAgent("b"), UnregisterAgent("a")]
        assert isinstance(failed.__cause__, NameTaken)
        assert "change 2, the RegisterAgent of 'a', failed with NameTaken" in str(failed)
        assert [*agents] == ["a", "b"]  # nothing is rolled back by itself
        await change_serially(serial, agents, failed.undo)
    assert not len(agents)


async def test_the_first_that_fails_leaves_nothing_to_undo(agents: AgentRegistry) -> None:
    async with open_serial_operations(name="changes") as serial:
        with pytest.raises(AgentChangeFailed, match="nothing is to be undone") as caught:
            await change_serially(serial, agents, [UpdateAgent("ann", {"node": "b"})])
    assert isinstance(caught.value.__cause__, NotRegistered)


async def test_one_that_is_cancelled_can_undo_what_was_done(agents: AgentRegistry) -> None:
    undo: list[AgentChange] = []
    with trio.CancelScope() as scope:
        agents.on_change(lambda change: scope.cancel() if change.key == "b" else None)
        async with open_serial_operations(name="changes") as serial:
            await change_serially(serial, agents, [register(name) for name in "abc"], undo=undo)
    assert scope.cancelled_caught
    assert [*agents] == ["a", "b"]
    assert undo == [UnregisterAgent("b"), UnregisterAgent("a")]


async def test_it_takes_turns_with_other_work_of_the_registry(agents: AgentRegistry) -> None:
    go = trio.Event()
    async with (
        open_serial_operations(name="changes") as serial,
        trio.open_nursery() as nursery,
    ):

        @nursery.start_soon
        async def work() -> None:
            await serial.execute([go.wait], key=agents.name)

        await wait_all_tasks_blocked()
        nursery.start_soon(change_serially, serial, agents, [register("ann")])
        await wait_all_tasks_blocked()
        assert not len(agents)
        go.set()
    assert [*agents] == ["ann"]


async def test_an_owner_that_has_ended_cannot_take_it_back(agents: AgentRegistry) -> None:
    async with open_serial_operations(name="changes") as serial, open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        undo = await change_serially(
            serial, agents, [register("ann", owner=owner), UnregisterAgent("ann")]
        )
        await change_serially(serial, agents, undo[:1])
        assert agents.lookup("ann").owner is owner
        await sup.stop_child("owner")
        with pytest.raises(AgentChangeFailed, match="OwnerNotRunning"):
            await change_serially(serial, agents, undo)
    check(agents)


async def test_nonsense_is_refused_before_anything_is_done(agents: AgentRegistry) -> None:
    untyped: Any = change_serially
    async with open_serial_operations(name="changes") as serial:
        with pytest.raises(TypeError, match=r"changes must be RegisterAgent\(...\)"):
            await untyped(serial, agents, [register("a"), "b"])
        with pytest.raises(TypeError, match="write undo=\\[\\]"):
            await untyped(serial, agents, [register("a")], undo=())
        with pytest.raises(ValueError, match="undo must be empty"):
            await untyped(serial, agents, [register("a")], undo=[3])
    assert not len(agents)
    with pytest.raises(SerialOperationsClosed):
        await change_serially(serial, agents, [register("a")])


def test_an_update_that_makes_no_sense_is_refused_where_it_is_written() -> None:
    untyped: Any = UpdateAgent
    with pytest.raises(ValueError, match=r"the update of agent 'ann': health must be .* 'ok'"):
        untyped("ann", {"health": "ok"})
    with pytest.raises(ValueError, match="without must not name 'health', 'node', which every"):
        untyped("ann", {}, without=["node", "health", "cost"])
    with pytest.raises(TypeError, match=r"write without=\['cost'\]"):
        untyped("ann", {}, without="cost")


def test_a_failure_can_be_pickled() -> None:
    failed = AgentChangeFailed(1, UpdateAgent("ann", {"node": "b"}), [UnregisterAgent("bob")])
    copy = pickle.loads(pickle.dumps(failed))
    assert (copy.index, copy.change, copy.undo) == (failed.index, failed.change, failed.undo)


IDS = st.sampled_from("abc")
ATTRIBUTES = st.dictionaries(st.sampled_from(["cost", "speed"]), st.integers(0, 3))
CHANGES = st.lists(
    st.builds(register, IDS, attributes=ATTRIBUTES)
    | st.builds(UnregisterAgent, IDS)
    | st.builds(UpdateAgent, IDS, ATTRIBUTES, without=st.sets(st.sampled_from(["cost", "x"]))),
    max_size=8,
)


@given(CHANGES, CHANGES)
def test_whatever_was_done_is_undone(before: list[AgentChange], changes: list[AgentChange]) -> None:
    async def main() -> None:
        agents = AgentRegistry()
        async with open_serial_operations(name="changes") as serial:
            for change in before:
                with suppress(AgentChangeFailed):
                    await change_serially(serial, agents, [change])
            was = picture(agents)
            try:
                undo = await change_serially(serial, agents, changes)
            except AgentChangeFailed as failed:
                undo = failed.undo
            await change_serially(serial, agents, undo)
        assert picture(agents) == was
        check(agents)

    trio.run(main)
