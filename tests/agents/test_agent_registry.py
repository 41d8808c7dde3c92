"""Tests of who can do what, how well, where, and with how much."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import wait_all_tasks_blocked

from trio_foundation.agents import AgentRegistry, RegisterAgent
from trio_foundation.messaging import serve
from trio_foundation.registry import NameTaken, NotRegistered, Registered, where
from trio_foundation.supervision import current_child, open_supervisor

from ._agents import Oops, Worker, a_ref, check, keys


@pytest.fixture
def agents() -> AgentRegistry:
    return AgentRegistry()


def add(agents: AgentRegistry, agent_id: str, **attributes: Any) -> None:
    attributes.setdefault("capability", "sort")
    agents.register(agent_id, a_ref(agent_id), **attributes)


# What every agent has


def test_every_agent_has_the_four(agents: AgentRegistry) -> None:
    with agents.register("ann", a_ref(), capability=["sort", "count"], cost=3) as entry:
        assert entry.attributes == {
            "capability": frozenset({"sort", "count"}),
            "health": "healthy",
            "node": "local",
            "resources": {},
            "cost": 3,
        }
    assert "ann" not in agents


def test_a_single_capability_stays_a_string(agents: AgentRegistry) -> None:
    add(agents, "ann", capability="sort")
    assert agents.lookup("ann").attributes["capability"] == "sort"


@pytest.mark.parametrize("capability", [["sort"], ("sort",), {"sort"}, {"sort": 1}.keys()])
def test_any_collection_of_capabilities_becomes_a_frozen_set(
    agents: AgentRegistry, capability: Any
) -> None:
    add(agents, "ann", capability=capability)
    assert agents.lookup("ann").attributes["capability"] == frozenset({"sort"})


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"capability": None}, TypeError, "capability is required: write capability='python'"),
    ({"capability": ""}, ValueError, "capability must not be empty"),
    ({"capability": []}, ValueError, "capability must not be empty"),
    ({"capability": ["a", ""]}, ValueError, r"one of \['a', ''\] is ''"),
    ({"capability": ["a", 3]}, TypeError, r"one of \['a', 3\] is 3"),
    ({"capability": b"sort"}, TypeError, "a string or a collection of strings, not b'sort'"),
    ({"capability": {"sort": 1}}, TypeError, "a string or a collection of strings"),
    ({"capability": iter("ab")}, TypeError, "a string or a collection of strings"),
    ({"health": "ok"}, ValueError, "must be 'healthy', 'degraded' or 'unhealthy', not 'ok'"),
    ({"health": None}, TypeError, "must be 'healthy', 'degraded' or 'unhealthy', not None"),
    ({"node": ""}, ValueError, "node must not be empty"),
    ({"node": 3}, TypeError, "node must be a string, not 3"),
    ({"resources": 0.5}, TypeError, r"resources must be a mapping, not 0.5: write resources=\{"),
    ({"resources": {3: 1}}, TypeError, "the names of resources must be strings, not 3"),
    ({"resources": {"a.b": 1}}, ValueError, "must be a word without dots, not 'a.b'"),
    ({"a.b": 1}, ValueError, r"write a=\{'b': ...\}"),
    ({"value": 1}, ValueError, "no attribute can be called 'value' here"),
]


@pytest.mark.parametrize(("given", "kind", "message"), WRONG)
def test_what_nobody_would_find_is_refused(
    agents: AgentRegistry, given: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        add(agents, "ann", **given)
    with pytest.raises(kind, match=r"agents\[1\]: agent 'ann': .*" + message):
        agents.batch_register(
            [
                ("bob", a_ref(), {"capability": "sort"}),
                ("ann", a_ref(), {"capability": "sort", **given}),
            ]
        )
    add(agents, "ann", cost=3)
    before = agents.lookup("ann")
    with pytest.raises(kind, match="agent 'ann': .*" + message):
        agents.update("ann", **given)
    assert agents.lookup("ann") is before
    assert keys(agents.find()) == ["ann"]


def test_all_that_is_wrong_is_told_at_once(agents: AgentRegistry) -> None:
    register: Any = agents.register
    with pytest.raises(TypeError) as caught:
        register("", 3, health="ok", node=0, resources=[], owner="me", key=1)
    words = str(caught.value).removeprefix("agent '': ").split("; ")
    assert [" ".join(word.split()[:2]) for word in words] == [
        "agent_id must", "ref must", "owner must", "capability is", "health must", "node must",
        "resources must", "no attribute",
    ]  # fmt: skip


def test_an_owner_that_is_no_child_and_a_ref_that_is_none_are_refused(
    agents: AgentRegistry,
) -> None:
    register: Any = agents.register
    with pytest.raises(TypeError, match=r"ref must be the Ref alone: write `spec, ref = serve"):
        register("ann", serve(Worker, capacity=1), capability="sort")
    with pytest.raises(TypeError, match=r"owner must be a child, such as current_child\(\)"):
        register("ann", a_ref(), capability="sort", owner="me")


def test_an_index_is_given_as_a_list() -> None:
    with pytest.raises(TypeError, match=r"write indexes=\['cost'\]"):
        AgentRegistry(indexes="cost")
    assert AgentRegistry(indexes=["cost", "node"], name="mine").name == "mine"


# Changing


def test_what_every_agent_has_cannot_go(agents: AgentRegistry) -> None:
    add(agents, "ann")
    with pytest.raises(TypeError, match="node must be a string, not None"):
        agents.update("ann", node=None)
    with pytest.raises(TypeError, match="capability is required"):
        agents.replace("ann", health="healthy", node="a", resources={})


def test_an_update_is_found(agents: AgentRegistry) -> None:
    add(agents, "ann")
    agents.update("ann", capability=["count"], node="b")
    assert keys(agents.find_capable("count")) == keys(agents.find(node="b")) == ["ann"]
    assert not agents.find_capable("sort")
    agents.set_health("ann", "unhealthy")
    assert not agents.find_capable("count")
    assert keys(agents.find_capable("count", health="unhealthy")) == ["ann"]
    agents.replace("ann", capability="x", health="healthy", node="c", resources={"load": 1})
    assert keys(agents.find(all_of=["x"], node="c")) == ["ann"]


def test_nothing_is_changed_of_one_that_is_not_there(agents: AgentRegistry) -> None:
    changes: list[Callable[[], object]] = [
        partial(agents.update, "ann", node="b"),
        partial(agents.set_health, "ann", "healthy"),
        partial(agents.lookup, "ann"),
    ]
    for change in changes:
        with pytest.raises(NotRegistered):
            change()
    assert agents.get("ann") is agents.ref_of("ann") is None
    agents.unregister("ann")


# Finding


@pytest.fixture
def crowd(agents: AgentRegistry) -> AgentRegistry:
    add(agents, "a", capability=["sort", "count"], node="x", resources={"load": 3, "memory": 8})
    add(agents, "b", capability="sort", health="degraded", resources={"load": 1, "memory": 4})
    add(agents, "c", capability={"sort"}, resources={"load": 2})
    add(agents, "d", capability="count", node="x", resources={"load": True, "memory": None})
    add(agents, "e", capability="sort", resources={"load": float("nan"), "memory": 6})
    return agents


def test_those_that_can_do_something_are_found(crowd: AgentRegistry) -> None:
    assert keys(crowd.find_capable("sort")) == ["a", "c", "e"]
    assert keys(crowd.find_capable("sort", health="degraded")) == ["b"]
    assert keys(crowd.find_capable("sort", health=None)) == ["a", "b", "c", "e"]
    assert not crowd.find_capable("so")


def test_those_that_can_do_all_are_found(crowd: AgentRegistry) -> None:
    assert keys(crowd.find(all_of=["sort", "count"])) == ["a"]
    assert keys(crowd.find(all_of=["count", where("resources.memory") == None])) == ["d"]  # noqa: E711
    assert keys(crowd.find(all_of=iter(["count"]), node="x", **{"resources.load": 3})) == ["a"]
    assert keys(crowd.query(where("resources.memory") < 7)) == ["b", "e"]
    assert keys(crowd.find()) == [*crowd] == ["a", "b", "c", "d", "e"]
    assert len(crowd) == 5


def test_those_with_enough_are_found(crowd: AgentRegistry) -> None:
    assert keys(crowd.with_resources(memory=(5, None))) == ["a", "e"]
    assert keys(crowd.with_resources(memory=(None, 6), load=(1, 1))) == ["b"]
    assert keys(crowd.with_resources(memory=(None, None))) == ["a", "b", "e"]


@pytest.mark.parametrize(
    "limits", [0.5, (1,), (1, 2, 3), (True, 2), ("1", None), (float("nan"), 1)]
)
def test_what_is_no_range_is_refused(agents: AgentRegistry, limits: Any) -> None:
    with pytest.raises(TypeError, match=r"write memory=\(0.5, None\)"):
        agents.with_resources(memory=limits)


def test_nonsense_is_not_looked_for(agents: AgentRegistry) -> None:
    untyped: Any = agents
    with pytest.raises(ValueError, match="the range of 'memory': write memory="):
        agents.with_resources(memory=(2, 1))
    with pytest.raises(ValueError, match="capability must not be empty"):
        agents.find_capable("")
    with pytest.raises(ValueError, match="must be 'healthy', 'degraded' or 'unhealthy'"):
        untyped.find_capable("sort", health="ok")
    with pytest.raises(TypeError, match=r"write all_of=\['sort'\]"):
        agents.find(all_of="sort")
    with pytest.raises(TypeError, match="query takes criteria"):
        untyped.find(all_of=[3])
    with pytest.raises(ValueError, match="n must be 0 or more"):
        agents.least_loaded("sort", -1)
    with pytest.raises(ValueError, match=r"joined by single dots, .* not 'a\.\.b'"):
        agents.least_loaded("sort", by="a..b")


def test_the_least_loaded_come_first_and_those_that_do_not_say_last(
    crowd: AgentRegistry,
) -> None:
    assert keys(crowd.least_loaded("sort")) == ["c"]
    assert keys(crowd.least_loaded("sort", 9)) == ["c", "a", "e"]
    assert keys(crowd.least_loaded("sort", 2, health=None)) == ["b", "c"]
    assert keys(crowd.least_loaded("sort", 3, by="resources.memory")) == ["e", "a", "c"]
    assert keys(crowd.least_loaded("count", 3)) == ["a", "d"]
    assert keys(crowd.least_loaded("count", 2, by="resources.load.now")) == ["a", "d"]
    assert not crowd.least_loaded("sort", 0)
    assert not crowd.least_loaded("nothing", 3)


async def test_of_several_alike_the_one_comes_first_that_has_less_to_do(
    agents: AgentRegistry,
) -> None:
    refs = {name: a_ref(name) for name in "abcd"}
    for name, load in zip("abcd", [1, 1, 1, 0], strict=True):
        agents.register(name, refs[name], capability="sort", resources={"load": load})
    for name, waiting in [("a", 2), ("b", 1), ("c", 1), ("d", 5)]:
        for _ in range(waiting):
            refs[name].cast(Worker.receive, "x")
    await trio.lowlevel.checkpoint()
    assert keys(agents.least_loaded("sort", 4)) == ["d", "b", "c", "a"]
    assert keys(agents.least_loaded("sort", 2)) == ["d", "b"]


@given(st.lists(st.none() | st.integers(0, 3) | st.floats(), max_size=8), st.integers(0, 9))
def test_the_least_loaded_are_the_first_of_all_sorted(loads: list[Any], n: int) -> None:
    agents = AgentRegistry()
    for place, load in enumerate(loads):
        add(agents, f"{place}", cost=load)

    def rank(place: int) -> tuple[bool, Any]:
        load = loads[place]
        says = load is not None and load == load  # noqa: PLR0124  NaN
        return (not says, load if says else 0)

    expected = [f"{place}" for place in sorted(range(len(loads)), key=rank)]
    assert keys(agents.least_loaded("sort", n, by="cost")) == expected[:n]


def test_how_they_are_and_what_they_can_do_is_counted(crowd: AgentRegistry) -> None:
    assert crowd.health_summary() == {"healthy": 4, "degraded": 1, "unhealthy": 0}
    assert crowd.count_by_capability() == {"count": 2, "sort": 4}
    assert AgentRegistry().count_by_capability() == {}


# Several at once


def test_a_batch_is_written_in_three_ways(agents: AgentRegistry) -> None:
    ref = a_ref()
    entries = agents.batch_register(
        [
            RegisterAgent("a", ref, capability="sort", attributes={"cost": 1}),
            ("b", ref, {"capability": ["sort"], "cost": 2, "node": "x"}),
            {"agent_id": "c", "ref": ref, "capability": "sort", "health": "degraded", "cost": 3},
        ]
    )
    assert keys(entries) == [*agents] == ["a", "b", "c"]
    assert [entry.attributes["cost"] for entry in entries] == [1, 2, 3]
    assert entries[1].attributes["node"] == "x"
    assert agents.batch_register([]) == []


@pytest.mark.parametrize("bad", [3, ("a",), ("a", 1, 2), "abc", None])
def test_what_is_no_agent_of_a_batch_is_refused(agents: AgentRegistry, bad: Any) -> None:
    with pytest.raises(TypeError, match=r"agents\[0\]: each agent must be a RegisterAgent"):
        agents.batch_register([bad])


def test_a_batch_of_which_one_is_taken_leaves_nothing(agents: AgentRegistry) -> None:
    add(agents, "b")
    told: list[object] = []
    agents.on_change(told.append)
    agents.on_gone(told.append)
    with pytest.raises(NameTaken):
        agents.batch_register([(name, a_ref(), {"capability": "sort"}) for name in "ab"])
    assert [*agents] == ["b"]
    assert not told
    check(agents)


def test_a_transaction_is_undone(agents: AgentRegistry) -> None:
    gone: list[str] = []
    agents.on_gone(gone.append)
    add(agents, "a")
    with pytest.raises(Oops), agents.transaction():
        add(agents, "b")
        agents.unregister("a")
        assert agents.ref_of("a") is None
        raise Oops
    assert [*agents] == ["a"]
    assert not gone
    with agents.transaction():
        agents.unregister("a")
        assert not gone
    assert gone == ["a"]
    check(agents)


def test_one_that_a_transaction_registers_again_is_not_gone(agents: AgentRegistry) -> None:
    gone: list[str] = []
    agents.on_gone(gone.append)
    add(agents, "a")
    with agents.transaction():
        agents.unregister("a")
        add(agents, "a")
    assert not gone


def test_the_names_of_attributes_are_strings(agents: AgentRegistry) -> None:
    attributes: Any = {"capability": "sort", 3: 4}
    with pytest.raises(TypeError, match="the name of an attribute must be a string, not 3"):
        agents.batch_register([("ann", a_ref(), attributes)])


# Being told


async def test_one_can_wait_for_an_agent_and_watch_them(agents: AgentRegistry) -> None:
    async with trio.open_nursery() as nursery:
        with agents.watch() as changes:

            @nursery.start_soon
            async def wait() -> None:
                assert (await agents.wait_for("ann")).key == "ann"

            await wait_all_tasks_blocked()
            add(agents, "ann")
            change = await changes.receive()
            assert isinstance(change, Registered)


def test_who_is_gone_is_told_at_once(agents: AgentRegistry) -> None:
    gone: list[str] = []
    remove = agents.on_gone(gone.append)
    with agents.register("a", a_ref(), capability="sort"):
        pass
    assert gone == ["a"]
    add(agents, "b")
    agents.unregister("b")
    agents.unregister("b")
    assert gone == ["a", "b"]
    remove()
    remove()
    add(agents, "c")
    agents.unregister("c")
    assert gone == ["a", "b"]


def test_a_callback_may_register_it_again(agents: AgentRegistry) -> None:
    agents.on_gone(lambda agent_id: add(agents, agent_id))
    add(agents, "a")
    agents.unregister("a")
    assert [*agents] == ["a"]
    check(agents)


def test_a_callback_that_raises_is_logged(
    agents: AgentRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(agent_id: str) -> None:
        raise Oops

    gone: list[str] = []
    agents.on_gone(fail)
    agents.on_gone(gone.append)
    add(agents, "a")
    agents.unregister("a")
    assert gone == ["a"]
    assert "a callback of agents raised, and is ignored" in caplog.text


def test_an_interrupt_of_a_callback_goes_on_up_when_all_were_told(agents: AgentRegistry) -> None:
    def interrupt(agent_id: str) -> None:
        raise KeyboardInterrupt

    gone: list[str] = []
    agents.on_gone(interrupt)
    agents.on_gone(gone.append)
    add(agents, "a")
    with pytest.raises(KeyboardInterrupt):
        agents.unregister("a")
    assert gone == ["a"]
    check(agents)


def test_a_callback_has_to_be_a_plain_function(agents: AgentRegistry) -> None:
    callback: Any = trio.sleep
    with pytest.raises(TypeError, match="on_gone takes a plain function of an id"):
        agents.on_gone(callback)
    with pytest.raises(TypeError, match="on_change takes a plain function"):
        agents.on_change(callback)


def test_a_callback_that_was_removed_by_one_before_it_is_not_called(agents: AgentRegistry) -> None:
    gone: list[str] = []
    agents.on_gone(lambda agent_id: remove())
    remove = agents.on_gone(gone.append)
    add(agents, "a")
    agents.unregister("a")
    assert not gone


# Owners


async def test_an_agent_ends_with_its_owner_or_its_block(agents: AgentRegistry) -> None:
    async def serves(*, task_status: trio.TaskStatus[None]) -> None:
        me = current_child()
        agents.register("kept", a_ref(), capability="sort", owner=me)
        with agents.register("block", a_ref(), capability="sort", owner=me) as entry:
            assert entry.owner is me
            assert [*agents] == ["kept", "block"]
        assert [*agents] == ["kept"]
        task_status.started()
        await trio.sleep_forever()

    gone: list[str] = []
    agents.on_gone(gone.append)
    async with open_supervisor() as sup:
        await sup.start(serves)
        assert gone == ["block"]
        await sup.stop_child("serves")
        assert gone == ["block", "kept"]
    check(agents)


async def test_a_block_is_entered_once(agents: AgentRegistry) -> None:
    async with open_supervisor() as sup:
        owner = sup.start_soon(trio.sleep_forever, name="owner")
        block = agents.register("a", a_ref(), capability="sort", owner=owner)
        with block, pytest.raises(RuntimeError, match="entered once: call register again"):
            block.__enter__()
        assert "a" not in agents
        add(agents, "a")
        block.__exit__(None, None, None)
        assert "a" in agents  # it is another's
        sup.shutdown()


def test_it_shows_how_many_there_are(agents: AgentRegistry) -> None:
    assert repr(agents) == "<AgentRegistry 'agents', 0 agents>"
