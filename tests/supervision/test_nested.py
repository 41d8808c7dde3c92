"""Tests of supervisors as children of supervisors."""

from __future__ import annotations

import gc
import math
import weakref

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    ChildSpec,
    ChildStartFailed,
    ChildUnstopped,
    DynamicSupervisor,
    Restart,
    RestartLimitReached,
    Supervisor,
    child,
    cleanup_scope,
    current_child,
    dynamic_subtree,
    open_supervisor,
    stop_requested,
    subtree,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash, Puppet, puppets, rest, specs


def inner(*some: Puppet, restart: Restart = "permanent", max_restarts: int = 0) -> ChildSpec:
    return subtree(specs(*some), name="inner", restart=restart, max_restarts=max_restarts)


# Escalation


async def test_an_inner_restart_is_invisible_outside() -> None:
    # Rule S50.
    diary, (a, b) = puppets("ab")
    async with open_supervisor([inner(a, max_restarts=3), b.spec()], strategy="one_for_all") as sup:
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "+a"]
        assert (sup.children["inner"].incarnation, sup.snapshot().restarts) == (1, 0)


async def test_a_permanent_subtree_that_gives_up_is_restarted() -> None:
    # Rules S47 and S48.
    diary, (a, b) = puppets("ab")
    async with open_supervisor([inner(a, b)]) as sup:
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-b", "+a", "+b"]
        assert (sup.children["inner"].incarnation, sup.snapshot().restarts) == (2, 1)


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_another_subtree_that_gives_up_is_not_restarted(restart: Restart) -> None:
    # Rule S48: giving up is an orderly end.
    _, (a,) = puppets("a")
    async with open_supervisor([inner(a, restart=restart)], max_restarts=0) as sup:
        tree = sup.children["inner"]
        a.crash()
        await wait_all_tasks_blocked()
        assert (tree.state, tree.incarnation) == ("stopped", 1)
        assert tree.last_exit is not None
        assert tree.last_exit.reason == "shutdown"
        assert isinstance(tree.last_exit.error, RestartLimitReached)


async def test_a_restarted_subtree_begins_with_an_unspent_limit() -> None:
    # Rule S49.
    _, (a,) = puppets("a")
    async with open_supervisor([inner(a, max_restarts=1)]) as sup:
        for _ in range(6):
            a.crash()
            await wait_all_tasks_blocked()
        assert sup.children["inner"].incarnation == 4
        assert sup.snapshot().restarts == 3
        assert sup.children["inner"].value.snapshot().restarts == 0


async def test_a_subtree_that_keeps_giving_up_takes_the_outer_one_down() -> None:
    _, (a,) = puppets("a")
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([inner(a)], name="app", max_restarts=1):
            for _ in range(2):
                a.crash()
                await wait_all_tasks_blocked()
    outer, middle = caught.value, caught.value.__cause__
    assert (outer.supervisor, outer.child) == ("app", "inner")
    assert isinstance(middle, RestartLimitReached)
    assert (middle.supervisor, middle.child) == ("app/inner", "a")
    assert isinstance(middle.__cause__, Crash)


async def test_the_note_of_each_level_is_added_once() -> None:
    # Rule R22.
    puppet = Puppet()
    tree = subtree([subtree([puppet.spec()], name="c", max_restarts=0)], name="b", max_restarts=0)
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([tree], name="a", max_restarts=0):
            puppet.crash()
            await trio.sleep_forever()
    error: BaseException | None = caught.value
    notes: list[int] = []
    while isinstance(error, RestartLimitReached):
        notes.append(len(error.__notes__))
        error = error.__cause__
    assert notes == [1, 1, 1]
    assert not hasattr(error, "__notes__")


async def test_an_interrupt_goes_all_the_way_up(autojump_clock: MockClock) -> None:
    diary, (a, b, c) = puppets("abc")
    with pytest.raises(KeyboardInterrupt):
        async with open_supervisor([a.spec(), inner(b), c.spec()]):
            diary.take()
            b.crash(KeyboardInterrupt())
            await trio.sleep_forever()
    assert diary.take() == ["-b", "-c", "-a"]


async def test_a_failure_raised_by_a_plain_child_is_a_crash_of_that_child() -> None:
    # It is the business of whoever opened that supervisor, and not its own parent's.
    puppet = Puppet()

    async def work() -> None:
        async with open_supervisor([puppet.spec()], max_restarts=0):
            await trio.sleep_forever()

    async with open_supervisor() as sup:
        worker = sup.start_soon(work, restart="transient")
        await wait_all_tasks_blocked()
        puppet.crash()
        assert (await worker.wait_exit()).reason == "crashed"


# Starting


