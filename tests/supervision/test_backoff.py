"""Tests of restarts that are put off."""

from __future__ import annotations

import math
import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildRestarting,
    ChildRunning,
    RestartLimitReached,
    child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash, Diary, Puppet, puppets, specs

# 1, 2, 4, 8 seconds and then 10.
DOUBLING = Backoff(initial=1.0, factor=2.0, maximum=10.0, jitter=0.0, reset_after=60.0)

TEN_SECONDS = Backoff(initial=10.0, factor=1.0, jitter=0.0)


def refusals(number: int) -> list[Exception]:
    return [Crash(f"start {one}") for one in range(number)]


async def test_each_restart_in_a_row_waits_longer(autojump_clock: MockClock) -> None:
    diary, (a,) = puppets("a")
    async with open_supervisor([a.spec(backoff=DOUBLING)], max_restarts=9, within=99.0) as sup:
        for _ in range(5):
            a.crash()
            await sup.children["a"].wait_exit()
            await sup.children["a"].wait_ready()
    assert [at for at, line in diary.lines if line == "+a"] == [0.0, 1.0, 3.0, 7.0, 15.0, 25.0]


async def test_a_child_that_was_ready_long_enough_begins_with_the_first_delay(
    autojump_clock: MockClock,
) -> None:
    puppet, delays = Puppet(), list[float]()
    async with open_supervisor([puppet.spec(backoff=DOUBLING)]) as sup:
        for ready_for in (0.0, 59.0, 60.0, 0.0):
            await trio.sleep(ready_for)
            puppet.crash()
            ended_at = (await sup.children["a"].wait_exit()).ended_at
            await sup.children["a"].wait_ready()
            delays.append(trio.current_time() - ended_at)
    assert delays == [1.0, 2.0, 1.0, 2.0]


async def test_to_become_ready_slowly_is_not_to_be_ready_long(autojump_clock: MockClock) -> None:
    puppet, ends = Puppet(takes=100.0), list[float]()
    async with open_supervisor([puppet.spec(backoff=DOUBLING)]) as sup:
        for _ in range(2):
            await trio.sleep(1.0)
            puppet.crash()
            ends.append((await sup.children["a"].wait_exit()).ended_at)
            await sup.children["a"].wait_ready()
    assert ends == [101.0, 203.0]
    assert trio.current_time() == 305.0  # the delays were 1 and 2 seconds


async def test_a_restart_that_fails_uses_the_next_delay(autojump_clock: MockClock) -> None:
    diary, (a,) = puppets("a")
    async with open_supervisor([a.spec(backoff=DOUBLING)], max_restarts=9, within=99.0) as sup:
        a.refusals = refusals(3)
        a.crash()
        await sup.children["a"].wait_exit()
        await sup.children["a"].wait_ready()
    tries = [at for at, line in diary.lines if line in {"+a", "!a"}]
    assert tries == [0.0, 1.0, 3.0, 7.0, 15.0]


async def test_a_child_started_soon_that_fails_backs_off_too(autojump_clock: MockClock) -> None:
    diary, (a,) = puppets("a")
    a.refusals = refusals(2)
    for opened in (open_supervisor(), open_dynamic_supervisor()):
        async with opened as sup:
            worker = sup.start_soon(a.run, name="a", restart="permanent", backoff=DOUBLING)
            await worker.wait_ready()
    assert [at for at, line in diary.lines if line == "!a"] == [0.0, 1.0]
    assert ("+a", 3.0) in [(line, at) for at, line in diary.lines]


async def test_a_child_that_backs_off_says_so(autojump_clock: MockClock) -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec(backoff=TEN_SECONDS)]) as sup:
        puppet.crash()
        await wait_all_tasks_blocked()
        assert sup.children["a"].state == "backing_off"
        assert sup.count_children().active == 0
        assert sup.snapshot().restarts == 0  # an attempt is dated when it is made
        await trio.sleep(10.0)
        await wait_all_tasks_blocked()
        assert sup.children["a"].state == "running"
        assert sup.snapshot().restarts == 1


async def test_a_delay_blocks_nobody(autojump_clock: MockClock) -> None:
    # Rule R6.
    diary, (a, b) = puppets("ab")
    async with open_supervisor([a.spec(backoff=TEN_SECONDS), b.spec()]) as sup:
        a.crash()
        await trio.sleep(1.0)
        b.crash()
        await wait_all_tasks_blocked()
        await sup.start(Puppet("c", diary).run, name="c")
        await trio.sleep(20.0)
    assert diary.lines[2:7] == [
        (0.0, "-a"),
        (1.0, "-b"),
        (1.0, "+b"),
        (1.0, "+c"),
        (10.0, "+a"),
    ]


