"""Attacks: names, deletions and pictures while something else goes on."""

from __future__ import annotations

import functools

import attrs
import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    ChildExists,
    ChildStartFailed,
    Supervisor,
    child,
    cleanup_scope,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
    supervise,
)

Clock = trio.testing.MockClock


async def slow_to_stop() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope():
            await trio.sleep(2)


async def crash_at_one() -> None:
    await trio.sleep(1)
    raise ValueError


async def test_a_child_deleted_during_a_group_restart_is_gone_for_good(
    autojump_clock: Clock,
) -> None:
    tree = [
        child(trio.sleep_forever, name="a"),
        child(slow_to_stop, name="b"),
        child(crash_at_one, name="c"),
    ]
    async with open_supervisor(tree, strategy="one_for_all") as sup:
        a = sup.children["a"]
        await sup.stop_child("a")
        await trio.sleep(2)  # c has crashed, b is being stopped, and nobody came to a yet
        sup.delete_child("a")
        await trio.sleep(2)
        assert "a" not in sup.children
        assert a.state == "stopped"
        with trio.fail_after(1), pytest.raises(ChildStartFailed):
            await a.wait_ready()


async def test_a_child_may_give_its_own_supervisor_as_its_value(autojump_clock: Clock) -> None:
    async def manage(sup: Supervisor, *, task_status: trio.TaskStatus[Supervisor]) -> None:
        task_status.started(sup)
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        await sup.start(manage, sup)
        assert str(sup.snapshot())


async def test_a_variation_with_a_name_has_that_name(autojump_clock: Clock) -> None:
    spec = attrs.evolve(child(trio.sleep_forever), name="web")
    async with open_supervisor([spec]) as sup:
        with pytest.raises(ChildExists):
            await sup.start_child(spec)


async def test_a_supervisor_with_bound_options_is_a_supervisor(autojump_clock: Clock) -> None:
    tree = [child(trio.sleep_forever)]
    assert child(supervise, tree).kind == "supervisor"
    assert child(functools.partial(supervise, tree, max_restarts=1)).kind == "supervisor"


async def test_a_subtree_of_one_spec_without_a_list_is_explained() -> None:
    with pytest.raises(TypeError, match=r"list of children: write \[child\(sleep, ...\)\]"):
        subtree(child(trio.sleep, 1), name="x")  # type: ignore[arg-type]


async def test_a_spec_given_to_start_soon_is_explained(autojump_clock: Clock) -> None:
    async with open_supervisor() as sup:
        with pytest.raises(TypeError, match="start_child"):
            sup.start_soon(child(trio.sleep, 1))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="start_child"):
            await sup.start(child(trio.sleep, 1))  # type: ignore[arg-type]


async def test_children_can_be_stopped_one_by_one_from_a_loop_over_them(
    autojump_clock: Clock,
) -> None:
    async with open_dynamic_supervisor() as sup:
        for _ in range(3):
            sup.start_soon(trio.sleep_forever)
        for one in list(sup.children.values()):
            await sup.stop_child(one.name)
        assert not sup.children