async def test_a_subtree_is_ready_when_all_its_children_are(autojump_clock: MockClock) -> None:
    diary, (a, b, c) = puppets("abc")
    a.takes = b.takes = 1.0
    async with open_supervisor([inner(a, b), c.spec()]) as sup:
        assert diary.lines == [(0.0, "+a"), (1.0, "+b"), (2.0, "+c")]
        assert isinstance(sup.children["inner"].value, Supervisor)


async def test_the_value_of_a_subtree_is_its_supervisor_and_new_after_a_restart() -> None:
    puppet = Puppet()
    async with open_supervisor([inner(puppet), dynamic_subtree(name="jobs")]) as sup:
        first = sup.children["inner"].value
        assert first.children["a"].state == "running"
        assert isinstance(sup.children["jobs"].value, DynamicSupervisor)
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.children["inner"].value is not first
        assert sup.children["inner"].value.children["a"].state == "running"


async def test_a_subtree_that_fails_to_boot_fails_the_tree() -> None:
    diary, (a, b) = puppets("ab")
    b.refusals = [Crash("no database")]
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([inner(a, b)], name="app"):
            pytest.fail("the body must not run")
    assert (caught.value.supervisor, caught.value.child) == ("app", "inner")
    cause = caught.value.__cause__
    assert isinstance(cause, ChildStartFailed)
    assert (cause.supervisor, cause.child) == ("app/inner", "b")
    assert str(cause.__cause__) == "no database"
    assert diary.take() == ["+a", "!b", "-a"]


async def test_a_subtree_that_fails_to_boot_again_counts_outside() -> None:
    # Rule S66.
    puppet = Puppet()
    async with open_supervisor([inner(puppet)]) as sup:
        puppet.refusals = [Crash("once"), Crash("twice")]
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.children["inner"].incarnation == 4
        assert sup.snapshot().restarts == 3


async def test_a_dynamic_subtree_starts_empty_each_time() -> None:
    puppet = Puppet()
    async with open_supervisor([dynamic_subtree(name="jobs", max_restarts=0)]) as sup:
        await sup.children["jobs"].value.start_child(puppet.spec())
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.children["jobs"].incarnation == 2
        assert len(sup.children["jobs"].value.children) == 0


# Stopping


async def test_a_tree_stops_depth_first_and_newest_first(autojump_clock: MockClock) -> None:
    # Rule S79.
    diary, (a, b, c, d) = puppets("abcd")
    for one in (a, b, c, d):
        one.cleanup = 1.0
    tree = [a.spec(), subtree([b.spec(), subtree(specs(c), name="low")], name="mid"), d.spec()]
    async with open_supervisor(tree):
        diary.take()
    assert diary.lines == [(1.0, "-d"), (2.0, "-c"), (3.0, "-b"), (4.0, "-a")]


async def test_a_subtree_is_waited_for_as_long_as_its_children_have() -> None:
    diary, (a, b) = puppets("ab")
    async with open_supervisor([inner(a, b)]) as sup:
        diary.take()
        exit = await sup.stop_child("inner")
        assert exit is not None
        assert exit.reason == "stopped"
        assert diary.take() == ["-b", "-a"]


async def test_the_children_of_a_subtree_are_asked_too(autojump_clock: MockClock) -> None:
    async def finish_slowly() -> None:
        await stop_requested().wait()
        await trio.sleep(3.0)

    async with open_supervisor([subtree([child(finish_slowly)], name="inner")]) as sup:
        await wait_all_tasks_blocked()
        await sup.stop_child("inner")
    assert trio.current_time() == 3.0


async def test_when_the_time_of_a_subtree_is_over_all_that_is_below_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    for one in (a, b, c):
        one.cleanup = 60.0
    low = subtree(specs(b, c, grace=math.inf), name="low")
    tree = subtree([a.spec(grace=math.inf), low], name="mid", grace=5.0)
    async with open_supervisor([tree]):
        diary.take()
    assert sorted(diary.lines) == [(5.0, "-a"), (5.0, "-b"), (5.0, "-c")]


