"""Attacks: what is kept alive, what is told of whom, and clocks to the second."""

from __future__ import annotations

import contextvars
import gc
import math
import weakref
from threading import Thread

import pytest
import trio
import trio.lowlevel
import trio.testing

from trio_foundation.supervision import (
    ChildUnstopped,
    Liveness,
    RestartLimitReached,
    ShutdownChild,
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


class Local:
    pass


async def test_the_locals_of_a_crash_die_when_the_child_is_started_again(
    autojump_clock: Clock,
) -> None:
    locals_of_crashes: list[weakref.ref[Local]] = []

    async def crash() -> None:
        local = Local()
        locals_of_crashes.append(weakref.ref(local))
        await trio.sleep(1)
        try:
            raise KeyError  # noqa: TRY301  its traceback holds these locals too
        except KeyError as error:
            raise ExceptionGroup("two", [ValueError(), OSError()]) from error

    async with open_supervisor(max_restarts=100) as sup:
        sup.start_soon(crash)
        await trio.sleep(3.5)
        gc.collect()
        assert [ref() is None for ref in locals_of_crashes] == [True, True, True, False]


async def test_many_rounds_leave_as_many_objects_as_few(autojump_clock: Clock) -> None:
    async def serve(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    async with open_dynamic_supervisor() as dyn, open_supervisor() as sup:

        async def rounds(count: int) -> int:
            for _ in range(count):
                one = await dyn.start(serve, liveness=Liveness(every=5), ready_within=5)
                with one.monitor():
                    one.on_exit(lambda _: None)
                    await dyn.stop_child(one.name)
                await sup.start(serve, name="s")
                await sup.stop_child("s")
                sup.delete_child("s")
                await dyn.start_soon(trio.sleep, 0).wait_exit()
            gc.collect()
            return len(gc.get_objects())

        await rounds(50)
        few = await rounds(50)
        assert await rounds(2000) - few < 50  # what other tests have left may go meanwhile


async def test_every_incarnation_sees_the_context_of_who_handed_over_the_spec(
    autojump_clock: Clock,
) -> None:
    var = contextvars.ContextVar[str]("var", default="unset")
    seen: list[str] = []

    async def crash() -> None:
        seen.append(var.get())
        var.set("from the crasher")
        await trio.sleep(1)
        raise ValueError

    spec = child(crash)
    var.set("opener")
    async with open_supervisor([spec]) as sup:
        var.set("starter")
        sup.start_soon(crash, name="b")
        var.set("later")
        await trio.sleep(1.5)
    assert sorted(seen) == ["opener", "opener", "starter", "starter"]


async def test_who_is_asked_and_cancelled_when_to_the_second(autojump_clock: Clock) -> None:
    times: dict[str, float] = {}

    async def listen() -> None:
        event = stop_requested()
        try:
            await event.wait()
            times["asked"] = trio.current_time()
            await trio.sleep_forever()
        finally:
            times["cancelled"] = trio.current_time()
            with cleanup_scope():
                await trio.sleep_forever()
            times["cleaned"] = trio.current_time()
            with trio.CancelScope(shield=True):
                await trio.sleep(7)

    reports: list[ChildUnstopped] = []
    with subscribe(reports.append, ChildUnstopped):
        async with open_supervisor() as sup:
            await sup.start(listen, grace=3.0)
            await trio.sleep(1)
    assert times == {"asked": 1.0, "cancelled": 4.0, "cleaned": 7.0}
    assert trio.current_time() == 14
    assert [report.after for report in reports] == [3.0]


async def test_silence_is_counted_from_readiness_and_from_the_last_beat(
    autojump_clock: Clock,
) -> None:
    async def mute(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(10)
        task_status.started()
        await trio.sleep(2.5)
        current_child().beat()
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        one = sup.start_soon(mute, restart="transient", liveness=Liveness(every=1.0, misses=3))
        exit = await one.wait_exit()
        assert (exit.reason, exit.ended_at) == ("unresponsive", 15.5)


async def test_a_child_not_ready_in_time_has_failed_to_start(autojump_clock: Clock) -> None:
    async def slow(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep_forever()

    async with open_supervisor() as sup:
        one = sup.start_soon(slow, restart="temporary", ready_within=2.0, grace=3.0)
        exit = await one.wait_exit()
        assert exit.ended_at == 5
        assert exit.reason == "crashed"
        assert isinstance(exit.error, trio.TooSlowError)


@pytest.mark.parametrize(("gap", "survives"), [(5.0, False), (5.001, True)])
async def test_a_restart_exactly_as_old_as_the_window_counts(
    gap: float, survives: bool, autojump_clock: Clock
) -> None:
    async def crash() -> None:
        await trio.sleep(gap)
        raise ValueError

    gave_up = False
    try:
        async with open_supervisor(max_restarts=1, within=5.0) as sup:
            sup.start_soon(crash)
            await trio.sleep(100)
    except RestartLimitReached:
        gave_up = True
    assert gave_up is not survives


async def test_a_child_that_spins_through_cancellation_is_reported_once(
    autojump_clock: Clock,
) -> None:
    async def spin() -> None:
        for _ in range(1000):
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled:
                await trio.lowlevel.cancel_shielded_checkpoint()

    reports: list[ChildUnstopped] = []
    with subscribe(reports.append, ChildUnstopped):
        async with open_supervisor() as sup:
            await sup.start(spin, grace=0.0, restart="temporary")
            await trio.lowlevel.checkpoint()
    assert len(reports) == 1


async def test_a_block_is_entered_once(autojump_clock: Clock) -> None:
    block = open_supervisor([child(trio.sleep_forever)])
    async with block as sup:
        with pytest.raises(RuntimeError, match="entered once"):
            async with block:
                raise AssertionError
        assert sup.children["sleep_forever"].state == "running"
    with pytest.raises(RuntimeError, match="entered once"):
        async with block:
            raise AssertionError
    sup.shutdown()
    sup.shutdown()
    await sup.wait_closed()
    with pytest.raises(SupervisorClosed):
        sup.start_soon(trio.sleep_forever)


async def test_all_significant_ends_when_the_last_is_done_however_the_others_stopped(
    autojump_clock: Clock,
) -> None:
    async def finish(after: float) -> None:
        await trio.sleep(after)
        raise ShutdownChild

    tree = [
        child(finish, 1, name="a", restart="transient", significant=True),
        child(finish, 2, name="b", restart="temporary", significant=True),
        child(finish, 9, name="c", restart="transient", significant=True),
    ]
    async with open_supervisor(tree, auto_shutdown="all_significant") as sup:
        await sup.stop_child("c")
        await trio.sleep(math.inf)
    assert trio.current_time() == 2


async def test_waiting_is_a_checkpoint_in_every_state(autojump_clock: Clock) -> None:
    async with open_supervisor([child(trio.sleep_forever, name="a")]) as sup:
        a = sup.children["a"]
        with trio.testing.assert_checkpoints():
            await a.wait_ready()
        with trio.testing.assert_checkpoints():
            await sup.stop_child("a")
        with trio.testing.assert_checkpoints():
            await sup.stop_child("a")
        with trio.testing.assert_checkpoints():
            await a.wait_exit()
        with trio.testing.assert_checkpoints():
            await sup.restart_child("a")
        async with open_dynamic_supervisor() as dyn:
            with trio.testing.assert_checkpoints():
                await dyn.start(trio.sleep_forever, name="b")
            with trio.testing.assert_checkpoints():
                await dyn.stop_child("b")
        with trio.testing.assert_checkpoints():
            await dyn.wait_closed()


def test_two_runs_in_two_threads_do_not_meet() -> None:
    ends: list[str] = []

    async def main() -> None:
        async def crash() -> None:
            await trio.lowlevel.checkpoint()
            raise ValueError

        try:
            async with open_supervisor(max_restarts=500) as sup:
                sup.start_soon(crash)
                await trio.sleep(30)
        except RestartLimitReached as error:
            ends.append(str(len(error.exits)))

    threads = [
        Thread(target=trio.run, args=(main,), kwargs={"clock": Clock(autojump_threshold=0)})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == ["100", "100"]