@pytest.mark.parametrize("how", ["is cancelled", "is shut down", "ends"])
async def test_a_supervisor_that_ends_does_not_wait_for_a_delay(
    how: str, autojump_clock: MockClock
) -> None:
    # Rule R6.
    diary, (a,) = puppets("a")
    forever = Backoff(initial=1_000.0, maximum=1_000.0)
    with trio.move_on_after(2.0 if how == "is cancelled" else math.inf):
        async with open_supervisor([a.spec(backoff=forever)]) as sup:
            a.crash()
            await trio.sleep(math.inf if how == "is cancelled" else 2.0)
            if how == "is shut down":
                sup.shutdown()
    assert trio.current_time() == 2.0
    assert diary.take() == ["+a", "-a"]


async def test_restarts_come_due_in_order(autojump_clock: MockClock) -> None:
    diary, (a, b, c) = puppets("abc")
    delays = {a: 3.0, b: 1.0, c: 2.0}
    children = [one.spec(backoff=Backoff(initial=s, jitter=0.0)) for one, s in delays.items()]
    async with open_supervisor(children):
        diary.take()
        for one in delays:
            one.crash()
        await trio.sleep(10.0)
        assert diary.lines[3:] == [(1.0, "+b"), (2.0, "+c"), (3.0, "+a")]


async def test_a_delay_longer_than_the_window_never_spends_the_limit(
    autojump_clock: MockClock,
) -> None:
    puppet = Puppet()
    async with open_supervisor(
        [puppet.spec(backoff=TEN_SECONDS)], max_restarts=1, within=5.0
    ) as sup:
        for _ in range(20):
            puppet.crash()
            await sup.children["a"].wait_exit()
            await sup.children["a"].wait_ready()
        assert sup.children["a"].restarts == 20


async def test_the_limit_is_looked_at_when_the_attempt_is_made(autojump_clock: MockClock) -> None:
    diary, (a, b) = puppets("ab")
    with pytest.raises(RestartLimitReached, match="child 'a'"):
        async with open_supervisor(
            [a.spec(backoff=TEN_SECONDS), b.spec()], max_restarts=1, within=5.0
        ):
            diary.take()
            a.crash()
            await trio.sleep(8.0)
            b.crash()
            await trio.sleep_forever()
    assert diary.lines == [(0.0, "-a"), (8.0, "-b"), (8.0, "+b"), (10.0, "-b")]


async def test_to_stop_a_child_that_backs_off_ends_the_retries(autojump_clock: MockClock) -> None:
    # Rule S61.
    puppet = Puppet()
    async with open_supervisor([puppet.spec(backoff=TEN_SECONDS)]) as sup:
        puppet.crash()
        await trio.sleep(1.0)
        assert await sup.stop_child("a") is None
        await trio.sleep(100.0)
        assert (sup.children["a"].state, sup.children["a"].incarnation) == ("stopped", 1)


async def test_to_stop_a_dynamic_child_that_backs_off_forgets_it(
    autojump_clock: MockClock,
) -> None:
    # Rules S61 and D5.
    puppet = Puppet()
    async with open_dynamic_supervisor() as sup:
        await sup.start_child(puppet.spec(backoff=TEN_SECONDS))
        puppet.crash()
        await wait_all_tasks_blocked()
        assert await sup.stop_child("a") is None
        await trio.sleep(100.0)
        assert len(sup.children) == 0


@pytest.mark.parametrize("verb", ["restart_child", "delete_child"])
async def test_a_child_that_backs_off_counts_as_running(
    verb: str, autojump_clock: MockClock
) -> None:
    # Rules S61 and S84.
    puppet = Puppet()
    async with open_supervisor([puppet.spec(backoff=TEN_SECONDS)]) as sup:
        puppet.crash()
        await wait_all_tasks_blocked()
        with pytest.raises(ChildRunning) as caught:
            await getattr(sup, verb)("a")
        assert (caught.value.child, caught.value.state) == ("a", "backing_off")


async def test_a_child_started_by_hand_begins_a_new_life(autojump_clock: MockClock) -> None:
    diary, (a,) = puppets("a")
    async with open_supervisor([a.spec(backoff=TEN_SECONDS)]) as sup:
        a.crash()
        await trio.sleep(1.0)
        await sup.stop_child("a")
        await sup.restart_child("a")
        await trio.sleep(100.0)
        assert sup.children["a"].incarnation == 2  # the restart that was due is void
        assert diary.lines == [(0.0, "+a"), (0.0, "-a"), (1.0, "+a")]


