"""Attacks: starts and stops whose callers are cancelled, at every moment."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    ChildStartFailed,
    SupervisorClosed,
    child,
    cleanup_scope,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    subtree,
)

from ._openers import BOTH, OpenAny

Clock = trio.testing.MockClock


@BOTH
@pytest.mark.parametrize("deadline", [1.0, 2.0, 3.0])
async def test_a_start_is_all_or_nothing_when_its_deadline_meets_readiness(
    open_any: OpenAny, deadline: float, autojump_clock: Clock
) -> None:
    async def serve(*, task_status: trio.TaskStatus[int]) -> None:
        await trio.sleep(2)
        task_status.started(1)
        await trio.sleep_forever()

    for _ in range(30):
        async with open_any() as sup:
            one = None
            with trio.move_on_after(deadline) as scope:
                one = await sup.start(serve)
            assert (one is None) == scope.cancelled_caught == (not sup.children)
            if one is not None:
                assert (one.state, one.value) == ("running", 1)


@BOTH
async def test_a_cancelled_start_joins_a_child_that_absorbs_cancellation(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async def absorb(*, task_status: trio.TaskStatus[int]) -> None:
        with trio.CancelScope(shield=True):
            try:
                await trio.sleep(3)
            finally:
                task_status.started(1)

    async with open_any() as sup:
        with trio.move_on_after(1) as scope:
            await sup.start(absorb)
        assert scope.cancelled_caught
        assert trio.current_time() == 3
        assert not sup.children


@BOTH
async def test_a_cancelled_start_gives_its_child_one_grace_from_then_on(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async def clean_up_for_ever(*, task_status: trio.TaskStatus[int]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep_forever()

    async with open_any() as sup:
        with trio.move_on_after(1):
            await sup.start(clean_up_for_ever, grace=4.0)
        assert trio.current_time() == 5


async def test_a_stop_that_waits_for_its_turn_goes_on_when_its_caller_is_cancelled(
    autojump_clock: Clock,
) -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(5)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor([child(trio.sleep_forever, name="a")]) as sup:
        sup.start_soon(slow)
        with trio.move_on_after(1):
            await sup.stop_child("a")
        await trio.sleep(10)
        assert sup.children["a"].state == "stopped"


@BOTH
@pytest.mark.parametrize("grace", [0.0, 2.0])
async def test_a_child_that_stops_itself_is_cancelled_there(
    open_any: OpenAny, grace: float, autojump_clock: Clock
) -> None:
    cancelled = False
    async with open_any() as sup:

        async def stop_itself() -> None:
            nonlocal cancelled
            stop_requested()
            await trio.sleep(1)
            try:
                await sup.stop_child("me")
            except trio.Cancelled:
                cancelled = True
                raise

        me = sup.start_soon(stop_itself, name="me", grace=grace)
        exit = await me.wait_exit()
        assert exit.reason == "stopped"
        assert trio.current_time() == 1
    assert cancelled


async def test_a_child_that_gives_orders_while_it_is_waited_for_is_told_at_once(
    autojump_clock: Clock,
) -> None:
    async with open_supervisor([child(trio.sleep_forever, name="helper")]) as sup:

        async def boss() -> None:
            try:
                await trio.sleep_forever()
            finally:
                with cleanup_scope():
                    await sup.stop_child("helper")

        await sup.start(boss, name="boss", grace=math.inf)
        await trio.testing.wait_all_tasks_blocked()
        exit = await sup.stop_child("boss")
        assert exit is not None
        assert exit.reason == "stopped"
        assert "would wait for ever" in str(exit.error)


@BOTH
async def test_a_child_that_stops_itself_under_a_shield_is_cancelled_when_it_leaves_it(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async def stop_myself() -> None:
        with trio.CancelScope(shield=True):
            assert await sup.stop_child("me") is None
            await trio.sleep(1)
        await trio.sleep_forever()

    async with open_any() as sup:
        me = sup.start_soon(stop_myself, name="me")
        with trio.fail_after(10):
            exit = await me.wait_exit()
        assert exit.reason == "stopped"
        assert trio.current_time() == 1


async def test_a_grandchild_may_stop_the_tree_it_lives_in(autojump_clock: Clock) -> None:
    async with open_supervisor() as sup:

        async def leaf() -> None:
            await trio.sleep(1)
            await sup.stop_child("tree")

        tree = await sup.start_child(subtree([child(leaf)], name="tree"))
        with trio.fail_after(10):
            exit = await tree.wait_exit()
        assert exit.reason == "stopped"
        assert sup.children["tree"].state == "stopped"


async def test_orders_to_the_own_supervisor_before_readiness_are_refused(
    autojump_clock: Clock,
) -> None:
    for open_any in (open_supervisor, open_dynamic_supervisor):
        async with open_any() as sup:

            async def early(*, task_status: trio.TaskStatus[None]) -> None:
                await sup.start(trio.sleep_forever)

            with pytest.raises(ChildStartFailed) as caught:
                await sup.start(early)
            assert isinstance(caught.value.__cause__, RuntimeError)


async def test_verbs_in_a_cancelled_scope_do_nothing(autojump_clock: Clock) -> None:
    async with open_supervisor([child(trio.sleep_forever, name="a")]) as sup:
        with trio.CancelScope() as scope:
            scope.cancel()
            with pytest.raises(trio.Cancelled):
                await sup.start(trio.sleep_forever, name="b")
            with pytest.raises(trio.Cancelled):
                await sup.stop_child("a")
            with pytest.raises(trio.Cancelled):
                await sup.children["a"].wait_ready()
            with pytest.raises(trio.Cancelled):
                await sup.children["a"].wait_exit()
        await trio.sleep(1)
        assert list(sup.children) == ["a"]
        assert sup.children["a"].state == "running"


async def test_waiting_orders_are_refused_when_the_supervisor_ends(autojump_clock: Clock) -> None:
    async def never(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    refused: list[str] = []
    async with trio.open_nursery() as nursery:
        async with open_supervisor([child(trio.sleep_forever, name="a")]) as sup:

            async def order(
                name: str, verb: Callable[..., Awaitable[object]], *args: object
            ) -> None:
                with pytest.raises(SupervisorClosed):
                    await verb(*args)
                refused.append(name)

            nursery.start_soon(order, "start", sup.start, never)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(order, "start 2", sup.start, trio.sleep_forever)
            nursery.start_soon(order, "restart", sup.restart_child, "a")
            nursery.start_soon(order, "stop", sup.stop_child, "a")
            soon = sup.start_soon(trio.sleep_forever)
            await trio.testing.wait_all_tasks_blocked()
            sup.shutdown()
            await trio.sleep(math.inf)
    assert sorted(refused) == ["restart", "start", "start 2", "stop"]
    assert soon.state == "stopped"
    with pytest.raises(RuntimeError):
        await soon.wait_exit()
    with pytest.raises(ChildStartFailed):
        await soon.wait_ready()
