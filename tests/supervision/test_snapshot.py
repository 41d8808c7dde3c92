"""Tests of the picture of a tree."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildCounts,
    current_child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)

from ._puppets import Puppet, puppets, rest, specs


async def test_a_picture_shows_the_limit_and_the_children_in_start_order() -> None:
    _, (b, a) = puppets("ba")
    async with open_supervisor(
        specs(b, a), name="app", strategy="rest_for_one", max_restarts=2, within=7.0
    ) as sup:
        picture = sup.snapshot()
    assert (picture.name, picture.strategy, picture.restarts) == ("app", "rest_for_one", 0)
    assert (picture.max_restarts, picture.within) == (2, 7.0)
    assert [child.name for child in picture.children] == ["b", "a"]


async def test_a_child_is_shown_with_its_status_and_its_last_exit(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        current_child().status = f"file {current_child().incarnation}"
        await puppet.run_plainly()

    puppet = Puppet()
    async with open_supervisor() as sup:
        sup.start_soon(work)
        await wait_all_tasks_blocked()
        puppet.crash()
        await wait_all_tasks_blocked()
        (picture,) = sup.snapshot().children
    assert (picture.name, picture.state, picture.incarnation) == ("work", "running", 2)
    assert (picture.kind, picture.status, picture.supervisor) == ("worker", "file 2", None)
    assert picture.last_exit == "child 'work' (incarnation 1) crashed after 0 s: Crash: a"


async def test_restarts_are_shown_while_they_count(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()], within=5.0) as sup:
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.snapshot().restarts == 1
        autojump_clock.jump(5.0)
        assert sup.snapshot().restarts == 1
        autojump_clock.jump(0.5)
        assert sup.snapshot().restarts == 0


async def test_a_tree_is_drawn_with_all_that_is_below() -> None:
    tree = [
        subtree([Puppet("http").spec(), Puppet("ws").spec()], name="web", strategy="one_for_all"),
        Puppet("db").spec(),
        dynamic_subtree(name="jobs"),
    ]
    async with open_supervisor(tree, name="app") as sup:
        sup.children["db"].status = "3 queries"
        await sup.children["jobs"].value.start(rest, name="nap")
        await sup.stop_child("db")
        drawn = str(sup.snapshot())
    assert drawn.splitlines() == [
        "app (one_for_one, 0 of 3 restarts in 5 s)",
        "|- web (one_for_all, 0 of 3 restarts in 5 s)  running, incarnation 1",
        "|  |- http  running, incarnation 1",
        "|  `- ws  running, incarnation 1",
        "|- db  stopped, incarnation 1: 3 queries",
        "`- jobs (dynamic, 0 of 3 restarts in 5 s)  running, incarnation 1",
        "   `- nap  running, incarnation 1",
    ]


async def test_a_subtree_that_does_not_run_has_nothing_below(autojump_clock: MockClock) -> None:
    web = subtree([Puppet("http").spec()], name="web")
    delayed = attrs.evolve(web, backoff=Backoff(initial=9.0, jitter=0.0))
    async with open_supervisor([delayed], name="app") as sup:
        sup.children["web"].value.shutdown()
        await wait_all_tasks_blocked()
        drawn = str(sup.snapshot())
    assert drawn.splitlines()[1:] == ["`- web  backing off, incarnation 1"]


async def test_a_supervisor_that_a_worker_hands_out_is_not_below_it() -> None:
    async def hand_out(*, task_status: trio.TaskStatus[object]) -> None:
        task_status.started(sup)
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        await sup.start(hand_out)
        (picture,) = sup.snapshot().children
    assert picture.supervisor is None


async def test_a_picture_does_not_change_and_can_be_taken_after_the_end() -> None:
    async with open_supervisor([Puppet().spec()]) as sup:
        before = sup.snapshot()
        await sup.stop_child("a")
        assert before.children[0].state == "running"
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            before.children[0].state = "stopped"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert sup.snapshot().children[0].state == "stopped"


async def test_the_counts_tell_the_book_from_what_runs() -> None:
    # Rules S11 and S87.
    tree = [Puppet("a").spec(), Puppet("b").spec(), subtree([], name="web")]
    async with open_supervisor(tree) as sup:
        await sup.stop_child("b")
        assert sup.count_children() == ChildCounts(specs=3, active=2, supervisors=1, workers=2)
        await sup.stop_child("web")
        assert sup.count_children() == ChildCounts(specs=3, active=1, supervisors=1, workers=2)


async def test_a_child_that_has_ended_is_not_active_though_nobody_has_noticed() -> None:
    # Rule S87: `active` looks at who is alive when asked.
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        counts: list[int] = []
        sup.children["a"].on_exit(lambda _: counts.append(sup.count_children().active))
        puppet.crash()
        await wait_all_tasks_blocked()
        assert counts == [0]
        assert sup.count_children().active == 1


async def test_a_dynamic_supervisor_counts_those_that_are_there() -> None:
    async with open_dynamic_supervisor() as sup:
        await sup.start(rest)
        await sup.start_child(subtree([], name="web"))
        assert sup.count_children() == ChildCounts(specs=2, active=2, supervisors=1, workers=1)
        await sup.stop_child("rest")
        assert sup.count_children() == ChildCounts(specs=1, active=1, supervisors=1, workers=0)


async def test_the_children_are_a_live_mapping_that_cannot_be_changed() -> None:
    async with open_supervisor(specs(*puppets("ab")[1])) as sup:
        children = sup.children
        assert list(children) == ["a", "b"]
        assert children["a"] is sup.children["a"]
        sup.start_soon(rest, name="c")
        assert list(children) == ["a", "b", "c"]
        assert "c" in children
        assert len(children) == 3
        assert not hasattr(children, "__setitem__")
        assert not hasattr(children, "pop")
        assert repr(children).startswith("{'a': <Child 'a' running, incarnation 1>")