async def test_in_a_group_the_siblings_stop_at_once_and_all_start_after_the_delay(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(backoff=TEN_SECONDS), c.spec()]
    async with open_supervisor(children, strategy="one_for_all") as sup:
        diary.take()
        b.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["-b", "-c", "-a"]
        assert {one.state for one in sup.children.values()} == {"backing_off"}
        await trio.sleep(20.0)
        assert diary.lines == [(10.0, "+a"), (10.0, "+b"), (10.0, "+c")]


async def test_in_a_group_the_next_delay_is_that_of_the_child_that_failed(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(backoff=DOUBLING), c.spec(backoff=TEN_SECONDS)]
    async with open_supervisor(children, strategy="rest_for_one"):
        diary.take()
        b.refusals, c.refusals = refusals(1), refusals(1)
        b.crash()
        await trio.sleep(50.0)
    assert diary.lines[:7] == [
        (0.0, "-b"),
        (0.0, "-c"),
        (1.0, "!b"),
        (3.0, "+b"),
        (3.0, "!c"),
        (13.0, "+c"),
        (50.0, "-c"),
    ]


async def test_an_elder_sibling_that_crashes_takes_along_those_that_wait(
    autojump_clock: MockClock,
) -> None:
    diary, (a, b, c) = puppets("abc")
    children = [a.spec(), b.spec(backoff=TEN_SECONDS), c.spec()]
    async with open_supervisor(children, strategy="rest_for_one"):
        diary.take()
        b.crash()
        await trio.sleep(1.0)
        a.crash()
        await trio.sleep(50.0)
    assert diary.lines[:6] == [
        (0.0, "-b"),
        (0.0, "-c"),
        (1.0, "-a"),
        (1.0, "+a"),
        (1.0, "+b"),
        (1.0, "+c"),
    ]


async def test_the_same_seed_gives_the_same_times(autojump_clock: MockClock) -> None:
    # Rule R49.
    async def times(seed: int, *, nested: bool) -> list[float]:
        diary, (a,) = puppets("a")
        spec = a.spec(backoff=Backoff(initial=1.0, jitter=0.5))
        tree = [subtree([spec], name="web")] if nested else [spec]
        begin = trio.current_time()
        async with open_supervisor(tree, rng=random.Random(seed)):
            for _ in range(3):
                a.crash()
                await trio.sleep(10.0)
        return [at - begin for at, line in diary.lines if line == "+a"]

    one, again = await times(1, nested=False), await times(1, nested=False)
    assert one == pytest.approx(again)
    assert one != pytest.approx(await times(2, nested=False))
    assert one == pytest.approx(await times(1, nested=True))


async def test_a_restart_is_told_with_its_delay_and_its_attempt(autojump_clock: MockClock) -> None:
    heard: list[ChildRestarting] = []
    puppet = Puppet()
    with subscribe(heard.append, ChildRestarting):
        async with open_supervisor([puppet.spec(backoff=DOUBLING)]) as sup:
            puppet.refusals = refusals(1)
            puppet.crash()
            await sup.children["a"].wait_exit()
            await sup.children["a"].wait_ready()
    assert [(event.incarnation, event.delay, event.attempt) for event in heard] == [
        (2, 1.0, 0),
        (3, 2.0, 1),
    ]


async def test_an_idle_supervisor_never_wakes(autojump_clock: MockClock) -> None:
    # A restart was due and is called off: its time must not wake the loop any more.
    puppet = Puppet()
    async with open_supervisor([puppet.spec(backoff=TEN_SECONDS)]) as sup:
        puppet.crash()
        await wait_all_tasks_blocked()
        await sup.stop_child("a")
        assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf


async def test_without_a_backoff_failing_restarts_are_tried_at_once() -> None:
    # Rule S60.
    diary = Diary()
    puppet = Puppet("a", diary)
    async with open_supervisor([child(puppet.run, name="a")], max_restarts=5) as sup:
        puppet.refusals = refusals(4)
        puppet.crash()
        await wait_all_tasks_blocked()
        assert diary.take() == ["+a", "-a", *["!a"] * 4, "+a"]
        assert sup.snapshot().restarts == 5


async def test_between_two_tries_others_get_their_turn() -> None:
    # Rule S61: a child that never starts must not keep the supervisor to itself.
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a, b), max_restarts=10**6) as sup:
        a.refusals = [Crash("never again")] * 10**5
        a.crash()
        await sup.children["a"].wait_exit()
        await sup.stop_child("b")
        await sup.start(Puppet("c", diary).run, name="c")
        assert "+c" in diary.take()
        assert sup.children["a"].incarnation < 100
        await sup.stop_child("a")
