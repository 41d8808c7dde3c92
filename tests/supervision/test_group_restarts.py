"""Tests of restarts that take siblings along."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildRunning,
    RestartLimitReached,
    Strategy,
    open_supervisor,
)

from ._puppets import Crash, Puppet, puppets, specs

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)

GROUPS: tuple[Strategy, ...] = ("one_for_all", "rest_for_one")

every_group = pytest.mark.parametrize("strategy", GROUPS)


def refusals(number: int) -> list[Exception]:
    return [Crash(f"start {one}") for one in range(number)]


# Who goes along


@pytest.mark.parametrize(
    ("strategy", "crashed", "expected"),
    [
        ("one_for_all", "a", "-a -c -b +a +b +c"),
        ("one_for_all", "b", "-b -c -a +a +b +c"),
        ("one_for_all", "c", "-c -b -a +a +b +c"),
        ("rest_for_one", "a", "-a -c -b +a +b +c"),
        ("rest_for_one", "b", "-b -c +b +c"),
        ("rest_for_one", "c", "-c +c"),
    ],
)
async def test_a_group_is_stopped_newest_first_and_started_oldest_first(
    strategy: Strategy, crashed: str, expected: str
) -> None:
    # Rules S26 and S27.
    diary, family = puppets("abc")
    async with open_supervisor(specs(*family), strategy=strategy):
        diary.take()
        family["abc".index(crashed)].crash()
        await wait_all_tasks_blocked()
        assert diary.take() == expected.split()


async def test_each_is_gone_before_the_next_is_stopped_and_ready_before_the_next_starts(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    a.cleanup = c.cleanup = 1.0
    async with open_supervisor(specs(a, b, c), strategy="one_for_all"):
        a.takes = b.takes = 10.0
        diary.take()
        b.crash()
        await trio.sleep(50.0)
        assert diary.lines == [
            (0.0, "-b"),
            (1.0, "-c"),
            (2.0, "-a"),
            (2.0, "+a"),
            (12.0, "+b"),
            (22.0, "+c"),
        ]


@every_group
async def test_a_temporary_sibling_is_stopped_and_forgotten(strategy: Strategy) -> None:
    # Rule S28.
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(restart="temporary"), c.spec()]
    async with open_supervisor(children, strategy=strategy) as sup:
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "-b", "+a", "+c"]
        assert list(sup.children) == ["a", "c"]


@every_group
async def test_siblings_that_were_not_running_are_started_too(strategy: Strategy) -> None:
    # Rule S29.
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(), c.spec(restart="transient")]
    async with open_supervisor(children, strategy=strategy) as sup:
        await sup.stop_child("b")
        c.finish()
        await wait_all_tasks_blocked()
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "+a", "+b", "+c"]
        assert [one.incarnation for one in sup.children.values()] == [2, 2, 2]


async def test_elder_siblings_that_were_not_running_stay_so_in_rest_for_one() -> None:
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), strategy="rest_for_one") as sup:
        await sup.stop_child("a")
        diary.take()
        b.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-b", "+b"]
        assert sup.children["a"].state == "stopped"


async def test_those_added_later_are_the_last_in_the_group() -> None:
    # Rule S31.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(b, a), strategy="one_for_all") as sup:
        await sup.start_child(c.spec())
        await sup.stop_child("b")
        sup.delete_child("b")
        await sup.start_child(b.spec())
        diary.take()
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-b", "-c", "+a", "+c", "+b"]


async def test_one_that_waits_for_its_first_start_is_started_once_and_in_its_turn(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    b.cleanup = 5.0
    async with open_supervisor(specs(a, b), strategy="one_for_all") as sup:
        diary.take()
        a.crash()
        await trio.sleep(1.0)
        await sup.start_soon(c.run, name="c").wait_ready()
        assert diary.take() == ["-a", "-b", "+a", "+b", "+c"]


@every_group
async def test_a_sibling_sees_in_its_cancellation_why_it_is_stopped(strategy: Strategy) -> None:
    # Rule R11.
    words: list[str] = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as error:
            words.append(str(error))
            raise

    puppet = Puppet()
    async with open_supervisor([puppet.spec()], strategy=strategy) as sup:
        await sup.start(work)
        await wait_all_tasks_blocked()
        puppet.crash()
        await wait_all_tasks_blocked()
        assert len(words) == 1
        assert strategy in words[0]


@every_group
async def test_a_stop_by_the_group_is_no_crash_of_the_sibling(strategy: Strategy) -> None:
    _, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), strategy=strategy) as sup:
        a.crash()
        await wait_all_tasks_blocked()
        exit = sup.children["b"].last_exit
        assert exit is not None
        assert (exit.reason, exit.error) == ("stopped", None)


# At the same moment


async def test_in_one_for_all_both_crashes_are_one_restart() -> None:
    # Rule S33.
    for _ in range(20):  # for both orders in which the scheduler may run the two
        diary, (a, b, c) = puppets("abc")
        async with open_supervisor(specs(a, b, c), strategy="one_for_all") as sup:
            diary.take()
            a.crash()
            b.crash()
            await wait_all_tasks_blocked()
            assert sup.snapshot().restarts == 1
            assert diary.take()[2:] == ["-c", "+a", "+b", "+c"]


async def test_in_rest_for_one_it_depends_on_who_is_handled_first() -> None:
    # Rule S33: one restart if it is the elder, two if it is the younger.
    for _ in range(20):
        diary, (a, b) = puppets("ab")
        async with open_supervisor(specs(a, b), strategy="rest_for_one") as sup:
            diary.take()
            a.crash()
            b.crash()
            await wait_all_tasks_blocked()
            first = diary.take()[0]
            assert sup.snapshot().restarts == (1 if first == "-a" else 2)
            assert sup.children["a"].incarnation == 2


async def test_a_sibling_that_crashes_while_it_is_stopped_is_not_counted(
    autojump_clock: MockClock,
) -> None:
    # Rules S32 and S75.
    diary, (a, b) = puppets("ab")
    b.cleanup = 5.0
    async with open_supervisor(specs(a, b), strategy="one_for_all", max_restarts=1) as sup:
        diary.take()
        a.crash()
        await trio.sleep(1.0)
        b.crash()
        await trio.sleep(10.0)
        assert diary.take() == ["-a", "-b", "+a", "+b"]
        assert sup.snapshot().restarts == 0  # by now the one that there was is forgotten


# When a restart fails


async def test_in_one_for_one_a_failing_restart_leaves_the_siblings_alone() -> None:
    # Rule S62.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b)):
        diary.take()
        a.refusals = refusals(2)
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "!a", "!a", "+a"]


async def test_in_one_for_all_the_retry_starts_again_from_the_first() -> None:
    # Rule S63.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c), strategy="one_for_all") as sup:
        diary.take()
        b.refusals = refusals(1)
        c.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-c", "-b", "-a", "+a", "!b", "-a", "+a", "+b", "+c"]
        assert sup.snapshot().restarts == 2


async def test_in_rest_for_one_the_retry_begins_at_the_child_that_failed() -> None:
    # Rules R25 and S64.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c), strategy="rest_for_one") as sup:
        diary.take()
        b.refusals = refusals(2)
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "-b", "+a", "!b", "!b", "+b", "+c"]
        assert sup.snapshot().restarts == 3
        assert sup.children["a"].incarnation == 2


async def test_in_rest_for_one_several_may_fail_in_turn() -> None:
    # Rule S64.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c), strategy="rest_for_one"):
        diary.take()
        a.refusals, c.refusals = refusals(1), refusals(1)
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "-b", "!a", "+a", "+b", "!c", "+c"]


async def test_the_rest_of_the_group_waits_while_one_fails(autojump_clock: MockClock) -> None:
    # Rules R25 and S84.
    _, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(backoff=TEN_SECONDS), c.spec()]
    async with open_supervisor(children, strategy="rest_for_one") as sup:
        b.refusals = refusals(1)
        a.crash()
        await wait_all_tasks_blocked()
        states = {name: one.state for name, one in sup.children.items()}
        assert states == {"a": "running", "b": "backing_off", "c": "backing_off"}
        with pytest.raises(ChildRunning) as caught:
            await sup.restart_child("c")
        assert caught.value.state == "backing_off"


async def test_a_temporary_sibling_is_no_part_of_the_retry(autojump_clock: MockClock) -> None:
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(restart="temporary"), c.spec()]
    async with open_supervisor(children, strategy="one_for_all") as sup:
        diary.take()
        a.refusals = refusals(1)
        a.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-a", "-c", "-b", "!a", "+a", "+c"]
        assert list(sup.children) == ["a", "c"]


async def test_a_group_that_never_comes_back_spends_the_limit() -> None:
    diary, (a, b) = puppets("ab")
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(specs(a, b), strategy="one_for_all", max_restarts=2):
            b.refusals = refusals(9)
            diary.take()
            a.crash()
            await trio.sleep_forever()
    assert (caught.value.child, str(caught.value.__cause__)) == ("b", "start 1")
    assert diary.take() == ["-a", "-b", "+a", "!b", "-a", "+a", "!b", "-a"]
    assert [exit.child for exit in caught.value.exits] == ["a", "b", "b"]


async def test_a_supervisor_that_ends_cuts_a_group_restart_short(
    autojump_clock: MockClock,
) -> None:
    # Rule R7.
    diary, (a, b, c) = puppets("abc")
    async with open_supervisor(specs(a, b, c), strategy="one_for_all") as sup:
        diary.take()
        b.takes = 60.0
        c.crash()
        await trio.sleep(1.0)
        sup.shutdown()
    assert diary.lines == [
        (0.0, "-c"),
        (0.0, "-b"),
        (0.0, "-a"),
        (0.0, "+a"),
        (0.0, "+b"),
        (1.0, "-b"),
        (1.0, "-a"),
    ]


async def test_a_supervisor_that_ends_while_a_group_stops_starts_nobody(
    autojump_clock: MockClock,
) -> None:
    # Rule R7.
    diary, (a, b, c) = puppets("abc")
    b.cleanup = 5.0
    async with open_supervisor(specs(a, b, c), strategy="one_for_all") as sup:
        diary.take()
        c.crash()
        await trio.sleep(1.0)
        sup.shutdown()
    assert diary.lines == [(0.0, "-c"), (5.0, "-b"), (5.0, "-a")]


# Orders in between


async def test_to_stop_the_child_that_failed_leaves_the_rest_of_its_group_stopped(
    autojump_clock: MockClock,
) -> None:
    # Rule S67, a quirk of OTP.
    _, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(backoff=TEN_SECONDS), c.spec()]
    async with open_supervisor(children, strategy="rest_for_one") as sup:
        b.refusals = refusals(1)
        a.crash()
        await wait_all_tasks_blocked()
        assert await sup.stop_child("b") is None
        await trio.sleep(100.0)
        states = {name: one.state for name, one in sup.children.items()}
        assert states == {"a": "running", "b": "stopped", "c": "stopped"}


async def test_to_stop_a_sibling_that_waits_takes_it_out_until_the_group_starts(
    autojump_clock: MockClock,
) -> None:
    # A group restart starts those that are stopped too.
    diary, (a, b) = puppets("ab")
    children = [a.spec(backoff=TEN_SECONDS), b.spec()]
    async with open_supervisor(children, strategy="one_for_all") as sup:
        a.crash()
        await wait_all_tasks_blocked()
        assert await sup.stop_child("b") is None
        assert sup.children["b"].state == "stopped"
        diary.take()
        await trio.sleep(50.0)
        assert diary.lines == [(10.0, "+a"), (10.0, "+b")]


async def test_a_sibling_that_is_started_by_hand_is_restarted_with_the_group(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b) = puppets("ab")
    children = [a.spec(backoff=TEN_SECONDS), b.spec()]
    async with open_supervisor(children, strategy="one_for_all") as sup:
        a.crash()
        await wait_all_tasks_blocked()
        await sup.stop_child("b")
        await sup.restart_child("b")
        diary.take()
        await trio.sleep(50.0)
        assert diary.lines == [(10.0, "-b"), (10.0, "+a"), (10.0, "+b")]


async def test_a_child_added_while_a_group_waits_is_started_at_once_and_restarted_with_it(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b) = puppets("ab")
    async with open_supervisor([a.spec(backoff=TEN_SECONDS)], strategy="one_for_all") as sup:
        a.crash()
        await wait_all_tasks_blocked()
        await sup.start_child(b.spec())
        await trio.sleep(50.0)
        assert diary.lines[2:] == [(0.0, "+b"), (10.0, "-b"), (10.0, "+a"), (10.0, "+b")]
