"""Tests of how many restarts are too many, and of what happens then."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    RestartLimitReached,
    Strategy,
    SupervisorFailed,
    child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
)

from ._puppets import Crash, Puppet, puppets, rest, specs


async def crash_and_settle(*some: Puppet) -> None:
    for one in some:
        one.crash()
        await wait_all_tasks_blocked()


# When it is passed


async def test_the_limit_is_the_number_of_restarts_that_are_borne() -> None:
    # Rules S9 and S40: by default three in five seconds, and the fourth is one too many.
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], name="app") as sup:
            await crash_and_settle(puppet, puppet, puppet)
            assert sup.children["a"].incarnation == 4
            puppet.crash()
            await trio.sleep_forever()
    assert (caught.value.supervisor, caught.value.child) == ("app", "a")
    assert (caught.value.max_restarts, caught.value.within) == (3, 5.0)


async def test_with_no_restarts_allowed_the_first_crash_is_final() -> None:
    # Rule S10.
    puppet = Puppet()
    with pytest.raises(RestartLimitReached, match="limit of 0 restarts"):
        async with open_supervisor([puppet.spec()], max_restarts=0):
            puppet.crash()
            await trio.sleep_forever()


@pytest.mark.parametrize(
    ("gap", "survives"), [(5.0, False), (5.5, True)], ids=["on the edge", "outside"]
)
async def test_a_restart_exactly_as_old_as_the_window_still_counts(
    gap: float, survives: bool, autojump_clock: MockClock
) -> None:
    # Rule S42.
    puppet = Puppet()
    try:
        async with open_supervisor([puppet.spec()], max_restarts=1, within=5.0) as sup:
            await crash_and_settle(puppet)
            await trio.sleep(gap)
            await crash_and_settle(puppet)
            assert sup.children["a"].incarnation == 3
    except SupervisorFailed:
        assert not survives
    else:
        assert survives


async def test_crashes_far_apart_are_borne_for_ever(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()], max_restarts=1, within=5.0) as sup:
        for _ in range(200):
            await trio.sleep(6.0)
            await crash_and_settle(puppet)
        assert sup.children["a"].restarts == 200


async def test_the_limit_is_shared_by_all_children() -> None:
    # Rule S41.
    _, (a, b) = puppets("ab")
    with pytest.raises(RestartLimitReached, match="child 'b'"):
        async with open_supervisor(specs(a, b), max_restarts=1):
            await crash_and_settle(a, b)


async def test_each_crash_in_the_same_tick_counts() -> None:
    # Rule S33: in one_for_one.
    _, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), max_restarts=2) as sup:
        a.crash()
        b.crash()
        await wait_all_tasks_blocked()
        assert sup.snapshot().restarts == 2


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_restart_counts_once(strategy: Strategy) -> None:
    # Rule S44.
    _, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c), strategy=strategy) as sup:
        await crash_and_settle(a)
        assert sup.snapshot().restarts == 1
        assert [one.restarts for one in sup.children.values()] == [1, 1, 1]


async def test_every_attempt_counts() -> None:
    # Rule S43: a crash and three failing starts are four.
    diary, (a,) = puppets("a")
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([a.spec()], max_restarts=3):
            a.refusals = [Crash(f"start {number}") for number in range(9)]
            a.crash()
            await trio.sleep_forever()
    assert diary.take() == ["+a", "-a", "!a", "!a", "!a"]
    assert str(caught.value.__cause__) == "start 2"


async def test_an_orderly_end_of_a_permanent_child_counts() -> None:
    # Rule S46.
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=1):
            puppet.finish()
            await wait_all_tasks_blocked()
            puppet.shut_down()
            await trio.sleep_forever()
    assert [exit.reason for exit in caught.value.exits] == ["returned", "shutdown"]


async def test_what_is_no_restart_by_itself_does_not_count() -> None:
    # Rule S45.
    _, (a, b, c) = puppets("abc")
    children = [a.spec(restart="temporary"), b.spec(restart="transient"), c.spec()]
    async with open_supervisor(children, max_restarts=0) as sup:
        a.crash()
        b.finish()
        await wait_all_tasks_blocked()
        await sup.restart_child("b")
        await sup.stop_child("c")
        await sup.restart_child("c")
        await sup.start(rest)
        await wait_all_tasks_blocked()
        assert sup.snapshot().restarts == 0


async def test_a_dynamic_supervisor_has_a_limit_too() -> None:
    # Rule D2.
    _, (a, b) = puppets("ab")
    with pytest.raises(RestartLimitReached, match="'dynamic' gave up: child 'b'"):
        async with open_dynamic_supervisor(max_restarts=1) as sup:
            await sup.start_child(a.spec())
            await sup.start_child(b.spec())
            await crash_and_settle(a, b)


async def test_temporary_children_never_spend_the_limit() -> None:
    async def crash() -> None:
        raise Crash("at once")

    async with open_dynamic_supervisor(max_restarts=0) as sup:
        for _ in range(100):
            sup.start_soon(crash)
        await wait_all_tasks_blocked()
        assert len(sup.children) == 0


# What happens then


async def test_those_that_are_left_are_stopped_newest_first(autojump_clock: MockClock) -> None:
    # Rule S47.
    diary, (a, b, c) = puppets("abc")
    a.cleanup = c.cleanup = 1.0
    with pytest.raises(RestartLimitReached):
        async with open_supervisor(specs(a, b, c), max_restarts=0):
            diary.take()
            b.crash()
            await trio.sleep_forever()
    assert diary.lines == [(0.0, "-b"), (1.0, "-c"), (2.0, "-a")]


async def test_those_that_listen_are_asked(autojump_clock: MockClock) -> None:
    # Rule S47: each by its own shutdown.
    async def listen() -> None:
        await stop_requested().wait()
        await trio.sleep(3.0)

    puppet = Puppet()
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([child(listen, grace=5.0), puppet.spec()], max_restarts=0):
            await wait_all_tasks_blocked()
            puppet.crash()
            await trio.sleep_forever()
    assert trio.current_time() == 3.0


async def test_the_failure_tells_of_the_last_crash() -> None:
    puppet, error = Puppet(), Crash("the last one")
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=1):
            await crash_and_settle(puppet)
            puppet.crash(error)
            await trio.sleep_forever()
    assert caught.value.__cause__ is error
    (note,) = caught.value.__notes__
    assert note.startswith("child 'a' (incarnation 2) ended by:\nTraceback")
    assert note.endswith("Crash: the last one")


async def test_a_failure_without_an_error_has_no_cause() -> None:
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=0):
            puppet.finish()
            await trio.sleep_forever()
    assert caught.value.__cause__ is None
    assert not hasattr(caught.value, "__notes__")


async def test_the_exits_that_spent_the_limit_are_told_oldest_first(
    autojump_clock: MockClock,
) -> None:
    _, (a, b) = puppets("ab")
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(specs(a, b), max_restarts=2, within=5.0):
            await crash_and_settle(a)  # forgotten by the end
            await trio.sleep(6.0)
            await crash_and_settle(b, a, b)
    exits = [(exit.child, exit.incarnation) for exit in caught.value.exits]
    assert exits == [("b", 1), ("a", 2), ("b", 2)]


async def test_an_exit_whose_restart_was_called_off_did_not_spend_the_limit(
    autojump_clock: MockClock,
) -> None:
    _, (a, b) = puppets("ab")
    backoff = Backoff(initial=60.0, maximum=60.0)
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([a.spec(backoff=backoff), b.spec()], max_restarts=1) as sup:
            await crash_and_settle(b, a)
            await sup.stop_child("a")
            await crash_and_settle(b)
    assert [exit.child for exit in caught.value.exits] == ["b", "b"]


async def test_of_a_long_limit_the_last_hundred_exits_are_told() -> None:
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=150, within=1e9):
            await crash_and_settle(*[puppet] * 151)
    assert [exit.incarnation for exit in caught.value.exits] == list(range(52, 152))


async def test_nothing_is_started_once_it_has_given_up(autojump_clock: MockClock) -> None:
    # Rule R7: c's restart is due while a is being stopped.
    diary, (a, b, c) = puppets("abc")
    a.cleanup = 5.0
    soon = Backoff(initial=1.0, jitter=0.0)
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([a.spec(), b.spec(), c.spec(backoff=soon)], max_restarts=0):
            diary.take()
            c.crash()
            b.crash()
            await trio.sleep_forever()
    assert sorted(diary.take()) == ["-a", "-b", "-c"]
    assert trio.current_time() == 5.0
