"""Tests of faults where they could do harm to more than they are meant for."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import Server, open_mailbox, serve
from trio_foundation.supervision import (
    ChildStartFailed,
    ChildUnstopped,
    child,
    cleanup_scope,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe
from trio_foundation.testing import (
    Faults,
    InjectedCrash,
    capture_events,
    explore,
    open_test_supervisor,
)


async def test_a_fault_in_a_shielded_cleanup_is_reported_and_the_stop_goes_on(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(1)

    with Faults().crash("a", at_checkpoint=2).active() as faults:
        async with open_supervisor([child(work, name="a"), child(work, name="b")]) as sup:
            await wait_all_tasks_blocked()
            exit = await sup.stop_child("a")
    assert exit is not None
    assert exit.reason == "stopped"
    assert isinstance(exit.error, InjectedCrash)
    assert faults.pending == ()
    assert trio.current_time() == 1.0  # that of b, undisturbed


async def test_a_hang_in_a_shielded_cleanup_lasts_as_long_as_the_shield(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.lowlevel.checkpoint()
                await trio.sleep_forever()

    with Faults().hang("a", at_checkpoint=2).active(), capture_events(ChildUnstopped) as events:
        async with open_supervisor([child(work, name="a", grace=3.0)]):
            await wait_all_tasks_blocked()
    assert trio.current_time() == 3.0
    assert list(events) == []


async def test_a_wait_that_is_broken_off_leaves_no_entry_behind(autojump_clock: MockClock) -> None:
    lock, limiter = trio.Lock(), trio.CapacityLimiter(1)
    send, receive = trio.open_memory_channel[int](0)
    waits: list[Callable[[], Any]] = [lock.acquire, limiter.acquire, receive.receive]
    async with lock, limiter:
        with Faults().at_random(rate=1.0, limit=3).active() as faults:
            async with open_dynamic_supervisor() as sup:
                for index, wait in enumerate(waits):
                    sup.start_soon(wait, name=f"w{index}")
                await wait_all_tasks_blocked()
                assert sup.count_children().active == 0
        assert len(faults.fired) == 3
        assert lock.statistics().tasks_waiting == limiter.statistics().tasks_waiting == 0
        assert send.statistics().tasks_waiting_receive == 0


async def test_what_has_happened_is_not_belied(autojump_clock: MockClock) -> None:
    lock = trio.Lock()

    async def work() -> None:
        async with lock:  # it is free, so it is taken before the checkpoint
            await trio.sleep(1)

    with Faults().crash("a", at_checkpoint=1).active() as faults:
        async with open_supervisor([child(work, name="a", restart="temporary")]) as sup:
            exit = await sup.children["a"].wait_exit()
    assert exit.reason == "crashed"
    assert isinstance(exit.error, InjectedCrash)
    assert exit.error.checkpoint == 2
    assert not lock.locked()
    assert faults.fired == faults.plan


async def test_a_child_that_never_waits_is_hit_all_the_same(autojump_clock: MockClock) -> None:
    send, _receive = trio.open_memory_channel[int](1_000_000)
    cleaned: list[str] = []

    async def work() -> None:
        try:
            while True:
                await send.send(1)
        finally:
            with cleanup_scope():
                await trio.sleep(1)
                cleaned.append("up")

    with Faults().crash("a", at_checkpoint=3).active() as faults:
        async with open_supervisor([child(work, name="a", restart="temporary")]) as sup:
            exit = await sup.children["a"].wait_exit()
    assert isinstance(exit.error, InjectedCrash)
    assert cleaned == ["up"]
    assert faults.pending == ()
    assert send.statistics().current_buffer_used < 20


async def test_no_message_is_lost_on_the_way_by_a_crash_while_waiting(
    autojump_clock: MockClock,
) -> None:
    got: list[int] = []
    address, mailbox = open_mailbox[int](10)

    async def take() -> None:
        while True:
            got.append(await mailbox.receive())

    faults = Faults(5).at_random("a", rate=0.3)
    with mailbox, faults.active():
        async with open_test_supervisor([child(take, name="a")]):
            for number in range(100):
                await address.send(number)
                await trio.sleep(0.5)
    assert len(faults.fired) > 10
    assert got == list(range(100))


@pytest.mark.parametrize("kind", ["crash", "interrupt", "cancel"])
async def test_a_child_that_waits_for_its_nursery_is_hit_there(
    autojump_clock: MockClock, kind: str
) -> None:
    cleaned: list[str] = []

    async def part(name: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append(name)

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(part, "one")
            nursery.start_soon(part, "two")

    faults = Faults()
    getattr(faults, kind)("a", at_checkpoint=1)
    spec = child(work, name="a", restart="temporary")
    try:
        with faults.active():
            async with open_supervisor([spec]) as sup:
                exit = await sup.children["a"].wait_exit()
                assert exit.reason == ("crashed" if kind == "crash" else "returned")
                if kind == "crash":
                    assert "InjectedCrash" in exit.traceback
    except KeyboardInterrupt:
        assert kind == "interrupt"
    assert sorted(cleaned) == ["one", "two"]
    assert faults.pending == ()


def test_a_nursery_that_has_just_ended_is_let_end() -> None:
    async def scenario() -> None:
        last = trio.Event()

        async def work() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(finish)
            await trio.sleep(1)

        async def finish() -> None:
            await trio.sleep(1)
            last.set()

        with Faults().active() as faults:
            async with open_supervisor([child(work, name="a", restart="temporary")]) as sup:
                await last.wait()
                faults.strike("a")
                exit = await sup.children["a"].wait_exit()
        assert isinstance(exit.error, InjectedCrash)
        assert exit.error.checkpoint == 2

    explore(scenario, range(20))


async def test_a_child_that_waits_within_this_library_is_hit_when_it_is_its_own_again(
    autojump_clock: MockClock,
) -> None:
    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(3)

    async def work() -> None:
        async with open_supervisor([child(slow)], name="own"):
            pass  # here it waits for its children
        await trio.sleep_forever()

    with Faults().active() as faults:
        async with open_supervisor([child(work, name="a", restart="temporary")]) as sup:
            await trio.sleep(1)
            faults.strike("a")
            exit = await sup.children["a"].wait_exit()
    assert isinstance(exit.error, InjectedCrash)
    assert exit.ended_at == 3.0


async def test_the_tasks_of_a_child_are_left_alone_even_with_its_name(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(trio.sleep, 5, name="supervisor/a")

    with Faults().at_random(rate=1.0).active() as faults:
        async with open_supervisor([child(work, name="a", restart="temporary")]) as sup:
            await sup.children["a"].wait_exit()
    assert [fault.at_checkpoint for fault in faults.fired] == [1]


async def test_a_fault_that_one_incarnation_does_not_get_the_next_one_gets(
    autojump_clock: MockClock,
) -> None:
    lock = trio.Lock()
    runs: list[int] = []

    async def work() -> None:
        runs.append(current_child().incarnation)
        if len(runs) > 1:
            await trio.sleep_forever()
        async with lock:
            pass

    with Faults().crash("a", at_checkpoint=1).active() as faults:
        async with open_supervisor([child(work, name="a")]) as sup:
            await trio.sleep(1)
            assert sup.children["a"].incarnation == 3
    assert runs == [1, 2, 3]
    assert faults.fired == faults.plan


async def test_a_supervisor_that_is_a_child_is_hit_at_each_of_its_checkpoints(
    autojump_clock: MockClock,
) -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    for number in range(1, 30):
        web = subtree([child(trio.sleep, 1, name="x")], name="web", max_restarts=100)
        with Faults().crash("web", at_checkpoint=number).active():
            with suppress(ChildStartFailed):
                async with open_test_supervisor([web]) as sup:
                    await trio.sleep(3)
                    await sup.stop_child("web")
                    await sup.restart_child("web")
                    await trio.sleep(3)
        assert trio.lowlevel.current_statistics().tasks_living == tasks


class Echo(Server):
    async def setup(self) -> None:
        await trio.sleep(1)

    async def say(self, number: int) -> int:
        await trio.sleep(0.1)
        return number

    async def teardown(self, exit: object) -> None:
        await trio.sleep(1)


async def test_a_server_answers_every_call_in_one_way_or_the_other(
    autojump_clock: MockClock,
) -> None:
    answers: list[str] = []
    spec, echo = serve(Echo, capacity=5)

    async def ask(number: int) -> None:
        try:
            assert await echo.call(Echo.say, number) == number
        except Exception as error:  # noqa: BLE001  they are counted
            answers.append(type(error).__name__)
        else:
            answers.append("answer")

    with Faults(2).at_random("Echo", rate=0.1, kinds=["crash", "cancel", "delay"]).active():
        async with open_test_supervisor() as sup:
            await sup.start_child(spec)
            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(ask, number)
    assert len(answers) == 100
    assert set(answers) == {"answer", "CallFailed"}


async def test_nothing_of_a_child_that_is_gone_is_kept(autojump_clock: MockClock) -> None:
    class Big:
        async def work(self) -> None:
            await trio.sleep(1)

    with Faults().at_random(rate=0.0).active() as faults:
        async with open_dynamic_supervisor() as sup:
            gone: list[weakref.ref[Big]] = []
            for number in range(50):
                big = Big()
                gone.append(weakref.ref(big))
                sup.start_soon(big.work, name=f"w{number}")
                del big
            await trio.sleep(2)
            gc.collect()
            assert [one for one in gone if one() is not None] == []
            assert faults.running == ()


async def test_two_sets_of_faults_may_be_active_at_once(autojump_clock: MockClock) -> None:
    one, other = Faults().crash("a", at_checkpoint=2), Faults().crash("a", at_checkpoint=2)
    async with open_test_supervisor([child(partial(trio.sleep, 1), name="a")]) as sup:
        with one.active():
            await trio.sleep(0.5)
            with other.active():
                await trio.sleep(5)
        await trio.sleep(5)
        assert sup.children["a"].last_exit is not None
    assert one.pending == other.pending == ()


async def test_a_child_may_throw_faults_at_itself(autojump_clock: MockClock) -> None:
    faults = Faults().crash("a", at_checkpoint=2)

    async def work() -> None:
        if not faults.fired:
            with faults.active():
                await trio.sleep(1)
                await trio.sleep(1)
                await trio.sleep(1)
        await trio.sleep_forever()

    async with open_supervisor([child(work, name="a")]) as sup:
        exit = await sup.children["a"].wait_exit()
        assert isinstance(exit.error, InjectedCrash)
        await sup.children["a"].wait_ready()


async def test_where_a_task_is_can_still_be_seen(autojump_clock: MockClock) -> None:
    heard: list[ChildUnstopped] = []

    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10)

    with Faults().active(), subscribe(heard.append, ChildUnstopped):
        async with open_supervisor([child(stubborn, grace=1.0)]):
            await wait_all_tasks_blocked()
    assert "stubborn" in heard[0].stack
    assert "await trio.sleep(10)" in heard[0].stack


async def test_what_is_not_trios_is_refused_as_ever() -> None:
    class Foreign:
        def __await__(self) -> Any:
            yield "what asyncio would understand"

    async def work() -> None:
        await Foreign()

    with Faults().active():
        async with open_supervisor([child(work, restart="temporary")]) as sup:
            exit = await sup.children["work"].wait_exit()
    assert isinstance(exit.error, TypeError)
    assert "unrecognized yield message" in str(exit.error)
