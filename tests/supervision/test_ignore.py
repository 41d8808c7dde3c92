"""Tests of children that say they are not needed."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildExists,
    ChildIgnored,
    ChildStartFailed,
    IgnoreChild,
    RestartLimitReached,
    Strategy,
    child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash, Puppet, puppets, rest, specs

IGNORE = IgnoreChild("no printer is configured")


def needless(number: int = 1) -> Puppet:
    """Return a child that is not needed in its first starts."""
    return Puppet(refusals=[IGNORE] * number)


async def test_a_child_that_is_not_needed_counts_as_started() -> None:
    # Rule S5.
    diary, (a, b) = puppets("ab")
    a.refusals = [IGNORE]
    async with open_supervisor(specs(a, b)) as sup:
        assert sup.children["a"].state == "ignored"
        assert (sup.count_children().specs, sup.count_children().active) == (2, 1)
        assert diary.take() == ["!a", "+b"]


@pytest.mark.parametrize("how", ["start", "start_soon"])
async def test_start_returns_it_so(how: str) -> None:
    # Rule S82.
    async with open_supervisor(max_restarts=0) as sup:
        if how == "start":
            worker = await sup.start_child(needless().spec())
        else:
            worker = sup.start_soon(needless().run, name="a")
            await wait_all_tasks_blocked()
        assert (worker.state, sup.children["a"]) == ("ignored", worker)
        assert worker.last_exit is not None
        assert (worker.last_exit.reason, worker.last_exit.error) == ("shutdown", IGNORE)


async def test_an_ignored_child_can_be_started_later() -> None:
    # Rule S5.
    puppet = needless(2)
    async with open_supervisor([puppet.spec()]) as sup:
        assert (await sup.restart_child("a")).state == "ignored"
        assert (await sup.restart_child("a")).state == "running"
        assert sup.children["a"].incarnation == 3


async def test_an_ignored_child_can_be_stopped_and_deleted() -> None:
    async with open_supervisor([needless().spec()]) as sup:
        assert await sup.stop_child("a") is None
        assert sup.delete_child("a").name == "a"
        assert len(sup.children) == 0


async def test_the_name_of_an_ignored_child_is_taken() -> None:
    # Rule S80.
    async with open_supervisor([needless().spec()]) as sup:
        with pytest.raises(ChildExists) as caught:
            await sup.start(rest, name="a")
        assert caught.value.state == "ignored"


@pytest.mark.parametrize("how", ["first", "start", "start_soon"])
async def test_a_temporary_child_that_is_not_needed_is_forgotten(how: str) -> None:
    # Rule S5.
    spec = needless().spec(restart="temporary")
    async with open_supervisor([spec] if how == "first" else []) as sup:
        if how == "start":
            assert (await sup.start_child(spec)).state == "ignored"
        elif how == "start_soon":
            sup.start_soon(spec.async_fn, restart="temporary")
            await wait_all_tasks_blocked()
        assert len(sup.children) == 0


@pytest.mark.parametrize("how", ["start", "start_soon"])
async def test_a_dynamic_supervisor_forgets_it_too(how: str) -> None:
    # Rule D3.
    async with open_dynamic_supervisor() as sup:
        if how == "start":
            worker = await sup.start_child(needless().spec())
        else:
            worker = sup.start_soon(needless().run, restart="permanent")
            await wait_all_tasks_blocked()
        assert (worker.state, len(sup.children)) == ("ignored", 0)


async def test_a_child_that_is_not_needed_any_more_is_not_restarted() -> None:
    # Rule S65.
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        puppet.refusals = [IGNORE]
        puppet.crash()
        await wait_all_tasks_blocked()
        assert (sup.children["a"].state, sup.children["a"].incarnation) == ("ignored", 2)
        assert sup.snapshot().restarts == 1


async def test_a_dynamic_child_that_is_not_needed_any_more_is_forgotten() -> None:
    # Rules D6 and S65.
    puppet = Puppet()
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(puppet.spec())
        puppet.refusals = [IGNORE]
        puppet.crash()
        await wait_all_tasks_blocked()
        assert len(sup.children) == 0


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_restart_goes_on_past_it_and_asks_it_again(strategy: Strategy) -> None:
    # Rules S5 and S65.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c), strategy=strategy) as sup:
        b.refusals = [IGNORE]
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "-b", "+a", "!b", "+c"]
        assert sup.children["b"].state == "ignored"
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "+a", "+b", "+c"]


async def test_a_temporary_sibling_that_was_ignored_by_start_is_no_part_of_the_group() -> None:
    diary, (a, b) = puppets("ab")
    b.refusals = [IGNORE]
    async with open_supervisor(specs(a), strategy="one_for_all") as sup:
        await sup.start_child(b.spec(restart="temporary"))
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["+a", "!b", "-a", "+a"]


async def test_after_readiness_it_is_a_crash_that_says_so() -> None:
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=0):
            puppet.crash(IgnoreChild("too late"))
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, IgnoreChild)
    (note,) = caught.value.__cause__.__notes__
    assert note.startswith("IgnoreChild was raised after the child was ready")


async def test_the_note_that_says_so_is_added_once() -> None:
    # Rule R22.
    puppet, error = Puppet(), IgnoreChild("too late")
    async with open_supervisor([puppet.spec()]):
        for _ in range(2):
            puppet.crash(error)
            await wait_all_tasks_blocked()
    assert len(error.__notes__) == 1


async def test_a_plain_function_cannot_say_so() -> None:
    async def work() -> None:
        raise IGNORE_ANEW

    IGNORE_ANEW = IgnoreChild("too late")  # noqa: N806  an error of its own: a note is added
    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="temporary").wait_exit()
    assert (exit.reason, exit.error) == ("crashed", IGNORE_ANEW)
    assert "Only a function that takes task_status can raise it" in exit.traceback


async def test_a_group_of_nothing_but_ignores_is_one() -> None:
    async def work(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Puppet(refusals=[IGNORE]).run_plainly)

    async with open_supervisor([child(work)]) as sup:
        assert sup.children["work"].state == "ignored"


async def test_a_mixed_group_is_a_crash() -> None:
    mixed = ExceptionGroup("mixed", [IGNORE, Crash("no paper")])
    async with open_supervisor() as sup:
        with pytest.raises(ChildStartFailed) as caught:
            await sup.start_child(Puppet(refusals=[mixed]).spec())
        assert caught.value.__cause__ is mixed


async def test_waiting_for_its_readiness_fails() -> None:
    async with open_supervisor([needless().spec()]) as sup:
        with pytest.raises(ChildStartFailed, match="no printer is configured") as caught:
            await sup.children["a"].wait_ready()
        assert caught.value.__cause__ is IGNORE


async def test_an_ignore_is_told_and_is_no_exit_to_be_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[ChildIgnored] = []
    with subscribe(heard.append, ChildIgnored):
        async with open_supervisor([needless().spec()], name="app"):
            pass
    expected = ChildIgnored(
        supervisor="app", child="a", incarnation=1, reason="no printer is configured"
    )
    assert heard == [expected]
    assert not caplog.records


async def test_a_tree_whose_supervisor_has_only_ignored_children_runs() -> None:
    tree = subtree([needless().spec()], name="web")
    async with open_supervisor([tree]) as sup:
        assert sup.children["web"].state == "running"
        assert sup.children["web"].value.children["a"].state == "ignored"


async def test_one_that_says_so_while_it_is_stopped_was_stopped(
    autojump_clock: MockClock,
) -> None:
    async def reluctant(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status
        try:
            await trio.sleep_forever()
        finally:
            raise IGNORE

    async with open_supervisor() as sup:
        with trio.move_on_after(1.0):
            await sup.start(reluctant)
        assert len(sup.children) == 0


async def test_an_ignored_child_of_a_group_that_backs_off_is_started_with_it(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b) = puppets("ab")
    b.refusals = [IGNORE]
    children = [a.spec(backoff=Backoff(initial=5.0, jitter=0.0)), b.spec()]
    async with open_supervisor(children, strategy="one_for_all"):
        a.crash()
        await trio.sleep(10.0)
        assert diary.lines[2:] == [(0.0, "-a"), (5.0, "+a"), (5.0, "+b")]
