"""Attacks: callbacks and handlers that raise what is no Exception, or come back in."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import NoReturn

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    ChildExited,
    ChildReady,
    ChildRestarting,
    ChildStarted,
    ChildStopping,
    Exit,
    SupervisorStarted,
    SupervisorStopped,
    child,
    open_dynamic_supervisor,
    open_supervisor,
)
from trio_foundation.telemetry import Event, subscribe

from ._openers import AnySupervisor

EVENTS = [
    ChildStarted,
    ChildReady,
    ChildExited,
    ChildRestarting,
    ChildStopping,
    SupervisorStarted,
    SupervisorStopped,
]


async def busy() -> None:
    await trio.sleep(1)
    raise ValueError("crash")


def leave(_: object = None) -> NoReturn:
    raise SystemExit(7)


def open_either(kind: str) -> AbstractAsyncContextManager[AnySupervisor]:
    return open_supervisor() if kind == "static" else open_dynamic_supervisor()


@pytest.mark.parametrize("kind", ["static", "dynamic"])
@pytest.mark.parametrize("event", EVENTS)
async def test_a_handler_that_leaves_the_program_ends_the_block_whenever_it_does(
    event: type[Event], kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(SystemExit) as caught, trio.move_on_after(20), subscribe(leave, event):
        async with open_either(kind) as sup:
            sup.start_soon(busy, name="a", restart="permanent")
            sup.start_soon(trio.sleep_forever, name="b")
            sup.start_soon(trio.sleep_forever, name="c")
            await trio.sleep(10)
    assert caught.value.code == 7


@pytest.mark.parametrize("kind", ["static", "dynamic"])
@pytest.mark.parametrize("moment", ["on_exit", "on_gone"])
async def test_a_callback_that_leaves_the_program_ends_the_block(
    moment: str, kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    closed = False

    async def wait_closed(sup: AnySupervisor) -> None:
        nonlocal closed
        await sup.wait_closed()
        closed = True

    async with trio.open_nursery() as nursery:
        with pytest.raises(SystemExit):
            async with open_either(kind) as sup:
                nursery.start_soon(wait_closed, sup)
                for name in "abc":
                    one = sup.start_soon(trio.sleep_forever, name=name)
                    getattr(one, moment)(leave)
                await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.deadline = trio.current_time() + 10
    assert closed


async def test_a_handler_may_shut_the_supervisor_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for event in (ChildStarted, ChildReady, ChildExited, ChildRestarting):
        async with open_supervisor(max_restarts=100) as sup:
            with subscribe(lambda _: sup.shutdown("enough"), event):
                sup.start_soon(busy)
                await trio.sleep(100)
                raise AssertionError(event)


async def test_a_callback_may_shut_the_supervisor_down_and_nothing_restarts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_supervisor() as sup:
        one = sup.start_soon(busy)
        one.on_exit(lambda _: sup.shutdown())
        await trio.sleep(100)
    assert one.incarnation == 1


async def test_a_callback_may_start_another_child_in_place_of_the_one_that_is_gone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    names: list[str] = []

    async with open_dynamic_supervisor(max_children=1) as sup:

        def again() -> None:
            if len(names) < 3:
                names.append(sup.start_soon(busy, name="one").name)
                sup.children["one"].on_gone(again)

        sup.start_soon(busy, name="one").on_gone(again)
        await trio.sleep(100)
    assert names == ["one"] * 3


async def test_a_callback_may_delete_its_own_child(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_supervisor() as sup:
        one = sup.start_soon(busy, restart="transient")
        one.on_gone(lambda: sup.delete_child("busy"))
        with one.monitor() as exits:
            await sup.stop_child("busy")
            assert [exit.reason async for exit in exits] == ["stopped"]
        assert not sup.children


async def test_a_start_is_cut_short_also_if_a_handler_cancels_the_starter(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        with trio.fail_after(50), trio.CancelScope() as scope:
            with subscribe(lambda _: scope.cancel(), ChildStarted):
                await sup.start(never_ready)
        assert scope.cancelled_caught
        assert not sup.children


async def test_an_async_callback_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async def hear(_: Exit) -> None: ...

    async with open_supervisor([child(trio.sleep_forever, name="a")]) as sup:
        with pytest.raises(TypeError, match="on_exit takes"):
            sup.children["a"].on_exit(hear)
        with pytest.raises(TypeError, match="on_gone takes"):
            sup.children["a"].on_gone(None)  # type: ignore[arg-type]  # refused
