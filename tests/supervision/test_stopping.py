"""Tests of how children are stopped: asked, cancelled, and waited for."""

from __future__ import annotations

import logging
import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    ChildNotFound,
    ChildUnstopped,
    ExitReason,
    ShutdownChild,
    SupervisorClosed,
    child,
    cleanup_scope,
    current_child,
    open_supervisor,
    stop_requested,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash, Diary, Puppet, puppets, rest, specs


async def listen() -> None:
    await stop_requested().wait()


async def listen_and_go_on() -> None:
    stop_requested()
    await trio.sleep_forever()


async def linger(seconds: float) -> None:
    """Take that long to end once cancelled, whatever anybody says."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


# In which order


@pytest.mark.parametrize("how", ["ends", "is cancelled", "is shut down"])
async def test_children_stop_newest_first_each_gone_before_the_next(
    how: str, autojump_clock: MockClock
) -> None:
    # Rules R9 and S70.
    diary, (a, b, c) = puppets("abc")
    a.cleanup = b.cleanup = c.cleanup = 1.0
    with trio.CancelScope() as scope:
        async with open_supervisor(specs(a, b, c)) as sup:
            await trio.sleep(1.0)
            if how == "is cancelled":
                scope.cancel()
            elif how == "is shut down":
                sup.shutdown()
    assert diary.lines[3:] == [(2.0, "-c"), (3.0, "-b"), (4.0, "-a")]


async def test_one_that_was_restarted_keeps_its_place() -> None:
    # Rule S25.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c)):
        a.crash()
        await wait_all_tasks_blocked()
        diary.take()
    assert diary.take() == ["-c", "-b", "-a"]


async def test_those_added_later_stop_first() -> None:
    # Rule S31.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a)) as sup:
        await sup.start_child(b.spec())
    assert diary.take() == ["+a", "+b", "-b", "-a"]


# The three steps


async def test_a_child_that_does_not_listen_is_cancelled_at_once(
    autojump_clock: MockClock,
) -> None:
    async with open_supervisor() as sup:
        worker = sup.start_soon(rest, grace=10.0)
        await worker.wait_ready()
        exit = await sup.stop_child("rest")
    assert exit is worker.last_exit
    assert exit is not None
    assert (exit.reason, exit.error, exit.ended_at) == ("stopped", None, 0.0)


async def test_a_listener_is_asked_and_may_end_by_itself(autojump_clock: MockClock) -> None:
    # Rule S71.
    async def finish_the_request() -> None:
        await stop_requested().wait()
        await trio.sleep(3.0)

    async with open_supervisor([child(finish_the_request, grace=5.0)]) as sup:
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("finish_the_request")
    assert exit is not None
    assert (exit.reason, exit.ended_at) == ("stopped", 3.0)


async def test_a_listener_that_goes_on_is_cancelled_after_its_grace(
    autojump_clock: MockClock,
) -> None:
    async with open_supervisor([child(listen_and_go_on, grace=5.0)]) as sup:
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("listen_and_go_on")
    assert exit is not None
    assert (exit.reason, exit.ended_at) == ("stopped", 5.0)


async def test_the_stop_of_a_listener_lasts_at_most_twice_its_grace(
    autojump_clock: MockClock,
) -> None:
    async def slow() -> None:
        stop_requested()
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep_forever()

    async with open_supervisor([child(slow, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert trio.current_time() == 10.0


async def test_without_grace_a_listener_is_cancelled_at_once(autojump_clock: MockClock) -> None:
    # Rule S72: brutal_kill.
    async with open_supervisor([child(listen_and_go_on, grace=0)]) as sup:
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("listen_and_go_on")
    assert exit is not None
    assert (exit.reason, exit.ended_at) == ("stopped", 0.0)


async def test_with_endless_grace_a_listener_is_waited_for(autojump_clock: MockClock) -> None:
    # Rule S73.
    async def slow() -> None:
        await stop_requested().wait()
        await trio.sleep(1e6)

    async with open_supervisor([child(slow, grace=math.inf)]):
        await wait_all_tasks_blocked()
    assert trio.current_time() == 1e6


async def test_to_look_is_not_to_listen(autojump_clock: MockClock) -> None:
    states: list[str] = []

    async def look() -> None:
        try:
            states.append(current_child().state)
            await trio.sleep_forever()
        finally:
            states.append(current_child().state)

    async with open_supervisor([child(look, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert states == ["running", "stopping"]
    assert trio.current_time() == 0.0


async def test_a_child_that_begins_to_listen_while_it_is_stopped_is_told_at_once(
    autojump_clock: MockClock,
) -> None:
    seen: list[bool] = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            seen.append(stop_requested().is_set())

    async with open_supervisor([child(work)]):
        await wait_all_tasks_blocked()
    assert seen == [True]


async def test_a_listener_that_is_cancelled_first_sees_the_event_set_too() -> None:
    seen: list[bool] = []

    async def work() -> None:
        stop = stop_requested()
        try:
            await trio.sleep_forever()
        finally:
            seen.append(stop.is_set())

    async with open_supervisor([child(work, grace=0)]):
        await wait_all_tasks_blocked()
    assert seen == [True]


async def test_each_incarnation_is_asked_anew() -> None:
    stops: list[trio.Event] = []

    async def work() -> None:
        assert stop_requested() is stop_requested()
        stops.append(stop_requested())
        if len(stops) == 1:
            raise Crash("once")
        await stop_requested().wait()

    async with open_supervisor([child(work)]):
        await wait_all_tasks_blocked()
    assert [stop.is_set() for stop in stops] == [False, True]


async def test_a_child_whose_cleanup_outlasts_its_time_is_reported_and_waited_for(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    # Rules R8 and S74: a Trio task cannot be killed.
    heard: list[tuple[float, ChildUnstopped]] = []
    with subscribe(lambda event: heard.append((trio.current_time(), event)), ChildUnstopped):
        async with open_supervisor([child(linger, 60.0, name="a", grace=5.0)], name="app"):
            await wait_all_tasks_blocked()
    assert trio.current_time() == 60.0
    ((at, event),) = heard
    assert (at, event.supervisor, event.child, event.incarnation) == (5.0, "app", "a", 1)
    assert event.after == 5.0
    assert "in linger" in event.stack
    assert "child 'a' (incarnation 1) still runs 5 s after it was cancelled" in caplog.text


async def test_a_listener_is_reported_after_its_second_grace(autojump_clock: MockClock) -> None:
    async def deaf() -> None:
        stop_requested()
        await linger(60.0)

    heard: list[float] = []
    with subscribe(lambda _: heard.append(trio.current_time()), ChildUnstopped):
        async with open_supervisor([child(deaf, grace=5.0)]):
            await wait_all_tasks_blocked()
    assert heard == [10.0]


async def test_a_child_that_ends_just_in_time_is_not_reported(autojump_clock: MockClock) -> None:
    heard: list[ChildUnstopped] = []
    with subscribe(heard.append, ChildUnstopped):
        async with open_supervisor([Puppet(cleanup=60.0).spec(grace=5.0)]):
            await wait_all_tasks_blocked()
    assert trio.current_time() == 5.0
    assert heard == []


async def test_a_child_that_only_has_to_unwind_any_more_is_not_reported(
    autojump_clock: MockClock,
) -> None:
    async def nest(depth: int) -> None:
        if depth:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(nest, depth - 1)
            return
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(60.0)

    heard: list[ChildUnstopped] = []
    with subscribe(heard.append, ChildUnstopped):
        async with open_supervisor([child(nest, 4, grace=5.0)]):
            await wait_all_tasks_blocked()
    assert (trio.current_time(), heard) == (5.0, [])


# How it ends while being stopped


@pytest.mark.parametrize(
    ("raised", "error"),
    [(None, False), (Crash("too bad"), True), (ShutdownChild("as you wish"), False)],
    ids=["returns", "raises", "shuts down"],
)
async def test_whatever_a_child_does_while_it_is_stopped_it_was_stopped(
    raised: Exception | None, error: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # Rule S75: it is not counted, not restarted and not raised, but it is logged.
    async def work() -> None:
        await stop_requested().wait()
        if raised is not None:
            raise raised

    async with open_supervisor(max_restarts=0) as sup:
        sup.start_soon(work)
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("work")
    assert exit is not None
    assert (exit.reason, exit.error) == ("stopped", raised if error else None)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * error


async def test_a_child_that_raises_when_cancelled_is_not_raised() -> None:
    # Rule R4, for children.
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Crash("in the cleanup")

    async with open_supervisor([child(work)], max_restarts=0) as sup:
        await wait_all_tasks_blocked()
    exit = sup.children["work"].last_exit
    assert exit is not None
    assert (exit.reason, repr(exit.error)) == ("stopped", "Crash('in the cleanup')")


async def test_a_group_of_an_error_and_cancellations_is_the_error() -> None:
    # Rules R3 and R4.
    async def fail_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Crash("in the cleanup")

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_late)
            nursery.start_soon(trio.sleep_forever)

    async with open_supervisor([child(work)]) as sup:
        await wait_all_tasks_blocked()
        exit = await sup.stop_child("work")
    assert exit is not None
    assert isinstance(exit.error, (Crash, ExceptionGroup))
    assert exit.reason == "stopped"


async def test_a_child_that_ends_as_it_is_stopped_has_ended_once() -> None:
    for _ in range(20):  # for both orders in which the scheduler may run the two
        diary, (a,) = puppets("a")
        async with open_supervisor(specs(a)) as sup:
            a.crash()
            await sup.stop_child("a")
            await wait_all_tasks_blocked()
            assert (sup.children["a"].state, diary.take()) == ("stopped", ["+a", "-a"])


async def test_a_child_can_tell_how_it_is_being_ended() -> None:
    endings: list[ExitReason | None] = []

    async def work(told: trio.Event) -> None:
        try:
            await told.wait()
        finally:
            endings.append(current_child().ending)

    told = trio.Event()
    async with open_supervisor() as sup:
        sup.start_soon(work, told, restart="temporary")
        sup.start_soon(work, trio.Event())
        await wait_all_tasks_blocked()
        assert sup.children["work-2"].ending is None
        told.set()
        await sup.stop_child("work-2")
        assert sup.children["work-2"].ending is None
    assert endings == [None, "stopped"]


@pytest.mark.parametrize(
    ("how", "said"),
    [("ends", "finished"), ("stop_child", "stop_child"), ("shutdown", "shutdown")],
)
async def test_the_reason_of_a_cancellation_is_given(how: str, said: str) -> None:
    # Rule R11.
    words: list[str] = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as error:
            words.append(str(error))
            raise

    async with open_supervisor([child(work)]) as sup:
        await wait_all_tasks_blocked()
        if how == "stop_child":
            await sup.stop_child("work")
        elif how == "shutdown":
            sup.shutdown()
    assert len(words) == 1
    assert said in words[0]


# By the order of somebody


async def test_stop_child_keeps_the_spec_and_counts_nothing() -> None:
    # Rule S83.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), strategy="one_for_all", max_restarts=0) as sup:
        await sup.stop_child("a")
        assert sup.children["a"].state == "stopped"
        assert (sup.children["a"].restarts, sup.snapshot().restarts) == (0, 0)
        assert diary.take() == ["+a", "+b", "-a"]


async def test_a_child_that_is_stopped_already_is_stopped_without_an_exit() -> None:
    # Rule S83: it is idempotent.
    async with open_supervisor([Puppet().spec()]) as sup:
        await sup.stop_child("a")
        assert await sup.stop_child("a") is None


async def test_a_temporary_child_that_is_stopped_is_forgotten() -> None:
    # Rule S83.
    async with open_supervisor([Puppet().spec(restart="temporary")]) as sup:
        exit = await sup.stop_child("a")
        assert exit is not None
        assert exit.reason == "stopped"
        with pytest.raises(ChildNotFound):
            await sup.stop_child("a")


async def test_a_stop_that_nobody_waits_for_any_more_goes_on(autojump_clock: MockClock) -> None:
    async with open_supervisor([Puppet(cleanup=3.0).spec()]) as sup:
        with trio.move_on_after(1.0) as scope:
            await sup.stop_child("a")
        assert scope.cancelled_caught
        assert (trio.current_time(), sup.children["a"].state) == (1.0, "stopping")
        exit = await sup.children["a"].wait_exit()
        assert (exit.reason, exit.ended_at) == ("stopped", 3.0)
        await wait_all_tasks_blocked()
        assert sup.children["a"].state == "stopped"


async def test_a_stop_that_nobody_waits_for_before_its_turn_has_come_goes_on_too(
    autojump_clock: MockClock,
) -> None:
    _, (a, b) = puppets("ab")
    b.takes = 9.0
    async with open_supervisor(specs(a)) as sup:
        sup.start_soon(b.run, name="b")
        with trio.move_on_after(1.0):
            await sup.stop_child("a")
        assert (trio.current_time(), sup.children["a"].state) == (1.0, "running")
        await sup.children["a"].wait_exit()
        await wait_all_tasks_blocked()
        assert (trio.current_time(), sup.children["a"].state) == (9.0, "stopped")


async def test_a_stop_that_is_cancelled_already_stops_nothing() -> None:
    # Rule R2.
    async with open_supervisor([Puppet().spec()]) as sup:
        with trio.CancelScope() as scope:
            scope.cancel()
            await sup.stop_child("a")
        await wait_all_tasks_blocked()
        assert scope.cancelled_caught
        assert sup.children["a"].state == "running"


@pytest.mark.parametrize("listens", [False, True], ids=["plain", "listener"])
async def test_a_child_that_stops_itself_is_cancelled(
    listens: bool, autojump_clock: MockClock
) -> None:
    async def work() -> None:
        if listens:
            stop_requested()
        try:
            await sup.stop_child("work")
        except trio.Cancelled:
            diary.note("cancelled")
            raise

    diary = Diary()
    async with open_supervisor() as sup:
        sup.start_soon(work)
        await wait_all_tasks_blocked()
        assert sup.children["work"].state == "stopped"
    assert diary.lines == [(0.0, "cancelled")]


async def test_two_who_stop_a_child_at_once_are_both_answered() -> None:
    answers: list[str | None] = []

    async def stop() -> None:
        exit = await sup.stop_child("a")
        answers.append(None if exit is None else exit.reason)

    async with open_supervisor([Puppet().spec()]) as sup:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            nursery.start_soon(stop)
    assert sorted(answers, key=str) == [None, "stopped"]


# The whole supervisor


async def test_shutdown_cancels_the_body_and_the_block_ends_without_an_error() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        sup.shutdown()
        sup.shutdown("again")
        await trio.sleep_forever()
    assert repr(sup) == "<Supervisor 'supervisor' closed, 1 children>"


async def test_shutdown_tells_the_body_why() -> None:
    async with open_supervisor(name="app") as sup:
        sup.shutdown("the disk is full")
        with pytest.raises(trio.Cancelled, match="'app': shutdown: the disk is full") as caught:
            await trio.sleep_forever()
        raise caught.value


async def test_shutdown_works_in_a_cancelled_scope() -> None:
    # Rule R35.
    async with open_supervisor([Puppet().spec()]) as sup:
        with trio.CancelScope() as scope:
            scope.cancel()
            sup.shutdown()
        await trio.sleep_forever()


@pytest.mark.realtime
async def test_shutdown_works_from_a_thread_that_enters_trio() -> None:
    # Rule R35.
    async with open_supervisor([Puppet().spec()]) as sup:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(sup.shutdown))
        await trio.sleep_forever()


async def test_a_supervisor_that_ends_can_still_be_shut_down() -> None:
    async with open_supervisor() as sup:
        pass
    sup.shutdown()
    sup.hurry()
    await sup.wait_closed()


async def test_others_can_wait_until_a_supervisor_is_closed(autojump_clock: MockClock) -> None:
    async def wait() -> None:
        await sup.wait_closed()
        closed_at.append(trio.current_time())

    closed_at: list[float] = []
    async with trio.open_nursery() as nursery:
        async with open_supervisor([Puppet(cleanup=3.0).spec()]) as sup:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            sup.shutdown()
    assert closed_at == [3.0]


async def test_orders_are_refused_once_the_end_has_begun(autojump_clock: MockClock) -> None:
    # Rule S93.
    async def give_orders() -> None:
        sup.shutdown()
        for order in (sup.stop_child("a"), sup.restart_child("a"), sup.start(rest)):
            with pytest.raises(SupervisorClosed):
                await order
        with pytest.raises(SupervisorClosed):
            sup.delete_child("a")

    async with trio.open_nursery() as nursery:
        async with open_supervisor([Puppet().spec()]) as sup:
            nursery.start_soon(give_orders)
            await trio.sleep_forever()


async def test_orders_under_way_are_refused_when_the_end_begins(autojump_clock: MockClock) -> None:
    # Rule S93.
    async def give(order: str) -> None:
        with pytest.raises(SupervisorClosed):
            await (sup.start(Puppet(takes=60.0).run) if order == "start" else sup.stop_child("a"))
        refused.append(order)

    refused: list[str] = []
    async with trio.open_nursery() as nursery:
        async with open_supervisor([Puppet().spec()]) as sup:
            nursery.start_soon(give, "start")
            await wait_all_tasks_blocked()
            nursery.start_soon(give, "stop")
            await wait_all_tasks_blocked()
            sup.shutdown()
    assert sorted(refused) == ["start", "stop"]
    assert trio.current_time() == 0.0


async def test_hurry_leaves_no_time_to_anybody(autojump_clock: MockClock) -> None:
    async def slow() -> None:
        stop_requested()
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep_forever()

    async with open_supervisor([child(slow, grace=math.inf), child(slow, grace=9.0)]) as sup:
        await wait_all_tasks_blocked()
        sup.hurry()
    assert trio.current_time() == 0.0


async def test_hurry_ends_a_cleanup_that_is_under_way(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shut_down_and_hurry_at, 2.0, nursery)
        await trio.sleep_forever()
    assert trio.current_time() == 2.0


async def shut_down_and_hurry_at(seconds: float, nursery: trio.Nursery) -> None:
    async def hurry() -> None:
        await trio.sleep(seconds)
        sup.hurry()

    async with open_supervisor([Puppet(cleanup=60.0).spec(grace=60.0)]) as sup:
        nursery.start_soon(hurry)
        await wait_all_tasks_blocked()
        sup.shutdown()
    nursery.cancel_scope.cancel()
