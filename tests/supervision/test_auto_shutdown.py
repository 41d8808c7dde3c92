"""Tests of supervisors that end when their significant children do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    AutoShutdown,
    ChildSpec,
    IgnoreChild,
    Restart,
    RestartLimitReached,
    Strategy,
    child,
    dynamic_subtree,
    open_supervisor,
    subtree,
    supervise,
)

from ._puppets import Crash, Puppet, puppets, specs


def transient(puppet: Puppet) -> ChildSpec:
    return puppet.spec(restart="transient", significant=True)


def temporary(puppet: Puppet) -> ChildSpec:
    return puppet.spec(restart="temporary", significant=True)


@pytest.mark.parametrize(
    ("restart", "pull", "ends"),
    [
        ("transient", Puppet.finish, True),
        ("transient", Puppet.shut_down, True),
        ("transient", Puppet.crash, False),
        ("temporary", Puppet.finish, True),
        ("temporary", Puppet.shut_down, True),
        ("temporary", Puppet.crash, True),
    ],
    ids=[
        "transient returns",
        "transient shuts down",
        "transient crashes",
        "temporary returns",
        "temporary shuts down",
        "temporary crashes",
    ],
)
@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
async def test_it_ends_when_the_child_has_finished(
    auto_shutdown: AutoShutdown, restart: Restart, pull: Callable[[Puppet], None], ends: bool
) -> None:
    # Rules S101 to S103.
    puppet = Puppet()
    spec = puppet.spec(restart=restart, significant=True)
    with trio.CancelScope() as scope:
        async with open_supervisor([spec], auto_shutdown=auto_shutdown):
            pull(puppet)
            await wait_all_tasks_blocked()
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught is not ends


async def test_the_others_are_stopped_newest_first_and_the_block_ends_without_an_error(
    autojump_clock: MockClock,
) -> None:
    # Rule S101.
    diary, (a, b, c) = puppets("abc")
    a.cleanup = c.cleanup = 1.0
    async with open_supervisor(
        [a.spec(), transient(b), c.spec()], auto_shutdown="any_significant", max_restarts=0
    ):
        diary.take()
        b.finish()
        await trio.sleep_forever()
    assert diary.lines == [(0.0, "-b"), (1.0, "-c"), (2.0, "-a")]


async def test_the_body_is_told_why_it_is_cancelled() -> None:
    puppet = Puppet()
    async with open_supervisor([transient(puppet)], auto_shutdown="any_significant"):
        puppet.finish()
        with pytest.raises(trio.Cancelled, match="auto_shutdown") as caught:
            await trio.sleep_forever()
        raise caught.value


async def test_with_any_the_first_one_is_enough() -> None:
    _, (a, b) = puppets("ab")
    async with open_supervisor([transient(a), transient(b)], auto_shutdown="any_significant"):
        b.finish()
        await trio.sleep_forever()


async def test_with_all_the_last_one_counts() -> None:
    # Rule S102: others do not matter.
    _, (a, b, c) = puppets("abc")
    async with open_supervisor(
        [transient(a), temporary(b), c.spec()], auto_shutdown="all_significant"
    ) as sup:
        b.finish()
        await wait_all_tasks_blocked()
        assert sup.children["a"].state == "running"
        a.finish()
        await trio.sleep_forever()


async def test_one_that_is_to_be_restarted_is_not_finished(autojump_clock: MockClock) -> None:
    # Rule S103.
    _, (a, b) = puppets("ab")
    later = Backoff(initial=10.0, jitter=0.0)
    children = [a.spec(restart="transient", significant=True, backoff=later), transient(b)]
    async with open_supervisor(children, auto_shutdown="all_significant") as sup:
        a.crash()
        await wait_all_tasks_blocked()
        b.finish()
        await trio.sleep(11.0)
        assert sup.children["a"].state == "running"
        a.finish()
        await trio.sleep_forever()
    assert trio.current_time() == 11.0


@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
async def test_one_that_is_stopped_by_order_does_not_end_it(auto_shutdown: AutoShutdown) -> None:
    # Rule S104.
    _, (a, b) = puppets("ab")
    async with open_supervisor([transient(a), temporary(b)], auto_shutdown=auto_shutdown) as sup:
        await sup.stop_child("a")
        await sup.stop_child("b")
        await wait_all_tasks_blocked()
        await sup.restart_child("a")
        assert sup.children["a"].state == "running"


async def test_one_that_was_stopped_by_order_is_not_left_when_the_last_one_ends() -> None:
    # Rule S104.
    _, (a, b) = puppets("ab")
    async with open_supervisor(
        [transient(a), transient(b)], auto_shutdown="all_significant"
    ) as sup:
        await sup.stop_child("a")
        b.finish()
        await trio.sleep_forever()


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_one_that_is_stopped_by_a_group_restart_does_not_end_it(strategy: Strategy) -> None:
    # Rule S105.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(
        [a.spec(), transient(b), temporary(c)], strategy=strategy, auto_shutdown="any_significant"
    ) as sup:
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "-b", "+a", "+b"]
        assert list(sup.children) == ["a", "b"]


async def test_one_that_was_ignored_does_not_end_it_but_is_not_left_either() -> None:
    # Rule S106.
    _, (a, b) = puppets("ab")
    a.refusals = [IgnoreChild("not needed")]
    async with open_supervisor(
        [transient(a), transient(b)], auto_shutdown="any_significant"
    ) as sup:
        await wait_all_tasks_blocked()
        assert sup.children["b"].state == "running"
    a.refusals = [IgnoreChild("not needed")]
    async with open_supervisor([transient(a), transient(b)], auto_shutdown="all_significant"):
        b.finish()
        await trio.sleep_forever()


async def test_one_that_is_started_later_counts_too() -> None:
    puppet = Puppet()
    async with open_supervisor(auto_shutdown="all_significant") as sup:
        await sup.start_child(transient(puppet))
        puppet.finish()
        await trio.sleep_forever()


async def test_a_failed_start_by_order_does_not_end_it() -> None:
    # Rule S45: nothing has finished, since nothing was started.
    puppet = Puppet(refusals=[Crash("once")])
    async with open_supervisor(auto_shutdown="any_significant") as sup:
        with pytest.raises(Exception, match="failed to start"):
            await sup.start_child(temporary(puppet))
        await wait_all_tasks_blocked()
        await sup.start_child(temporary(puppet))


async def test_a_significant_child_may_finish_before_the_body_has_begun() -> None:
    async def be_brief() -> None: ...

    brief = child(be_brief, restart="temporary", significant=True)
    diary, (a,) = puppets("a")
    async with open_supervisor([a.spec(), brief], auto_shutdown="any_significant"):
        await trio.sleep_forever()
    assert diary.take() == ["+a", "-a"]


async def test_giving_up_has_nothing_to_do_with_it() -> None:
    # Rule S109.
    puppet = Puppet()
    with pytest.raises(RestartLimitReached):
        async with open_supervisor(
            [transient(puppet)], auto_shutdown="any_significant", max_restarts=0
        ):
            puppet.crash()
            await trio.sleep_forever()


# In a tree


def tree(puppet: Puppet, restart: Restart, *, significant: bool = False) -> ChildSpec:
    return subtree(
        [transient(puppet)],
        name="inner",
        auto_shutdown="any_significant",
        restart=restart,
        significant=significant,
    )


async def test_a_permanent_subtree_that_ended_is_restarted_and_counted_above() -> None:
    # Rule S107.
    puppet = Puppet()
    async with open_supervisor([tree(puppet, "permanent")]) as sup:
        puppet.finish()
        await wait_all_tasks_blocked()
        assert (sup.children["inner"].incarnation, sup.snapshot().restarts) == (2, 1)
        exit = sup.children["inner"].last_exit
        assert exit is not None
        assert exit.reason == "shutdown"


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_another_subtree_that_ended_is_not_restarted(restart: Restart) -> None:
    # Rule S107.
    puppet = Puppet()
    async with open_supervisor([tree(puppet, restart)], max_restarts=0) as sup:
        inner = sup.children["inner"]
        puppet.finish()
        await wait_all_tasks_blocked()
        assert (inner.state, inner.incarnation) == ("stopped", 1)


async def test_the_end_of_a_significant_subtree_ends_the_supervisor_above() -> None:
    # Rule S107.
    puppet = Puppet()
    inner = tree(puppet, "transient", significant=True)
    async with open_supervisor([inner], auto_shutdown="any_significant"):
        puppet.finish()
        await trio.sleep_forever()


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_a_dynamic_subtree_that_is_shut_down_has_ended_in_good_order(
    restart: Restart,
) -> None:
    # Rule S107, by an order.
    async with open_supervisor([dynamic_subtree(name="jobs", restart=restart)]) as sup:
        sup.children["jobs"].value.shutdown()
        exit = await sup.children["jobs"].wait_exit()
        await wait_all_tasks_blocked()
        assert exit.reason == "shutdown"
        assert sup.children["jobs"].incarnation == (2 if restart == "permanent" else 1)


async def test_supervise_returns_when_its_significant_children_have_finished() -> None:
    puppet = Puppet()
    async with trio.open_nursery() as nursery:
        await nursery.start(supervise_until_any_ends, [transient(puppet)])
        puppet.finish()


async def supervise_until_any_ends(
    children: list[ChildSpec], *, task_status: trio.TaskStatus[object]
) -> None:
    await supervise(children, auto_shutdown="any_significant", task_status=task_status)


async def test_siblings_of_one_that_finishes_at_the_same_moment_are_not_restarted() -> None:
    diary, (a, b) = puppets("ab")
    async with open_supervisor([transient(a), *specs(b)], auto_shutdown="any_significant"):
        diary.take()
        a.finish()
        await trio.sleep_forever()
    assert diary.take() == ["-a", "-b"]
