"""Tests of those who watch a child: monitors, callbacks and waiters."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    Child,
    Exit,
    IgnoreChild,
    Restart,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)

from ._puppets import Crash, Puppet, puppets, rest, specs

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)


async def crash_and_settle(puppet: Puppet, times: int = 1) -> None:
    for _ in range(times):
        puppet.crash()
        await wait_all_tasks_blocked()


# Monitors


async def test_a_monitor_receives_every_exit_over_restarts() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        with sup.children["a"].monitor() as exits:
            await crash_and_settle(puppet, 2)
            received = [await exits.receive() for _ in range(2)]
    assert [(exit.incarnation, exit.reason) for exit in received] == [
        (1, "crashed"),
        (2, "crashed"),
    ]


@pytest.mark.parametrize("how", ["forgotten", "deleted", "closed"])
async def test_a_monitor_ends_when_the_child_is_gone_for_good(how: str) -> None:
    async def watch() -> None:
        with worker.monitor() as exits:
            reasons.extend([exit.reason async for exit in exits])

    reasons: list[str] = []
    async with trio.open_nursery() as nursery:
        puppet = Puppet()
        restart: Restart = "temporary" if how == "forgotten" else "permanent"
        async with open_supervisor([puppet.spec(restart=restart)]) as sup:
            worker = sup.children["a"]
            nursery.start_soon(watch)
            await wait_all_tasks_blocked()
            if how == "forgotten":
                puppet.finish()
                await wait_all_tasks_blocked()
            elif how == "deleted":
                await sup.stop_child("a")
                sup.delete_child("a")
    assert reasons == (["returned"] if how == "forgotten" else ["stopped"])


async def test_a_monitor_stays_while_the_child_may_come_back() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        with sup.children["a"].monitor() as exits:
            await sup.stop_child("a")
            assert (await exits.receive()).reason == "stopped"
            await sup.restart_child("a")
            await sup.stop_child("a")
            assert (await exits.receive()).incarnation == 2


async def test_a_monitor_of_a_child_that_is_gone_ends_at_once() -> None:
    async with open_dynamic_supervisor() as sup:
        worker = await sup.start(rest)
        await sup.stop_child(worker.name)
        with worker.monitor() as exits:
            assert [exit async for exit in exits] == []


async def test_when_a_monitor_is_full_the_oldest_goes_and_the_gap_shows() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()], max_restarts=9) as sup:
        with sup.children["a"].monitor(capacity=2) as exits:
            await crash_and_settle(puppet, 5)
            received = [exits.receive_nowait(), exits.receive_nowait()]
    assert [exit.incarnation for exit in received] == [4, 5]


async def test_a_monitor_holds_sixteen_unless_it_is_told_otherwise() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()], max_restarts=99) as sup:
        with sup.children["a"].monitor() as exits:
            await crash_and_settle(puppet, 20)
            assert exits.statistics().max_buffer_size == 16
            assert exits.receive_nowait().incarnation == 5


@pytest.mark.parametrize("capacity", [0, -1])
async def test_a_monitor_without_room_is_refused(capacity: int) -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        with pytest.raises(ValueError, match=rf"^capacity must be 1 or more, not {capacity}$"):
            with sup.children["a"].monitor(capacity=capacity):
                pytest.fail("the block must not run")


async def test_two_monitors_know_nothing_of_each_other() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        worker = sup.children["a"]
        with worker.monitor() as one, worker.monitor() as other:
            await crash_and_settle(puppet)
            assert one.receive_nowait() is other.receive_nowait()
        with worker.monitor() as late:
            with pytest.raises(trio.WouldBlock):
                late.receive_nowait()


async def test_a_monitor_that_its_owner_closed_hurts_nobody() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        with sup.children["a"].monitor(capacity=1) as exits:
            exits.close()
            await crash_and_settle(puppet, 3)
        assert sup.children["a"].incarnation == 4


async def test_ten_thousand_monitors_leave_nothing_behind() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        worker = sup.children["a"]
        with worker.monitor() as exits:
            gone = weakref.ref(exits)
        del exits
        for _ in range(10_000):
            with worker.monitor():
                pass
        gc.collect()
        assert gone() is None
        assert hooks_of(worker) == 0


def hooks_of(worker: Child[object]) -> int:
    entry = worker._entry
    hooks = (entry.on_exit, entry.on_gone, entry.on_forgotten)
    return sum(0 if one is None else len(one._callbacks) for one in hooks)


# Callbacks on an exit


async def test_a_callback_is_called_before_any_restart() -> None:
    calls: list[tuple[int, int, str]] = []

    def note(exit: Exit) -> None:
        worker = sup.children["a"]
        calls.append((exit.incarnation, worker.incarnation, worker.state))

    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        sup.children["a"].on_exit(note)
        await crash_and_settle(puppet)
        assert calls == [(1, 1, "running")]
        assert sup.children["a"].incarnation == 2


async def test_callbacks_are_called_in_order_of_registration() -> None:
    calls: list[str] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        sup.children["a"].on_exit(lambda _: calls.append("one"))
        sup.children["a"].on_exit(lambda _: calls.append("two"))
        sup.children["a"].on_exit(lambda _: calls.append("three"))
        await crash_and_settle(puppet)
    assert calls[:3] == ["one", "two", "three"]


async def test_a_callback_is_removed_by_what_registering_returned() -> None:
    calls: list[Exit] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        remove = sup.children["a"].on_exit(calls.append)
        await crash_and_settle(puppet)
        remove()
        remove()  # may be called again
        await crash_and_settle(puppet)
    assert len(calls) == 1


async def test_a_callback_that_was_removed_by_one_before_it_is_not_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[Exit] = []
    removals: list[Callable[[], None]] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        sup.children["a"].on_exit(lambda _: removals[0]())
        removals.append(sup.children["a"].on_exit(calls.append))
        await crash_and_settle(puppet)
    assert calls == []
    assert "callback" not in caplog.text


async def test_a_callback_that_raises_is_logged_and_hurts_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(exit: Exit) -> None:
        raise Crash("of the callback")

    calls: list[Exit] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        sup.children["a"].on_exit(fail)
        sup.children["a"].on_exit(calls.append)
        await crash_and_settle(puppet)
        assert sup.children["a"].incarnation == 2
    assert [exit.incarnation for exit in calls] == [1, 2]
    assert "a callback of a child raised" in caplog.text


async def test_a_callback_is_a_plain_function() -> None:
    async def wait(exit: Exit) -> None: ...

    async with open_supervisor([Puppet().spec()]) as sup:
        worker = sup.children["a"]
        for register in (worker.on_exit, worker.on_gone):
            with pytest.raises(TypeError, match=rf"^{register.__name__} takes a plain function"):
                register(cast("Any", wait))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_an_interrupt_in_a_callback_goes_on_up(error: BaseException) -> None:
    def interrupt(exit: Exit) -> None:
        raise error

    diary, (a, b) = puppets("ab")
    with pytest.raises(type(error)) as caught:
        async with open_supervisor(specs(a, b)) as sup:
            diary.take()
            sup.children["b"].on_exit(interrupt)
            b.crash()
            await trio.sleep_forever()
    assert caught.value is error
    assert diary.take() == ["-b", "-a"]


async def test_a_child_that_was_stopped_or_failed_to_start_exits_too() -> None:
    reasons: list[str] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        sup.children["a"].on_exit(lambda exit: reasons.append(exit.reason))
        puppet.refusals = [Crash("once"), IgnoreChild("not now")]
        await crash_and_settle(puppet)
        await sup.restart_child("a")
        await sup.stop_child("a")
    assert reasons == ["crashed", "crashed", "shutdown", "stopped"]


# Callbacks on the end of it all


async def test_gone_means_that_nothing_runs_and_nothing_is_scheduled() -> None:
    calls: list[str] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec(restart="transient")]) as sup:
        sup.children["a"].on_gone(lambda: calls.append(sup.children["a"].state))
        await crash_and_settle(puppet)
        assert calls == []
        puppet.finish()
        await wait_all_tasks_blocked()
        assert calls == ["stopped"]


@pytest.mark.parametrize(
    "how", ["stopped", "ignored", "closed", "stopped while it backs off", "never started"]
)
async def test_there_are_many_ways_to_be_gone(how: str, autojump_clock: MockClock) -> None:
    calls: list[str] = []
    _, (a, b) = puppets("ab")
    async with open_supervisor([a.spec(backoff=TEN_SECONDS)]) as sup:
        worker = sup.children["a"]
        if how == "never started":
            sup.start_soon(Puppet(takes=9.0).run)
            worker = sup.start_soon(b.run)
        worker.on_gone(lambda: calls.append("gone"))
        if how == "ignored":
            a.refusals = [IgnoreChild("not now")]
        if how in {"ignored", "stopped while it backs off"}:
            await crash_and_settle(a)
        if how == "ignored":
            await trio.sleep(11.0)
        if how.startswith("stopped"):
            await sup.stop_child("a")
        assert calls == ([] if how in {"closed", "never started"} else ["gone"])
    assert calls == ["gone"]


@pytest.mark.parametrize("how", ["forgotten", "stopped", "stopped while it backs off", "closed"])
async def test_a_dynamic_child_is_gone_once(how: str, autojump_clock: MockClock) -> None:
    calls: list[str] = []
    puppet = Puppet()
    restart: Restart = "temporary" if how == "forgotten" else "permanent"
    async with open_dynamic_supervisor() as sup:
        worker = await sup.start_child(puppet.spec(restart=restart, backoff=TEN_SECONDS))
        worker.on_gone(lambda: calls.append("gone"))
        if how in {"forgotten", "stopped while it backs off"}:
            await crash_and_settle(puppet)
        if how.startswith("stopped"):
            await sup.stop_child("a")
        assert calls == ([] if how == "closed" else ["gone"])
    assert calls == ["gone"]


async def test_a_child_may_be_gone_and_come_back_and_be_gone_again() -> None:
    calls: list[int] = []
    async with open_supervisor([Puppet().spec()]) as sup:
        worker = sup.children["a"]
        remove = worker.on_gone(lambda: calls.append(worker.incarnation))
        await sup.stop_child("a")
        await sup.stop_child("a")  # it was gone already
        await sup.restart_child("a")
        await sup.stop_child("a")
        remove()
        await sup.restart_child("a")
        await sup.stop_child("a")
    assert calls == [1, 2]


async def test_a_sibling_in_a_group_restart_is_not_gone() -> None:
    calls: list[str] = []
    _, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), strategy="one_for_all") as sup:
        sup.children["b"].on_gone(lambda: calls.append("gone"))
        await crash_and_settle(a)
        assert calls == []


async def test_an_exit_is_told_before_the_end_of_it_all() -> None:
    calls: list[str] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec(restart="temporary")]) as sup:
        sup.children["a"].on_gone(lambda: calls.append("gone"))
        sup.children["a"].on_exit(lambda exit: calls.append(exit.reason))
        await crash_and_settle(puppet)
    assert calls == ["crashed", "gone"]


# Waiters


async def test_waiting_for_an_exit_ends_with_that_of_the_present_incarnation() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        worker = sup.children["a"]
        for incarnation in (1, 2, 3):
            puppet.crash()
            assert (await worker.wait_exit()).incarnation == incarnation
            await worker.wait_ready()


async def test_of_a_child_that_does_not_run_it_is_the_last_exit() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        exit = await sup.stop_child("a")
        assert await sup.children["a"].wait_exit() is exit


async def test_of_a_child_that_backs_off_it_is_the_last_exit(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec(backoff=TEN_SECONDS)]) as sup:
        await crash_and_settle(puppet)
        assert (await sup.children["a"].wait_exit()).incarnation == 1
        assert trio.current_time() == 0.0


async def test_of_a_child_that_is_about_to_start_it_is_the_first_exit() -> None:
    puppet = Puppet(refusals=[Crash("once")])
    async with open_supervisor() as sup:
        exit = await sup.start_soon(puppet.run, name="a").wait_exit()
    assert (exit.incarnation, exit.reason) == (1, "crashed")


async def test_all_who_wait_get_the_same_exit() -> None:
    async def wait() -> None:
        exits.append(await sup.children["a"].wait_exit())

    exits: list[Exit] = []
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup, trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        puppet.crash()
    assert len(exits) == 2
    assert exits[0] is exits[1]


async def test_one_who_gives_up_waiting_concerns_nobody(autojump_clock: MockClock) -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        for wait in (sup.children["a"].wait_exit, sup.wait_closed):
            with trio.move_on_after(1.0) as scope:
                await wait()
            assert scope.cancelled_caught
        assert sup.children["a"].state == "running"


async def test_a_child_that_wakes_on_the_exit_of_another_may_use_the_supervisor() -> None:
    async def follow() -> None:
        await sup.children["a"].wait_exit()
        await sup.start(rest)
        current_child().status = "done"
        await trio.sleep_forever()

    puppet = Puppet()
    async with open_supervisor([puppet.spec(restart="transient")]) as sup:
        await sup.start(follow)
        await wait_all_tasks_blocked()
        puppet.finish()
        await wait_all_tasks_blocked()
        assert sup.children["follow"].status == "done"
