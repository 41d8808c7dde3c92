"""Attacks: body, loop, children and bystanders that wait for one another."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    Child,
    ChildReady,
    ChildStartFailed,
    ChildUnstopped,
    RestartLimitReached,
    SupervisorClosed,
    child,
    cleanup_scope,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
)
from trio_foundation.telemetry import subscribe

Clock = trio.testing.MockClock


async def crash() -> None:
    await trio.sleep(1)
    raise ValueError("crash")


async def slow() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope():
            await trio.sleep(4)


async def test_an_exit_that_ends_the_supervisor_is_told_to_bystanders(
    autojump_clock: Clock,
) -> None:
    saw: list[float] = []

    async def watch(one: Child[None]) -> None:
        await one.wait_exit()
        saw.append(trio.current_time())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery, open_dynamic_supervisor() as sup:
            one = sup.start_soon(trio.sleep, 1)
            one.on_exit(lambda _: sup.shutdown())
            nursery.start_soon(watch, one)
            await trio.sleep_forever()
    assert saw == [1.0]


async def wait_for_the_exit(one: Child[None]) -> None:
    await one.wait_exit()


async def wait_until_ready(one: Child[None]) -> None:
    with pytest.raises(ChildStartFailed):
        await one.wait_ready()


async def wait_until_gone(one: Child[None]) -> None:
    gone = trio.Event()
    one.on_gone(gone.set)
    if one.state != "stopped":
        await gone.wait()


async def follow_its_exits(one: Child[None]) -> None:
    with one.monitor() as exits:
        async for _ in exits:
            pass


@pytest.mark.parametrize(
    "wait", [wait_for_the_exit, wait_until_ready, wait_until_gone, follow_its_exits]
)
async def test_a_body_may_wait_under_a_shield_for_the_child_that_ended_it(
    wait: Callable[[Child[None]], Awaitable[None]], autojump_clock: Clock
) -> None:
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([child(crash)], max_restarts=0) as sup:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await wait(sup.children["crash"])
    assert trio.current_time() == 1.0


async def test_an_order_that_waits_behind_the_stop_of_its_giver_is_told(
    autojump_clock: Clock,
) -> None:
    go = trio.Event()
    told: list[str] = []

    async def first() -> None:
        await go.wait()
        await trio.lowlevel.checkpoint()
        raise ValueError("crash")

    async def giver() -> None:
        stop_requested()
        await go.wait()
        if current_child().incarnation == 1:
            await trio.sleep(1)
            try:
                await sup.restart_child("first")
            except RuntimeError as error:
                told.append(str(error))
        await stop_requested().wait()

    tree = [child(first), child(giver, grace=math.inf), child(slow)]
    async with open_supervisor(tree, strategy="one_for_all", max_restarts=100) as sup:
        await trio.testing.wait_all_tasks_blocked()
        go.set()
        await trio.sleep(10)
        sup.hurry()
    assert len(told) == 1
    assert "would wait for ever" in told[0]


async def test_a_start_that_a_handler_cancels_at_readiness_leaves_no_child(
    autojump_clock: Clock,
) -> None:
    async def serve(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        with trio.CancelScope() as scope, subscribe(lambda _: scope.cancel(), ChildReady):
            await sup.start(serve)
        assert scope.cancelled_caught
        assert not sup.children


async def test_who_hurries_is_told_at_once_who_does_not_stop(autojump_clock: Clock) -> None:
    async def stuck() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(50)

    async def hurry_later() -> None:
        await trio.sleep(5)
        sup.hurry()

    told: list[float] = []
    with subscribe(lambda _: told.append(trio.current_time()), ChildUnstopped):
        async with open_supervisor([child(stuck, grace=math.inf)]) as sup:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hurry_later)
                with trio.CancelScope(shield=True):
                    await sup.stop_child("stuck")
    assert told == [5.0]


async def test_a_crashed_child_backs_off_while_its_group_is_stopped(autojump_clock: Clock) -> None:
    async with open_supervisor([child(crash), child(slow)], strategy="one_for_all") as sup:
        await trio.sleep(2)
        assert sup.children["crash"].state == "backing_off"


async def test_a_start_that_the_end_cuts_short_is_refused(autojump_clock: Clock) -> None:
    async def never_ready(task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async def start() -> None:
        with trio.CancelScope(shield=True), pytest.raises(SupervisorClosed):
            await sup.start(never_ready)

    async with trio.open_nursery() as nursery, open_supervisor() as sup:
        nursery.start_soon(start)
        await trio.testing.wait_all_tasks_blocked()
        sup.shutdown()
