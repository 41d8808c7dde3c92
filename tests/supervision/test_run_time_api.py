"""Tests of the orders that a supervisor takes while it runs, in every state of a child."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    ChildState,
    IgnoreChild,
    Supervisor,
    child,
    cleanup_scope,
    open_dynamic_supervisor,
    open_supervisor,
)

from ._puppets import Crash, Puppet, puppets, rest, specs

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)

STATES: list[ChildState] = ["running", "stopping", "backing_off", "stopped", "ignored"]

every_state = pytest.mark.parametrize("state", STATES)


@asynccontextmanager
async def a_child_that_is(state: ChildState) -> AsyncGenerator[tuple[Supervisor, Puppet]]:
    """Open a supervisor with one child, *a*, in that state."""
    puppet = Puppet(cleanup=3.0)
    async with open_supervisor([puppet.spec(backoff=TEN_SECONDS)]) as sup:
        if state in {"stopping", "stopped"}:
            with trio.move_on_after(1.0 if state == "stopping" else 99.0):
                await sup.stop_child("a")
        elif state in {"backing_off", "ignored"}:
            puppet.refusals = [IgnoreChild("not needed")]
            puppet.crash()
            await trio.sleep(20.0 if state == "ignored" else 4.0)
        assert sup.children["a"].state == state
        yield sup, puppet


# Each verb in each state


@every_state
async def test_start_child_refuses_a_name_that_is_taken(
    state: ChildState, autojump_clock: MockClock
) -> None:
    # Rule S80. While it is being stopped, the order waits its turn.
    async with a_child_that_is(state) as (sup, puppet):
        with pytest.raises(ChildExists) as caught:
            await sup.start_child(puppet.spec())
        assert caught.value.state == ("stopped" if state == "stopping" else state)


@every_state
async def test_start_soon_refuses_a_name_that_is_taken(
    state: ChildState, autojump_clock: MockClock
) -> None:
    async with a_child_that_is(state) as (sup, puppet):
        with pytest.raises(ChildExists) as caught:
            sup.start_soon(puppet.run, name="a")
        assert caught.value.state == state


@every_state
async def test_stop_child_works_in_every_state(
    state: ChildState, autojump_clock: MockClock
) -> None:
    # Rules S61 and S83.
    async with a_child_that_is(state) as (sup, _):
        exit = await sup.stop_child("a")
        assert (exit is not None) is (state == "running")
        assert sup.children["a"].state == ("ignored" if state == "ignored" else "stopped")
        await trio.sleep(100.0)
        assert sup.count_children().active == 0


@every_state
async def test_restart_child_starts_only_what_is_at_rest(
    state: ChildState, autojump_clock: MockClock
) -> None:
    # Rule S84.
    async with a_child_that_is(state) as (sup, _):
        if state in {"running", "backing_off"}:
            with pytest.raises(ChildRunning) as caught:
                await sup.restart_child("a")
            assert caught.value.state == state
        else:
            assert (await sup.restart_child("a")).state == "running"
            assert sup.snapshot().restarts == 0


@every_state
async def test_delete_child_forgets_only_what_is_at_rest(
    state: ChildState, autojump_clock: MockClock
) -> None:
    # Rule S85.
    async with a_child_that_is(state) as (sup, puppet):
        if state in {"stopped", "ignored"}:
            assert sup.delete_child("a").async_fn == puppet.run
            assert "a" not in sup.children
        else:
            with pytest.raises(ChildRunning) as caught:
                sup.delete_child("a")
            assert caught.value.state == state


async def test_a_child_that_waits_for_its_first_start_is_starting() -> None:
    async with open_supervisor() as sup:
        sup.start_soon(rest)
        with pytest.raises(ChildRunning) as caught:
            sup.delete_child("rest")
        assert caught.value.state == "starting"
        with pytest.raises(ChildExists):
            sup.start_soon(rest, name="rest")


async def test_a_child_that_starts_cannot_be_deleted(autojump_clock: MockClock) -> None:
    async with open_supervisor() as sup:
        sup.start_soon(Puppet(takes=9.0).run, name="a")
        await wait_all_tasks_blocked()
        with pytest.raises(ChildRunning) as caught:
            sup.delete_child("a")
        assert caught.value.state == "starting"


@pytest.mark.parametrize("verb", ["stop_child", "restart_child", "delete_child"])
async def test_what_is_not_there_is_not_found(verb: str) -> None:
    async with open_supervisor(specs(*puppets("ab")[1]), name="app") as sup:
        with pytest.raises(ChildNotFound) as caught:
            await getattr(sup, verb)("c")
        assert (caught.value.supervisor, caught.value.child) == ("app", "c")
        assert caught.value.children == ("a", "b")


async def test_of_many_children_the_first_few_are_named() -> None:
    async with open_dynamic_supervisor() as sup:
        for _ in range(100):
            sup.start_soon(rest)
        with pytest.raises(ChildNotFound) as caught:
            await sup.stop_child("nobody")
        assert 1 < len(caught.value.children) < 20


# What they do


async def test_restart_child_starts_that_child_and_nobody_else() -> None:
    # Rule S84.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), strategy="one_for_all") as sup:
        await sup.stop_child("a")
        diary.take()
        worker = await sup.restart_child("a")
        assert diary.take() == ["+a"]
        assert (worker, worker.incarnation, worker.restarts) == (sup.children["a"], 2, 0)


async def test_a_child_that_is_restarted_by_hand_keeps_its_place() -> None:
    # Rule S31.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b)) as sup:
        await sup.stop_child("a")
        await sup.restart_child("a")
        assert list(sup.children) == ["a", "b"]
        diary.take()
    assert diary.take() == ["-b", "-a"]


async def test_a_restart_by_hand_that_fails_leaves_the_child_stopped() -> None:
    # Rule S84: one attempt, not counted.
    error = Crash("no database")
    async with open_supervisor([Puppet(name="b").spec()], max_restarts=0) as sup:
        puppet = Puppet()
        await sup.start_child(puppet.spec())
        await sup.stop_child("a")
        puppet.refusals = [error]
        with pytest.raises(ChildStartFailed, match="Crash: no database") as caught:
            await sup.restart_child("a")
        assert caught.value.__cause__ is error
        assert (sup.children["a"].state, sup.snapshot().restarts) == ("stopped", 0)
        assert (await sup.restart_child("a")).incarnation == 3


async def test_a_child_that_was_deleted_may_be_added_again_and_comes_last() -> None:
    # Rule S31.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b)) as sup:
        await sup.stop_child("a")
        spec = sup.delete_child("a")
        await sup.start_child(spec)
        assert list(sup.children) == ["b", "a"]
        diary.take()
    assert diary.take() == ["-a", "-b"]


async def test_a_handle_of_a_child_that_was_deleted_is_not_that_of_its_successor() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        before = sup.children["a"]
        await sup.stop_child("a")
        await sup.start_child(child(rest, name="b"))
        sup.delete_child("a")
        after = await sup.start_child(Puppet().spec())
        assert (before.state, before.incarnation) == ("stopped", 1)
        assert (after.state, after.incarnation) == ("running", 1)
        assert before is not after


async def test_a_spec_that_was_started_twice_is_two_children() -> None:
    spec = child(rest)
    async with open_supervisor([spec]) as sup:
        other = await sup.start_child(spec)
        assert (list(sup.children), other.spec) == (["rest", "rest-2"], spec)


async def test_start_with_a_function_takes_the_options_of_child() -> None:
    async with open_supervisor() as sup:
        worker = await sup.start(rest, name="web", restart="transient", grace=1.0)
        assert worker.spec == child(rest, name="web", restart="transient", grace=1.0)
        worker = sup.start_soon(trio.sleep, 1_000, name="nap")
        assert worker.spec.args == (1_000,)


async def test_orders_are_done_in_the_order_they_were_given(autojump_clock: MockClock) -> None:
    diary, (a, b, c) = puppets("abc")
    a.cleanup, b.takes = 2.0, 3.0
    async with open_supervisor(specs(a)) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(sup.stop_child, "a")
        await wait_all_tasks_blocked()
        nursery.start_soon(sup.start_child, b.spec())
        await wait_all_tasks_blocked()
        await sup.start_soon(c.run, name="c").wait_ready()
    assert diary.lines[1:4] == [(2.0, "-a"), (2.0, "+b"), (5.0, "+c")]


@pytest.mark.parametrize("verbs", [["stop_child"], ["stop_child", "restart_child"]], ids=" ".join)
async def test_orders_may_overtake_the_first_start_of_a_child(
    verbs: list[str], autojump_clock: MockClock
) -> None:
    diary, (a, b) = puppets("ab")
    b.takes = 5.0
    async with open_supervisor() as sup, trio.open_nursery() as nursery:
        sup.start_soon(b.run, name="b")
        for verb in verbs:
            await wait_all_tasks_blocked()
            nursery.start_soon(getattr(sup, verb), "a")
        await wait_all_tasks_blocked()
        worker = sup.start_soon(a.run, name="a")  # the orders for it are in the queue already
        await trio.sleep(10.0)
        assert diary.take() == ["+b", "+a"][: len(verbs)]
        assert worker.state == ("stopped" if len(verbs) == 1 else "running")


# Orders that would wait for ever


@pytest.mark.parametrize("verb", ["start", "stop_child"])
async def test_a_child_that_the_supervisor_waits_for_cannot_wait_for_the_supervisor(
    verb: str,
) -> None:
    async def order_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope(), pytest.raises(RuntimeError, match="waits for the child to end"):
                await (sup.start(rest) if verb == "start" else sup.stop_child("rest"))
            refused.append(verb)

    refused: list[str] = []
    async with open_supervisor([child(rest), child(order_late)]) as sup:
        await wait_all_tasks_blocked()
        await sup.stop_child("order_late")
        assert refused == [verb]
        assert sup.children["rest"].state == "running"


async def test_a_child_that_is_shielded_may_stop_itself_all_the_same() -> None:
    async def stop_itself(sup: Any) -> None:
        with trio.CancelScope(shield=True):
            answers.append(await sup.stop_child("stop_itself"))
        await trio.sleep_forever()

    for opened in (open_supervisor(), open_dynamic_supervisor()):
        answers: list[object] = []
        async with opened as sup:
            worker = sup.start_soon(stop_itself, sup)
            assert (await worker.wait_exit()).reason == "stopped"
        assert answers == [None]


# Checkpoints


VERBS: dict[str, Callable[[Supervisor], Awaitable[Any]]] = {
    "start": lambda sup: sup.start(rest, name="new"),
    "start_child": lambda sup: sup.start_child(child(rest, name="new")),
    "stop_child": lambda sup: sup.stop_child("running"),
    "stop_child of one at rest": lambda sup: sup.stop_child("stopped"),
    "restart_child": lambda sup: sup.restart_child("stopped"),
    "wait_ready": lambda sup: sup.children["running"].wait_ready(),
    "wait_exit": lambda sup: sup.children["stopped"].wait_exit(),
}

every_verb = pytest.mark.parametrize("verb", VERBS)


@asynccontextmanager
async def two_children() -> AsyncGenerator[Supervisor]:
    async with open_supervisor([child(rest, name="running"), child(rest, name="stopped")]) as sup:
        await sup.stop_child("stopped")
        yield sup


@every_verb
async def test_every_verb_is_a_checkpoint(verb: str) -> None:
    # Rule R1.
    async with two_children() as sup:
        with assert_checkpoints():
            await VERBS[verb](sup)


@every_verb
async def test_a_verb_in_a_cancelled_scope_has_no_effect(verb: str) -> None:
    # Rule R2.
    async with two_children() as sup:
        before = sup.snapshot()
        with trio.CancelScope() as scope:
            scope.cancel()
            await VERBS[verb](sup)
        assert scope.cancelled_caught
        await wait_all_tasks_blocked()
        assert sup.snapshot() == before


@pytest.mark.parametrize("verb", ["start", "stop_child", "wait_closed"])
async def test_so_it_is_with_a_dynamic_supervisor(verb: str) -> None:
    # Rules R1 and R2.
    async with open_dynamic_supervisor() as sup:
        await sup.start(rest)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "start": lambda: sup.start(rest),
            "stop_child": lambda: sup.stop_child("rest"),
            "wait_closed": sup.wait_closed,
        }
        with trio.CancelScope() as scope, assert_checkpoints():
            scope.cancel()
            await calls[verb]()
        await wait_all_tasks_blocked()
        assert scope.cancelled_caught
        assert [one.state for one in sup.children.values()] == ["running"]
        if verb != "wait_closed":
            with assert_checkpoints():
                await calls[verb]()


@pytest.mark.parametrize("start", ["a plain function", "a function with task_status"])
async def test_a_dynamic_start_is_a_checkpoint(start: str) -> None:
    # Rule R1.
    async with open_dynamic_supervisor() as sup:
        with assert_checkpoints():
            if start == "a plain function":
                await sup.start(trio.sleep_forever)
            else:
                await sup.start(rest)


async def test_waiting_for_a_closed_supervisor_is_a_checkpoint() -> None:
    # Rule R1.
    async with open_supervisor() as sup:
        pass
    with assert_checkpoints():
        await sup.wait_closed()


async def test_a_refused_verb_is_a_checkpoint_too() -> None:
    async with open_supervisor() as sup:
        with assert_checkpoints(), pytest.raises(ChildNotFound):
            await sup.stop_child("nobody")
