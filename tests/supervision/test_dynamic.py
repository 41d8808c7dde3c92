"""Tests of children that come and go."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    Child,
    ChildExists,
    ChildNotFound,
    ChildStartFailed,
    SupervisorClosed,
    TooManyChildren,
    child,
    cleanup_scope,
    open_dynamic_supervisor,
    stop_requested,
    subtree,
)

from ._puppets import Crash, Diary, Puppet, puppets, rest

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)


# Coming


async def test_here_a_child_is_temporary_unless_it_is_said_otherwise() -> None:
    async with open_dynamic_supervisor() as sup:
        assert sup.start_soon(rest).spec.restart == "temporary"
        assert (await sup.start(rest)).spec.restart == "temporary"
        assert sup.start_soon(rest, restart="permanent").spec.restart == "permanent"
        assert (await sup.start_child(child(rest))).spec.restart == "permanent"


async def test_a_name_is_optional_and_unique() -> None:
    # Rule D1: the same function may be started many times.
    async with open_dynamic_supervisor() as sup:
        names = [sup.start_soon(rest).name for _ in range(3)]
        assert names == ["rest", "rest-2", "rest-3"]
        with pytest.raises(ChildExists):
            sup.start_soon(rest, name="rest-2")
        await sup.stop_child("rest-2")
        assert sup.start_soon(rest, name="rest-2").name == "rest-2"


async def test_a_child_started_soon_runs_at_the_next_step() -> None:
    diary, (a,) = puppets("a")
    async with open_dynamic_supervisor() as sup:
        worker = sup.start_soon(a.run, name="a")
        assert (worker.state, worker.incarnation, diary.take()) == ("starting", 1, [])
        assert await worker.wait_ready() == "a"
        assert diary.take() == ["+a"]


async def test_children_start_beside_one_another(autojump_clock: MockClock) -> None:
    diary, (a, b) = puppets("ab")
    a.takes, b.takes = 3.0, 1.0
    async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:
        nursery.start_soon(sup.start_child, a.spec())
        nursery.start_soon(sup.start_child, b.spec())
    assert trio.current_time() == 3.0
    assert {line for at, line in diary.lines if at == 0.0} == {"+a", "+b"}


async def test_exits_are_handled_while_others_start(autojump_clock: MockClock) -> None:
    # A deviation from OTP (rule S12), listed.
    diary, (a, b) = puppets("ab")
    b.takes = 9.0
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(a.spec())
        sup.start_soon(b.run, name="b")
        await trio.sleep(1.0)
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.lines[2:] == [(1.0, "-a"), (1.0, "+a")]


async def test_a_failed_start_keeps_nothing_and_counts_nothing() -> None:
    # Rule D3.
    error = Crash("no database")
    async with open_dynamic_supervisor(max_restarts=0) as sup:
        with pytest.raises(ChildStartFailed, match="Crash: no database") as caught:
            await sup.start_child(Puppet(refusals=[error]).spec())
        assert caught.value.__cause__ is error
        assert (len(sup.children), sup.snapshot().restarts) == (0, 0)


async def test_a_child_started_soon_that_fails_has_crashed() -> None:
    puppet = Puppet(refusals=[Crash("once")])
    async with open_dynamic_supervisor() as sup:
        worker = sup.start_soon(puppet.run, restart="transient")
        assert await worker.wait_ready() == "a"
        assert (worker.incarnation, sup.snapshot().restarts) == (2, 1)


async def test_a_temporary_child_started_soon_that_fails_is_gone() -> None:
    puppet = Puppet(refusals=[Crash("once")])
    async with open_dynamic_supervisor() as sup:
        worker = sup.start_soon(puppet.run, name="a")
        with pytest.raises(ChildStartFailed, match=r"child 'a' .* Crash: once"):
            await worker.wait_ready()
        assert len(sup.children) == 0


async def test_a_restart_that_fails_is_tried_again_until_the_limit_is_spent() -> None:
    # Rules D2 and S60.
    diary, (a,) = puppets("a")
    async with open_dynamic_supervisor() as sup:
        worker = await sup.start_child(a.spec())
        a.refusals = [Crash("once"), Crash("twice")]
        a.crash()
        await worker.wait_exit()
        await worker.wait_ready()
        assert diary.take() == ["+a", "-a", "!a", "!a", "+a"]


async def test_a_child_that_is_not_ready_cannot_wait_for_another() -> None:
    # Rule S94, also here, so that a tree may be moved from one kind to the other.
    async def greedy(*, task_status: trio.TaskStatus[None]) -> None:
        await sup.start(rest)
        task_status.started()

    async with open_dynamic_supervisor() as sup:
        with pytest.raises(ChildStartFailed, match="before it was ready"):
            await sup.start(greedy)


async def test_a_child_may_start_others() -> None:
    async def parent() -> None:
        await sup.start(rest)
        sup.start_soon(rest)
        await trio.sleep_forever()

    async with open_dynamic_supervisor() as sup:
        sup.start_soon(parent)
        await wait_all_tasks_blocked()
        assert list(sup.children) == ["parent", "rest", "rest-2"]


# How many


async def test_there_are_at_most_so_many() -> None:
    # Rule D4.
    async with open_dynamic_supervisor(max_children=2) as sup:
        sup.start_soon(rest)
        await sup.start(rest)
        with pytest.raises(TooManyChildren) as caught:
            sup.start_soon(rest)
        with pytest.raises(TooManyChildren):
            await sup.start(rest)
        assert (caught.value.supervisor, caught.value.max_children) == ("dynamic", 2)
        await sup.stop_child("rest")
        await sup.start(rest)


async def test_a_child_that_is_to_be_restarted_counts(autojump_clock: MockClock) -> None:
    # Rule D4.
    puppet = Puppet()
    async with open_dynamic_supervisor(max_children=1) as sup:
        await sup.start_child(puppet.spec(backoff=TEN_SECONDS))
        puppet.crash()
        await wait_all_tasks_blocked()
        with pytest.raises(TooManyChildren):
            sup.start_soon(rest)
        await sup.stop_child("a")
        sup.start_soon(rest)


async def test_a_child_that_failed_to_start_makes_room() -> None:
    # Rule D4.
    async with open_dynamic_supervisor(max_children=1) as sup:
        with pytest.raises(ChildStartFailed):
            await sup.start_child(Puppet(refusals=[Crash("once")]).spec())
        await sup.start(rest)


async def test_with_no_room_at_all_nobody_comes() -> None:
    async with open_dynamic_supervisor(max_children=0) as sup:
        with pytest.raises(TooManyChildren, match="is full, max_children=0: "):
            sup.start_soon(rest)


# Going


async def test_a_child_that_is_gone_is_forgotten() -> None:
    puppet = Puppet()
    async with open_dynamic_supervisor() as sup:
        worker = await sup.start_child(puppet.spec(restart="transient"))
        puppet.finish()
        await wait_all_tasks_blocked()
        assert len(sup.children) == 0
        assert worker.state == "stopped"
        with pytest.raises(ChildNotFound):
            await sup.stop_child("a")


async def test_stop_child_stops_and_forgets() -> None:
    # Rule D5.
    diary, (a,) = puppets("a")
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(a.spec())
        exit = await sup.stop_child("a")
        assert exit is not None
        assert (exit.reason, diary.take(), len(sup.children)) == ("stopped", ["+a", "-a"], 0)


async def test_all_who_stop_a_child_are_answered(autojump_clock: MockClock) -> None:
    async def stop() -> None:
        exit = await sup.stop_child("a")
        assert exit is not None
        answers.append(exit.ended_at)

    answers: list[float] = []
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(Puppet(cleanup=3.0).spec())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            nursery.start_soon(stop)
    assert answers == [3.0, 3.0]


async def test_those_who_stop_a_child_are_answered_if_the_supervisor_ends_meanwhile(
    autojump_clock: MockClock,
) -> None:
    async def stop() -> None:
        exit = await sup.stop_child("a")
        answers.append(None if exit is None else exit.reason)

    answers: list[str | None] = []
    async with trio.open_nursery() as nursery:
        async with open_dynamic_supervisor() as sup:
            await sup.start_child(Puppet(cleanup=3.0).spec())
            nursery.start_soon(stop)
            await wait_all_tasks_blocked()
            sup.shutdown()
    assert answers == ["stopped"]


async def test_those_who_start_a_child_are_refused_if_the_supervisor_ends_meanwhile(
    autojump_clock: MockClock,
) -> None:
    async def start() -> None:
        with pytest.raises(SupervisorClosed):
            await sup.start_child(Puppet(takes=60.0).spec())
        refused.append(True)

    refused: list[bool] = []
    async with trio.open_nursery() as nursery:
        async with open_dynamic_supervisor() as sup:
            nursery.start_soon(start)
            await wait_all_tasks_blocked()
            sup.shutdown()
    assert refused == [True]
    assert trio.current_time() == 0.0


async def test_a_start_that_is_stopped_by_somebody_else_has_failed(
    autojump_clock: MockClock,
) -> None:
    async def start() -> None:
        with pytest.raises(ChildStartFailed, match="it was stopped"):
            await sup.start_child(Puppet(takes=60.0).spec())

    async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        await sup.stop_child("a")
    assert trio.current_time() == 0.0


async def test_a_start_that_fails_as_it_is_stopped_is_answered_all_the_same() -> None:
    async def fail_when_told(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status
        await told.wait()
        raise Crash("at the same moment")

    async def start() -> None:
        with pytest.raises(ChildStartFailed):
            await sup.start(fail_when_told, name="a")
        answers.append(True)

    for _ in range(20):  # for both orders in which the scheduler may run the two
        told, answers = trio.Event(), list[bool]()
        async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await wait_all_tasks_blocked()
            told.set()
            await sup.stop_child("a")
            await wait_all_tasks_blocked()
            sup.shutdown()
        assert answers == [True]


async def test_a_starter_that_leaves_takes_the_child_with_it(autojump_clock: MockClock) -> None:
    # Rule R24.
    diary = Diary()
    async with open_dynamic_supervisor() as sup:
        with trio.move_on_after(1.0) as scope:
            await sup.start_child(Puppet("a", diary, takes=9.0, cleanup=2.0).spec())
        assert scope.cancelled_caught
        assert diary.lines == [(0.0, "+a"), (3.0, "-a")]
        assert (len(sup.children), sup.snapshot().restarts) == (0, 0)


# All together


async def test_at_the_end_all_are_stopped_together(autojump_clock: MockClock) -> None:
    # Rules R9, S77 and D7.
    diary, (a, b, c) = puppets("abc")
    a.cleanup, b.cleanup, c.cleanup = 3.0, 1.0, 2.0
    async with open_dynamic_supervisor() as sup:
        for one in (a, b, c):
            await sup.start_child(one.spec())
        diary.take()
    assert diary.lines == [(1.0, "-b"), (2.0, "-c"), (3.0, "-a")]


async def test_each_has_its_own_grace(autojump_clock: MockClock) -> None:
    # Rule D7.
    async def ignore_the_request() -> None:
        stop_requested()
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep_forever()

    ends: list[tuple[str, float]] = []
    async with open_dynamic_supervisor() as sup:
        for name, grace in {"none": 0.0, "one": 1.0, "five": 5.0}.items():
            worker = sup.start_soon(ignore_the_request, name=name, grace=grace)
            worker.on_exit(lambda exit: ends.append((exit.child, exit.ended_at)))
        await wait_all_tasks_blocked()
    assert ends == [("none", 0.0), ("one", 2.0), ("five", 10.0)]


async def test_a_restart_that_is_due_is_dropped(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    async with open_dynamic_supervisor() as sup:
        worker = await sup.start_child(puppet.spec(backoff=TEN_SECONDS))
        puppet.crash()
        await wait_all_tasks_blocked()
    assert trio.current_time() == 0.0
    assert (worker.state, worker.incarnation) == ("stopped", 1)


async def test_a_subtree_may_come_and_go_too() -> None:
    diary, (a,) = puppets("a")
    async with open_dynamic_supervisor(name="top") as sup:
        tree = await sup.start_child(subtree([a.spec()], name="tree"))
        assert tree.value.path == "top/tree"
        await sup.stop_child("tree")
        assert diary.take() == ["+a", "-a"]


# By the thousand


async def test_thousands_come_and_go_and_leave_nothing_behind() -> None:
    async def work() -> None:
        await trio.lowlevel.checkpoint()

    async with open_dynamic_supervisor() as sup:
        handles: list[weakref.ref[Child[object]]] = []
        for _ in range(30):
            handles += [weakref.ref(sup.start_soon(work)) for _ in range(100)]
            await wait_all_tasks_blocked()
        gc.collect()
        assert len(sup.children) == 0
        assert [handle for handle in handles if handle() is not None] == []


async def test_a_crash_of_one_among_many_concerns_nobody_else() -> None:
    diary, (a, b, c) = puppets("abc")
    async with open_dynamic_supervisor() as sup:
        for one in (a, b, c):
            await sup.start_child(one.spec())
        diary.take()
        b.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-b", "+b"]
        assert list(sup.children) == ["a", "b", "c"]


async def test_what_only_a_static_supervisor_can_do_is_not_there() -> None:
    # Rule S88: no spec is kept, so there is nothing to start again or to delete.
    async with open_dynamic_supervisor() as sup:
        assert not hasattr(sup, "restart_child")
        assert not hasattr(sup, "delete_child")
        assert repr(sup) == "<DynamicSupervisor 'dynamic' open, 0 children>"
