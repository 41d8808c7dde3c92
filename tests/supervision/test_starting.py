"""Tests of how children are started: in order, each ready before the next, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    ChildExists,
    ChildStartFailed,
    ShutdownChild,
    Supervisor,
    SupervisorClosed,
    SupervisorFailed,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
    supervise,
)

from ._puppets import Crash, Diary, Puppet, puppets, rest, specs


async def return_too_soon(*, task_status: trio.TaskStatus[None]) -> None:
    del task_status


async def shut_down_too_soon(*, task_status: trio.TaskStatus[None]) -> None:
    del task_status
    raise ShutdownChild("no work today")


async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
    del task_status
    await trio.sleep_forever()


async def crash_too_soon(*, task_status: trio.TaskStatus[None]) -> None:
    del task_status
    raise Crash("no database")


# The first children


async def test_children_are_started_in_order_each_ready_before_the_next(
    autojump_clock: MockClock,
) -> None:
    # Rule S1.
    diary, (a, b, c) = puppets("abc")
    a.takes, b.takes = 2.0, 1.0
    async with open_supervisor(specs(a, b, c)):
        assert diary.lines == [(0.0, "+a"), (2.0, "+b"), (3.0, "+c")]
        assert trio.current_time() == 3.0


async def test_a_function_without_task_status_is_ready_when_it_is_started() -> None:
    async def slow() -> None:
        await trio.sleep_forever()

    async with open_supervisor([child(slow)]) as sup:
        assert sup.children["slow"].state == "running"
        assert await sup.children["slow"].wait_ready() is None


async def test_a_child_gives_its_value_when_it_is_ready() -> None:
    async with open_supervisor([child(rest)]) as sup:
        assert sup.children["rest"].value == "ready"
        assert await sup.children["rest"].wait_ready() == "ready"


async def test_children_without_a_name_are_numbered() -> None:
    many = [child(rest), child(rest), child(rest, name="rest-3"), child(rest)]
    async with open_supervisor(many) as sup:
        assert list(sup.children) == ["rest", "rest-2", "rest-3", "rest-4"]
        assert sup.start_soon(rest).name == "rest-5"


async def test_a_name_that_is_given_is_never_taken_by_a_child_without_one() -> None:
    async with open_supervisor([child(rest), child(rest, name="rest")]) as sup:
        assert list(sup.children) == ["rest-2", "rest"]


@pytest.mark.parametrize(
    ("async_fn", "why", "cause"),
    [
        (crash_too_soon, "Crash: no database", Crash),
        (shut_down_too_soon, "ShutdownChild: no work today", ShutdownChild),
        (
            return_too_soon,
            "RuntimeError: return_too_soon returned before it called task_status.started(): call "
            "it when the child is ready, or do not take task_status",
            RuntimeError,
        ),
    ],
    ids=["raises", "shuts down", "returns"],
)
async def test_a_child_that_ends_before_it_is_ready_has_failed_to_start(
    async_fn: Callable[..., Awaitable[None]], why: str, cause: type[Exception]
) -> None:
    # Rules S2 and S4.
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([child(async_fn, name="db")], name="app"):
            pytest.fail("the body must not run")
    assert str(caught.value) == f"child 'db' of supervisor 'app' failed to start: {why}"
    assert (caught.value.supervisor, caught.value.child) == ("app", "db")
    assert type(caught.value.__cause__) is cause
    assert isinstance(caught.value, SupervisorFailed)


async def test_the_error_of_a_failed_start_is_the_cause_itself() -> None:
    error = Crash("no database")
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([Puppet(refusals=[error]).spec()]):
            pytest.fail("the body must not run")
    assert caught.value.__cause__ is error


async def test_when_one_fails_to_start_those_before_it_are_stopped_newest_first() -> None:
    # Rules S2 and S3: nothing is tried again, and later ones are never started.
    diary, (a, b, c, d) = puppets("abcd")
    c.refusals = [Crash("once")]
    with pytest.raises(ChildStartFailed, match="child 'c'"):
        async with open_supervisor(specs(a, b, c, d)):
            pytest.fail("the body must not run")
    assert diary.take() == ["+a", "+b", "!c", "-b", "-a"]


async def test_a_plain_function_that_crashes_at_once_has_started_all_the_same() -> None:
    puppet = Puppet(refusals=[Crash("at once")])
    async with open_supervisor([child(puppet.run_plainly, name="a")]) as sup:
        await wait_all_tasks_blocked()
        assert (sup.children["a"].state, sup.children["a"].incarnation) == ("running", 2)


async def test_a_child_that_is_not_ready_in_time_has_failed_to_start(
    autojump_clock: MockClock,
) -> None:
    spec = child(never_ready, name="db", ready_within=3.0)
    with pytest.raises(ChildStartFailed, match="was not ready within 3 seconds: call") as caught:
        async with open_supervisor([spec]):
            pytest.fail("the body must not run")
    assert trio.current_time() == 3.0
    assert isinstance(caught.value.__cause__, trio.TooSlowError)


async def test_a_child_that_is_ready_in_time_may_take_its_time_afterwards(
    autojump_clock: MockClock,
) -> None:
    puppet = Puppet(takes=2.0)
    async with open_supervisor([puppet.spec(ready_within=3.0)]) as sup:
        await trio.sleep(100.0)
        assert sup.children["a"].incarnation == 1


# While a child starts


async def test_an_outer_deadline_cuts_the_first_starts_short(autojump_clock: MockClock) -> None:
    # Rule R23: a cancelled nursery would wait for the whole start-up of b (trio#1431).
    diary, (a, b, c) = puppets("abc")
    b.takes = 60.0
    with trio.move_on_after(1.0) as scope:
        async with open_supervisor(specs(a, b, c)):
            pytest.fail("the body must not run")
    assert scope.cancelled_caught
    assert diary.lines == [(0.0, "+a"), (0.0, "+b"), (1.0, "-b"), (1.0, "-a")]


async def test_a_shutdown_cuts_a_start_short(autojump_clock: MockClock) -> None:
    diary, (a, b) = puppets("ab")
    b.takes = 60.0
    async with open_supervisor(specs(a)) as sup:
        sup.start_soon(b.run, name="b")
        await wait_all_tasks_blocked()
        sup.shutdown()
    assert diary.lines == [(0.0, "+a"), (0.0, "+b"), (0.0, "-b"), (0.0, "-a")]


async def test_a_tree_that_is_shut_down_while_it_starts_starts_no_more(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    b.takes = 60.0
    async with open_supervisor() as sup:
        sup.start_soon(supervise, specs(a, b, c), name="tree")
        await wait_all_tasks_blocked()
        sup.shutdown()
    assert trio.current_time() == 0.0
    assert diary.take() == ["+a", "+b", "-b", "-a"]


async def test_other_orders_wait_while_a_child_starts(autojump_clock: MockClock) -> None:
    # Rule S12.
    diary, (a, b, c) = puppets("abc")
    b.takes = 3.0
    async with open_supervisor(specs(a)) as sup:
        sup.start_soon(b.run, name="b")
        sup.start_soon(c.run, name="c")
        assert await sup.stop_child("a") is not None
        assert diary.lines == [(0.0, "+a"), (0.0, "+b"), (3.0, "+c"), (3.0, "-a")]


async def test_an_exit_that_comes_during_a_start_is_handled_after_it(
    autojump_clock: MockClock,
) -> None:
    # Rule S12.
    diary, (a, b) = puppets("ab")
    b.takes = 3.0
    async with open_supervisor(specs(a)) as sup:
        sup.start_soon(b.run, name="b")
        await wait_all_tasks_blocked()
        a.crash()
        await sup.children["b"].wait_ready()
        await wait_all_tasks_blocked()
        assert diary.lines[1:] == [(0.0, "+b"), (0.0, "-a"), (3.0, "+a")]


async def test_a_child_that_is_not_ready_cannot_give_orders_to_its_supervisor() -> None:
    # Rule S94: it would wait for itself.
    async def greedy(*, task_status: trio.TaskStatus[None]) -> None:
        await sup.start(rest)
        task_status.started()

    async with open_supervisor() as sup:
        with pytest.raises(ChildStartFailed, match=r"before it was ready.*started\(\) first"):
            await sup.start(greedy)
        assert len(sup.children) == 0


@pytest.mark.parametrize("verb", ["start_child", "stop_child", "restart_child"])
async def test_nor_can_what_runs_in_a_tree_below_it(verb: str) -> None:
    async def greedy(*, task_status: trio.TaskStatus[None]) -> None:
        subject = child(rest) if verb == "start_child" else "rest"
        await getattr(sup, verb)(subject)
        task_status.started()

    async with open_supervisor([child(rest)]) as sup:
        with pytest.raises(ChildStartFailed) as caught:
            await sup.start_child(subtree([child(greedy)], name="web"))
        assert caught.value.__cause__ is not None
        assert isinstance(caught.value.__cause__.__cause__, RuntimeError)


async def test_a_child_that_is_ready_may_give_orders() -> None:
    async def parent(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await sup.start(rest)
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        await sup.start(parent)
        await wait_all_tasks_blocked()
        assert list(sup.children) == ["parent", "rest"]


async def test_a_start_without_waiting_is_allowed_before_a_child_is_ready() -> None:
    async def parent(*, task_status: trio.TaskStatus[None]) -> None:
        sup.start_soon(rest)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        await sup.start(parent)
        assert await sup.children["rest"].wait_ready() == "ready"


# Started while it runs


async def test_a_child_started_soon_runs_at_the_next_step_of_the_supervisor() -> None:
    diary = Diary()
    async with open_supervisor() as sup:
        worker = sup.start_soon(Puppet("a", diary).run, name="a")
        assert (worker.state, worker.incarnation, worker.last_exit) == ("starting", 0, None)
        assert diary.take() == []
        assert await worker.wait_ready() == "a"
        assert diary.take() == ["+a"]


async def test_a_child_that_is_started_is_ready_afterwards(autojump_clock: MockClock) -> None:
    async with open_supervisor() as sup:
        worker = await sup.start(Puppet(takes=2.0).run)
        assert (worker.state, worker.value, trio.current_time()) == ("running", "a", 2.0)
        assert worker is sup.children["run"]


async def test_a_failed_start_keeps_no_spec_and_is_not_counted() -> None:
    # Rule S81.
    error = Crash("no database")
    async with open_supervisor(max_restarts=0) as sup:
        with pytest.raises(ChildStartFailed, match="Crash: no database") as caught:
            await sup.start_child(Puppet(refusals=[error]).spec())
        assert caught.value.__cause__ is error
        assert len(sup.children) == 0
        assert sup.snapshot().restarts == 0
        await sup.start_child(Puppet().spec())


async def test_a_failed_start_leaves_the_siblings_alone() -> None:
    # Rule S81.
    diary, (a, b) = puppets("ab")
    b.refusals = [Crash("once")]
    async with open_supervisor(specs(a), strategy="one_for_all") as sup:
        with pytest.raises(ChildStartFailed):
            await sup.start_child(b.spec())
        assert diary.take() == ["+a", "!b"]


async def test_a_child_started_soon_that_fails_has_crashed_and_is_tried_again() -> None:
    diary, (a,) = puppets("a")
    a.refusals = [Crash("once"), Crash("twice")]
    async with open_supervisor() as sup:
        worker = sup.start_soon(a.run, name="a")
        assert await worker.wait_ready() == "a"
        assert diary.take() == ["!a", "!a", "+a"]
        assert (worker.incarnation, worker.restarts, sup.snapshot().restarts) == (3, 2, 2)


async def test_one_that_fails_and_is_not_tried_again_fails_those_who_wait() -> None:
    error = Crash("once")
    async with open_supervisor() as sup:
        puppet = Puppet(refusals=[error])
        worker = sup.start_soon(puppet.run, name="a", restart="temporary")
        with pytest.raises(ChildStartFailed, match="Crash: once") as caught:
            await worker.wait_ready()
        assert caught.value.__cause__ is error
        assert worker.last_exit is not None
        assert worker.last_exit.reason == "crashed"


async def test_a_child_that_was_stopped_will_not_be_ready() -> None:
    async with open_supervisor([child(rest)]) as sup:
        await sup.stop_child("rest")
        with pytest.raises(ChildStartFailed, match=r"restart_child\('rest'\) would start it"):
            await sup.children["rest"].wait_ready()


async def test_a_child_whose_turn_never_came_fails_those_who_wait(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b) = puppets("ab")
    a.takes = 60.0
    async with open_supervisor() as sup:
        sup.start_soon(a.run, name="a")
        second = sup.start_soon(b.run, name="b")
        await wait_all_tasks_blocked()
        sup.shutdown()
    with pytest.raises(ChildStartFailed, match=r"child 'b' .*: it was never started"):
        await second.wait_ready()
    with pytest.raises(RuntimeError, match="child 'b' never ran"):
        await second.wait_exit()
    assert diary.take() == ["+a", "-a"]


async def test_the_next_readiness_can_be_waited_for_over_a_restart(
    autojump_clock: MockClock,
) -> None:
    puppet = Puppet(takes=2.0)
    async with open_supervisor([puppet.spec()]) as sup:
        puppet.crash()
        await sup.children["a"].wait_exit()
        assert await sup.children["a"].wait_ready() == "a"
        assert (trio.current_time(), sup.children["a"].incarnation) == (4.0, 2)


async def test_a_child_that_has_ended_is_not_ready_though_nobody_has_noticed(
    autojump_clock: MockClock,
) -> None:
    _, (a, b) = puppets("ab")
    b.takes = 9.0
    async with open_supervisor(specs(a)) as sup:
        sup.start_soon(b.run, name="b")
        await trio.sleep(1.0)
        a.crash()
        await wait_all_tasks_blocked()
        assert await sup.children["a"].wait_ready() == "a"
        assert (trio.current_time(), sup.children["a"].incarnation) == (9.0, 2)


async def test_what_is_refused_is_refused_at_once() -> None:
    async with open_supervisor([child(rest)]) as sup:
        with pytest.raises(ChildExists) as caught:
            sup.start_soon(rest, name="rest")
        assert (caught.value.child, caught.value.state) == ("rest", "running")
    with pytest.raises(SupervisorClosed) as closed:
        sup.start_soon(rest)
    assert closed.value.supervisor == "supervisor"


async def test_a_supervisor_that_was_not_entered_takes_no_children() -> None:
    handles: list[Supervisor] = []
    async with open_supervisor() as sup:
        handles.append(sup)
        sup.shutdown()
        with pytest.raises(SupervisorClosed):
            sup.start_soon(rest)
        with pytest.raises(SupervisorClosed):
            with trio.CancelScope(shield=True):
                await sup.start(rest)


# The starter's own cancellation


@pytest.mark.parametrize("verb", ["start", "restart"])
async def test_a_starter_that_leaves_takes_the_child_with_it(
    verb: str, autojump_clock: MockClock
) -> None:
    # Rule R24: before readiness the starter's scope governs.
    diary, (a,) = puppets("a")
    async with open_supervisor() as sup:
        if verb == "restart":
            await sup.start_child(a.spec())
            await sup.stop_child("a")
        a.takes, a.cleanup = 10.0, 2.0
        with trio.move_on_after(1.0) as scope:
            await (sup.start_child(a.spec()) if verb == "start" else sup.restart_child("a"))
        assert scope.cancelled_caught
        assert trio.current_time() == 3.0  # the child is joined before the Cancelled goes on
        assert diary.lines[-2:] == [(0.0, "+a"), (3.0, "-a")]
        assert [one.state for one in sup.children.values()] == ["stopped"] * (verb == "restart")
        assert sup.snapshot().restarts == 0


async def test_a_child_that_is_ready_survives_its_starter() -> None:
    # Rule R24.
    async with open_supervisor() as sup:
        with trio.CancelScope() as scope:
            await sup.start(rest)
            scope.cancel()
            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert sup.children["rest"].state == "running"


async def test_a_starter_that_is_cancelled_already_starts_nothing() -> None:
    # Rule R2.
    diary, (a,) = puppets("a")
    for opened in (open_supervisor(), open_dynamic_supervisor()):
        async with opened as sup:
            with trio.CancelScope() as scope:
                scope.cancel()
                await sup.start_child(a.spec())
            assert scope.cancelled_caught
            await wait_all_tasks_blocked()
            assert (diary.take(), len(sup.children)) == ([], 0)


async def test_a_starter_that_leaves_before_its_turn_starts_nothing(
    autojump_clock: MockClock,
) -> None:
    # Rule R2.
    diary, (a, b) = puppets("ab")
    a.takes = 5.0
    async with open_supervisor() as sup:
        sup.start_soon(a.run, name="a")
        with trio.move_on_after(1.0) as scope:
            await sup.start_child(b.spec())
        assert scope.cancelled_caught
        assert trio.current_time() == 1.0
        await sup.children["a"].wait_ready()
        await wait_all_tasks_blocked()
        assert diary.take() == ["+a"]


async def test_a_child_that_absorbs_the_cancellation_of_its_start_is_still_stopped(
    autojump_clock: MockClock,
) -> None:
    # Rule R23: tractor#464, where such a child turned it into a RuntimeError.
    async def stubborn(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.move_on_after(60.0):
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                diary.note("absorbed")
                task_status.started()
                raise

    diary = Diary()
    async with open_supervisor() as sup:
        with trio.move_on_after(1.0) as scope:
            await sup.start(stubborn)
        assert scope.cancelled_caught
        assert diary.lines == [(1.0, "absorbed")]
        assert len(sup.children) == 0


async def test_a_child_that_is_late_is_not_ready_after_all(autojump_clock: MockClock) -> None:
    # Rule R23: trio#2895, started() after the start was given up must not revive the child.
    async def late(*, task_status: trio.TaskStatus[str]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            task_status.started("late")

    with pytest.raises(ChildStartFailed, match="not ready within 1 seconds"):
        async with open_supervisor([child(late, ready_within=1.0)]):
            pytest.fail("the body must not run")


async def test_the_starter_may_leave_at_the_very_moment_of_readiness(
    autojump_clock: MockClock,
) -> None:
    # Rule R24: either it has the child, or there is no child.
    for _ in range(20):  # for both orders in which the scheduler may run the two
        async with open_supervisor() as sup:
            with trio.move_on_after(1.0) as scope:
                await sup.start(Puppet(takes=1.0).run, name="a")
            await wait_all_tasks_blocked()
            states = [one.state for one in sup.children.values()]
            assert states == ([] if scope.cancelled_caught else ["running"])


async def test_to_be_ready_twice_is_an_error_of_the_child() -> None:
    # Rule R23.
    errors: list[RuntimeError] = []

    async def eager(*, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(1)
        with pytest.raises(RuntimeError, match="twice") as caught:
            task_status.started(2)
        errors.append(caught.value)
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        assert (await sup.start(eager)).value == 1
        assert str(errors[0]) == ("child 'eager' called task_status.started() twice: call it once")


async def test_to_be_ready_after_the_end_is_an_error() -> None:
    kept: list[trio.TaskStatus[None]] = []

    async def leaky(*, task_status: trio.TaskStatus[None]) -> None:
        kept.append(task_status)
        raise Crash("too soon")

    async with open_supervisor() as sup:
        with pytest.raises(ChildStartFailed):
            await sup.start(leaky)
        with pytest.raises(RuntimeError, match="after child 'leaky' had ended"):
            kept[0].started()


async def test_what_returns_nothing_to_await_crashes_with_its_name() -> None:
    def plain() -> int:
        return 3

    async with open_supervisor() as sup:
        worker = sup.start_soon(cast("Any", plain), restart="temporary")
        exit = await worker.wait_exit()
        assert isinstance(exit.error, TypeError)
        assert str(exit.error).endswith(
            "plain returned 3: write async def, or have it run in a thread: "
            "child(trio.to_thread.run_sync, plain)"
        )


async def test_any_awaitable_will_do() -> None:
    class Work:
        def __await__(self) -> Generator[Any, Any, None]:
            return poll().__await__()

    async def poll() -> None: ...

    async with open_supervisor() as sup:
        assert (await sup.start_soon(Work, restart="temporary").wait_exit()).reason == "returned"


async def test_a_child_knows_its_incarnation_when_it_starts() -> None:
    numbers: list[int] = []

    async def work() -> None:
        numbers.append(current_child().incarnation)
        if len(numbers) < 3:
            raise Crash("again")
        await trio.sleep_forever()

    async with open_supervisor([child(work)]):
        await wait_all_tasks_blocked()
    assert numbers == [1, 2, 3]


async def test_supervise_is_started_with_its_handle(autojump_clock: MockClock) -> None:
    diary, (a,) = puppets("a")
    async with trio.open_nursery() as nursery:
        sup = await nursery.start(supervise, specs(a))
        assert sup.children["a"].state == "running"
        nursery.cancel_scope.cancel()
    assert diary.take() == ["+a", "-a"]


async def test_a_block_is_entered_once() -> None:
    block = open_supervisor()
    async with block:
        with pytest.raises(RuntimeError, match=r"entered once: call open_supervisor\(\) again"):
            async with block:
                pytest.fail("the body must not run")