async def test_a_supervisor_opened_by_a_plain_child_is_hurried_too(
    autojump_clock: MockClock,
) -> None:
    diary, (a,) = puppets("a")
    a.cleanup = 60.0

    async def work() -> None:
        async with open_supervisor(specs(a, grace=math.inf)):
            await trio.sleep_forever()

    async with open_supervisor([child(work, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [(0.0, "+a"), (5.0, "-a")]


async def test_hurry_reaches_all_levels(autojump_clock: MockClock) -> None:
    diary, (a, b) = puppets("ab")
    a.cleanup = b.cleanup = 60.0
    tree = [a.spec(grace=math.inf), subtree(specs(b, grace=math.inf), name="inner")]
    async with open_supervisor(tree) as sup:
        diary.take()
        sup.hurry()
    assert sorted(diary.lines) == [(0.0, "-a"), (0.0, "-b")]


async def test_a_supervisor_opened_in_a_hurry_is_in_a_hurry(autojump_clock: MockClock) -> None:
    async def say_goodbye() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                async with open_supervisor([child(rest)]) as late:
                    await trio.lowlevel.checkpoint()
                    late.start_soon(linger)
                    await trio.lowlevel.checkpoint()

    async def linger() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(60.0)

    async with open_supervisor([child(say_goodbye, grace=math.inf)]) as sup:
        await wait_all_tasks_blocked()
        sup.hurry()
    assert trio.current_time() == 0.0


async def test_of_a_tree_that_does_not_stop_the_one_to_blame_is_reported(
    autojump_clock: MockClock,
) -> None:
    async def deaf() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(60.0)

    heard: list[ChildUnstopped] = []
    with subscribe(heard.append, ChildUnstopped):
        tree = subtree([child(deaf, grace=1.0)], name="inner", grace=10.0)
        async with open_supervisor([tree], name="app"):
            await wait_all_tasks_blocked()
    assert {(event.supervisor, event.child) for event in heard} == {("app/inner", "deaf")}
    assert trio.current_time() == 60.0


# Where one is


async def test_the_path_tells_the_way_from_the_outermost_supervisor() -> None:
    low = subtree([child(rest)], name="low")
    async with open_supervisor([subtree([low], name="mid")], name="top") as sup:
        mid = sup.children["mid"].value
        assert (sup.path, mid.path) == ("top", "top/mid")
        assert mid.children["low"].value.path == "top/mid/low"
        assert (mid.name, mid.children["low"].value.name) == ("mid", "low")


async def test_a_supervisor_opened_by_a_plain_child_is_below_that_child() -> None:
    paths: list[str] = []

    async def work() -> None:
        async with open_supervisor(name="own") as own:
            paths.append(own.path)

    async with open_supervisor(name="top") as sup:
        await sup.start_soon(work, restart="temporary").wait_exit()
    assert paths == ["top/work/own"]


async def test_a_child_may_open_several(autojump_clock: MockClock) -> None:
    diary, (a, b) = puppets("ab")
    a.cleanup = b.cleanup = 60.0

    async def work() -> None:
        async with (
            open_supervisor(specs(a, grace=math.inf), name="one"),
            open_supervisor(specs(b, grace=math.inf), name="other"),
        ):
            await trio.sleep_forever()

    async with open_supervisor([child(work, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert diary.take() == ["+a", "+b", "-b", "-a"]
    assert trio.current_time() == 5.0


async def test_a_supervisor_opened_in_the_body_of_another_is_its_own_root() -> None:
    async with open_supervisor(name="one"), open_supervisor(name="other") as other:
        assert other.path == "other"


async def test_a_child_may_restart_a_child_of_another_branch() -> None:
    async def order() -> None:
        await top.children["inner"].value.stop_child("a")
        current_child().status = "done"
        await trio.sleep_forever()

    diary, (a,) = puppets("a")
    async with open_supervisor([inner(a)]) as top:
        await top.start(order)
        await wait_all_tasks_blocked()
        assert top.children["order"].status == "done"
        assert diary.take() == ["+a", "-a"]


@pytest.mark.parametrize("listens", [False, True], ids=["plain", "listener"])
async def test_a_child_that_stops_the_tree_that_it_is_in_is_cancelled(
    listens: bool, autojump_clock: MockClock
) -> None:
    async def order() -> None:
        if listens:
            stop_requested()  # it would be asked, and could never answer
        await begin.wait()
        await top.stop_child("tree")

    begin = trio.Event()
    async with open_supervisor() as top:
        spec = subtree([child(order, grace=5.0)], name="tree")
        tree = await top.start_child(spec)
        begin.set()
        assert (await tree.wait_exit()).reason == "stopped"
        assert trio.current_time() <= 5.0


async def test_one_that_is_shielded_may_do_so_all_the_same() -> None:
    async def order() -> None:
        await begin.wait()
        with trio.CancelScope(shield=True):
            assert await top.stop_child("tree") is None

    begin = trio.Event()
    async with open_supervisor() as top:
        tree = await top.start_child(subtree([child(order)], name="tree"))
        begin.set()
        assert (await tree.wait_exit()).reason == "stopped"


async def test_a_supervisor_that_is_gone_is_not_kept() -> None:
    puppet = Puppet()
    async with open_supervisor([inner(puppet)]) as sup:
        gone: list[weakref.ref[Supervisor]] = []
        for _ in range(3):
            gone.append(weakref.ref(sup.children["inner"].value))
            puppet.crash()
            await wait_all_tasks_blocked()
        gc.collect()
        assert [one() for one in gone] == [None, None, None]
