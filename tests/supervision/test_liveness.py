"""Tests of children that have to say that they are alive."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    ChildStartFailed,
    ChildStopping,
    Liveness,
    RestartLimitReached,
    child,
    cleanup_scope,
    current_child,
    open_supervisor,
    stop_requested,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash, Diary, Puppet


async def beat_after(pauses: Iterable[float]) -> None:
    for pause in pauses:
        await trio.sleep(pause)
        current_child().beat()
    await trio.sleep_forever()


async def test_a_child_that_falls_silent_is_cancelled_and_restarted(
    autojump_clock: MockClock,
) -> None:
    async with open_supervisor() as sup:
        worker = sup.start_soon(beat_after, [], liveness=Liveness(every=2.0, misses=3))
        exit = await worker.wait_exit()
        assert (exit.reason, exit.error, exit.ended_at) == ("unresponsive", None, 6.0)
        await wait_all_tasks_blocked()
        assert (worker.incarnation, sup.snapshot().restarts) == (2, 1)


@pytest.mark.parametrize(
    ("pauses", "ended_at"),
    [([], 6.0), ([1.0], 7.0), ([5.0, 5.0, 5.0], 21.0), ([6.5], 6.0), ([2.0, 7.0], 8.0)],
    ids=["no beat", "one beat", "three beats", "too late", "too late a second time"],
)
async def test_the_silence_counts_from_the_last_beat(
    pauses: list[float], ended_at: float, autojump_clock: MockClock
) -> None:
    liveness = Liveness(every=2.0, misses=3)
    async with open_supervisor() as sup:
        worker = sup.start_soon(beat_after, pauses, liveness=liveness, restart="temporary")
        assert (await worker.wait_exit()).ended_at == ended_at


async def test_a_child_that_beats_lives_for_ever(autojump_clock: MockClock) -> None:
    async with open_supervisor() as sup:
        worker = sup.start_soon(beat_after, [5.0] * 1_000, liveness=Liveness(every=2.0))
        await trio.sleep(5_000.0)
        assert worker.incarnation == 1


async def test_anybody_may_beat_for_it(autojump_clock: MockClock) -> None:
    async with open_supervisor() as sup:
        worker = sup.start_soon(beat_after, [], liveness=Liveness(every=2.0))
        for _ in range(10):
            await trio.sleep(5.0)
            worker.beat()
        assert worker.incarnation == 1


async def test_the_silence_counts_from_readiness(autojump_clock: MockClock) -> None:
    async def slow_to_start(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(100.0)
        task_status.started()
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        worker = await sup.start(slow_to_start, liveness=Liveness(every=2.0), restart="temporary")
        assert (await worker.wait_exit()).ended_at == 106.0


async def test_readiness_and_beats_have_their_own_times(autojump_clock: MockClock) -> None:
    spec = child(Puppet(takes=60.0).run, name="a", ready_within=5.0, liveness=Liveness(every=1.0))
    with pytest.raises(ChildStartFailed, match="not ready within 5 seconds"):
        async with open_supervisor([spec]):
            pytest.fail("the body must not run")
    assert trio.current_time() == 5.0


async def test_each_incarnation_counts_anew(autojump_clock: MockClock) -> None:
    async with open_supervisor(max_restarts=9, within=99.0) as sup:
        worker = sup.start_soon(beat_after, [], liveness=Liveness(every=2.0))
        ends = [(await worker.wait_exit()).ended_at]
        for _ in range(2):
            await worker.wait_ready()
            ends.append((await worker.wait_exit()).ended_at)
    assert ends == [6.0, 12.0, 18.0]


async def test_silence_spends_the_limit(autojump_clock: MockClock) -> None:
    liveness = Liveness(every=1.0, misses=1)
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([child(beat_after, [], liveness=liveness)]):
            await trio.sleep_forever()
    assert [exit.reason for exit in caught.value.exits] == ["unresponsive"] * 4


async def test_a_silent_child_is_not_asked_but_cancelled(autojump_clock: MockClock) -> None:
    async def listen() -> None:
        await stop_requested().wait()
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        worker = sup.start_soon(
            listen, liveness=Liveness(every=1.0, misses=1), grace=9.0, restart="temporary"
        )
        assert (await worker.wait_exit()).ended_at == 1.0


async def test_a_silent_child_may_clean_up(autojump_clock: MockClock) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            diary.note(str(current_child().ending))
            with cleanup_scope():
                await trio.sleep_forever()

    diary = Diary()
    async with open_supervisor() as sup:
        worker = sup.start_soon(work, liveness=Liveness(every=1.0), grace=4.0, restart="temporary")
        exit = await worker.wait_exit()
    assert (exit.reason, exit.ended_at) == ("unresponsive", 7.0)
    assert diary.lines == [(3.0, "unresponsive")]


async def test_what_a_silent_child_raises_is_kept(autojump_clock: MockClock) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Crash("in the cleanup")

    async with open_supervisor() as sup:
        worker = sup.start_soon(work, liveness=Liveness(every=1.0), restart="temporary")
        exit = await worker.wait_exit()
    assert (exit.reason, repr(exit.error)) == ("unresponsive", "Crash('in the cleanup')")


async def test_a_child_that_is_being_stopped_need_not_beat(autojump_clock: MockClock) -> None:
    async def finish_slowly() -> None:
        await stop_requested().wait()
        await trio.sleep(20.0)

    async with open_supervisor() as sup:
        worker = sup.start_soon(finish_slowly, liveness=Liveness(every=1.0), grace=60.0)
        await wait_all_tasks_blocked()
        exit = await sup.stop_child(worker.name)
    assert exit is not None
    assert (exit.reason, exit.ended_at) == ("stopped", 20.0)


async def test_it_is_said_why_the_child_is_ended(autojump_clock: MockClock) -> None:
    heard: list[ChildStopping] = []
    with subscribe(heard.append, ChildStopping):
        async with open_supervisor() as sup:
            worker = sup.start_soon(
                beat_after, [], liveness=Liveness(every=2.0), restart="temporary"
            )
            await worker.wait_exit()
    assert [event.cause for event in heard] == ["no beat for 6 seconds"]


async def test_a_beat_costs_nothing_where_nobody_asks_for_it() -> None:
    puppet = Puppet()
    async with open_supervisor([puppet.spec()]) as sup:
        sup.children["a"].beat()
        await sup.stop_child("a")
        sup.children["a"].beat()
        assert sup.children["a"].state == "stopped"


async def test_the_time_of_a_child_that_has_ended_wakes_nobody(
    autojump_clock: MockClock,
) -> None:
    puppet = Puppet()
    liveness = Liveness(every=1e6)
    async with open_supervisor() as sup:
        await sup.start_child(puppet.spec(restart="transient", liveness=liveness))
        with pytest.raises(ChildStartFailed):
            await sup.start(Puppet(refusals=[Crash("once")]).run, ready_within=1e6)
        puppet.finish()
        await wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf


async def test_a_crash_loop_of_a_sibling_does_not_hide_the_silence(
    autojump_clock: MockClock,
) -> None:
    async def crash() -> None:
        await trio.sleep(0.1)
        raise Crash("again")

    async with open_supervisor([child(crash)], max_restarts=10**9) as sup:
        worker = sup.start_soon(beat_after, [], liveness=Liveness(every=1.0), restart="temporary")
        assert (await worker.wait_exit()).ended_at == pytest.approx(3.0)
