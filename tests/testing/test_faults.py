"""Tests of faults: each kind, at each place, in whichever child."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import CallFailed, Server, serve
from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    Liveness,
    child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    subtree,
)
from trio_foundation.testing import Fault, Faults, InjectedCrash, open_test_supervisor

# What a child may wait in: each is one checkpoint, again and again.


async def sleep() -> None:
    await trio.sleep(1)


async def pass_by() -> None:
    await trio.lowlevel.checkpoint()


async def wait_in_a_shield() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(1)


async def wait_in_vain() -> None:
    with trio.move_on_after(1):
        await trio.Event().wait()


async def loop(
    step: Callable[[], Awaitable[object]], steps: list[float], most: int = 1_000_000
) -> None:
    while len(steps) < most:
        steps.append(trio.current_time())
        await step()


STEPS = pytest.mark.parametrize("step", [sleep, pass_by, wait_in_vain])


async def exit_of(
    async_fn: Callable[..., Awaitable[object]], *args: object, faults: Faults
) -> Exit:
    """Return how the first incarnation of a child named ``a`` ends under faults."""
    with faults.active():
        async with open_test_supervisor(
            [child(async_fn, *args, name="a", restart="temporary")]
        ) as sup:
            return await sup.children["a"].wait_exit()
    raise AssertionError


# Each kind


@pytest.mark.parametrize("step", [sleep, pass_by, wait_in_vain, wait_in_a_shield])
@pytest.mark.parametrize("number", [1, 4])
async def test_a_crash_is_raised_at_exactly_that_checkpoint(
    autojump_clock: MockClock, step: Callable[[], Awaitable[object]], number: int
) -> None:
    steps: list[float] = []
    faults = Faults().crash("a", at_checkpoint=number, error=ConnectionError)
    exit = await exit_of(loop, step, steps, faults=faults)
    assert exit.reason == "crashed"
    assert isinstance(exit.error, ConnectionError)
    assert len(steps) == number
    assert exit.ended_at == steps[-1]
    assert step.__name__ in exit.traceback
    assert faults.fired == faults.plan
    assert faults.pending == ()


async def test_a_crash_can_be_caught_like_any_error_and_then_nothing_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    caught: list[object] = []

    async def work() -> None:
        try:
            await trio.sleep(5)
        except InjectedCrash as error:
            caught.append((error.child, error.checkpoint))
            await trio.sleep(2)
            caught.append(trio.current_time())
        await trio.sleep_forever()

    with Faults().crash("a", at_checkpoint=1).active():
        async with open_supervisor([child(work, name="a")]) as sup:
            await trio.sleep(10)
            assert sup.children["a"].restarts == 0
    assert caught == [("supervisor/a", 1), 2.0]


@STEPS
async def test_a_cancelled_child_ends_as_one_that_has_returned(
    autojump_clock: MockClock, step: Callable[[], Awaitable[object]]
) -> None:
    steps: list[float] = []
    exit = await exit_of(loop, step, steps, faults=Faults().cancel("a", at_checkpoint=3))
    assert (exit.reason, exit.error) == ("returned", None)
    assert len(steps) == 3


@STEPS
async def test_an_interrupt_ends_the_program(
    autojump_clock: MockClock, step: Callable[[], Awaitable[object]]
) -> None:
    with pytest.raises(KeyboardInterrupt, match="checkpoint 2"):
        await exit_of(loop, step, [], faults=Faults().interrupt("a", at_checkpoint=2))


@STEPS
async def test_a_delayed_child_goes_on_later(
    autojump_clock: MockClock, step: Callable[[], Awaitable[object]]
) -> None:
    steps: list[float] = []
    faults = Faults().delay("a", 10, at_checkpoint=2)
    exit = await exit_of(loop, step, steps, 3, faults=faults)
    assert exit.reason == "returned"
    pause = 0 if step is pass_by else 1
    assert steps == [0.0, pause, 2 * pause + 10]
    assert faults.fired == faults.plan


@STEPS
async def test_a_hanging_child_is_found_by_its_liveness(
    autojump_clock: MockClock, step: Callable[[], Awaitable[object]]
) -> None:
    steps: list[float] = []
    liveness = Liveness(every=5.0, misses=1)
    worker = child(loop, step, steps, name="a", liveness=liveness, restart="temporary")
    with Faults().hang("a", at_checkpoint=2).active():
        async with open_test_supervisor([worker]) as sup:
            exit = await sup.children["a"].wait_exit()
    assert exit.reason == "unresponsive"
    assert (len(steps), exit.ended_at) == (2, 5.0)


async def test_a_hanging_child_that_listens_is_cancelled_after_its_grace(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        with trio.move_on_after(1):
            await stop_requested().wait()
        await trio.sleep_forever()

    with Faults().hang("a", at_checkpoint=1).active() as faults:
        async with open_supervisor([child(work, name="a", grace=3.0)]) as sup:
            await trio.sleep(10)
            exit = await sup.stop_child("a")
    assert exit is not None
    assert (exit.reason, exit.ended_at) == ("stopped", 13.0)
    assert faults.pending == ()


async def test_starving_lets_time_pass_without_taking_any(autojump_clock: MockClock) -> None:
    rang: list[float] = []

    async def ring() -> None:
        await trio.sleep(2)
        rang.append(trio.current_time())
        await trio.sleep_forever()

    started = time.perf_counter()
    with Faults().starve("a", 3_600, at_checkpoint=1).active():
        async with open_supervisor([child(ring, name="b")]) as sup:
            await wait_all_tasks_blocked()
            sup.start_soon(sleep, name="a")
            await trio.sleep(1)
            assert trio.current_time() >= 3_600
    assert rang == [3_600.0]
    assert time.perf_counter() - started < 5.0


@pytest.mark.realtime
async def test_starving_takes_its_time_by_a_real_clock() -> None:
    with Faults().starve("a", 0.05, at_checkpoint=1).active():
        before = trio.current_time()
        async with open_supervisor([child(sleep, name="a")]):
            await wait_all_tasks_blocked()
            assert trio.current_time() - before >= 0.05


# When, and which incarnation


async def test_checkpoints_are_counted_over_all_incarnations_and_each_fault_happens_once(
    autojump_clock: MockClock,
) -> None:
    steps: list[float] = []
    faults = Faults().crash("a", at_checkpoint=2).crash("a", at_checkpoint=5)
    with faults.active():
        async with open_test_supervisor([child(loop, sleep, steps, name="a")]) as sup:
            await trio.sleep(20)
            assert sup.children["a"].restarts == 2
    assert steps[:6] == [0.0, 1.0, 1.0, 2.0, 3.0, 3.0]


async def test_counting_begins_when_the_faults_become_active(autojump_clock: MockClock) -> None:
    steps: list[float] = []
    async with open_test_supervisor([child(loop, sleep, steps, name="a")]) as sup:
        await trio.sleep(4.5)
        with Faults().crash("a", at_checkpoint=2).active():
            exit = await sup.children["a"].wait_exit()
        await trio.sleep(3)
    assert exit.ended_at == 6.0


async def test_when_the_block_has_ended_nothing_happens_any_more(
    autojump_clock: MockClock,
) -> None:
    faults = Faults().crash("a", at_checkpoint=3).at_random(rate=1.0, limit=0)
    async with open_supervisor([child(loop, sleep, [], name="a")]) as sup:
        with faults.active():
            await trio.sleep(1.5)
        await trio.sleep(10)
        assert sup.children["a"].restarts == 0
        with pytest.raises(RuntimeError, match="not active"):
            faults.strike("a")
        with pytest.raises(RuntimeError, match=r"faults\.again"):
            faults.active().__enter__()
    assert faults.pending == faults.plan
    assert faults.again(1).plan == faults.plan


async def test_faults_may_be_added_while_they_are_active(autojump_clock: MockClock) -> None:
    with Faults().active() as faults:
        async with open_supervisor([child(loop, sleep, [], name="a")]) as sup:
            await trio.sleep(1.5)
            faults.crash("a", at_checkpoint=4)
            assert (await sup.children["a"].wait_exit()).ended_at == 3.0
            faults.at_random("a", rate=1.0, limit=1)
            assert (await sup.children["a"].wait_exit()).reason == "crashed"
            assert faults.running == ("supervisor/a",)
    assert len(faults.fired) == 2


async def test_what_happened_at_random_happens_again_by_its_plan(
    autojump_clock: MockClock,
) -> None:
    async def run(faults: Faults) -> tuple[list[float], tuple[Fault, ...]]:
        steps: list[float] = []
        start = trio.current_time()
        with faults.active():
            async with open_test_supervisor([child(loop, sleep, steps, name="a")]):
                await trio.sleep(100)
        return [step - start for step in steps], faults.fired

    steps, fired = await run(Faults(3).at_random(rate=0.1, kinds=["crash", "delay"], seconds=0.25))
    assert {fault.kind for fault in fired} == {"crash", "delay"}
    assert await run(Faults(plan=fired)) == (steps, fired)


# Striking now


async def test_a_strike_hits_a_child_where_it_waits(autojump_clock: MockClock) -> None:
    async with open_test_supervisor([child(trio.sleep_forever, name="old")]) as sup:
        await wait_all_tasks_blocked()
        with Faults().active() as faults:
            await sup.start(trio.sleep_forever, name="new")
            for name in ("old", "new", "old"):
                await wait_all_tasks_blocked()
                faults.strike(name, error=OSError)
                exit = await sup.children[name].wait_exit()
                assert (exit.reason, type(exit.error)) == ("crashed", OSError)
                await sup.children[name].wait_ready()
            await wait_all_tasks_blocked()
            faults.strike("new", "cancel")
            assert (await sup.children["new"].wait_exit()).reason == "returned"
            with pytest.raises(ValueError, match="supervisor/old, supervisor/new"):
                faults.strike("other")
    assert len(faults.fired) == 4


async def test_a_strike_at_a_child_that_was_not_run_yet_is_not_lost() -> None:
    async with open_test_supervisor([child(trio.sleep_forever, name="a")]) as sup:
        with Faults().active() as faults:
            faults.strike("a")
            assert (await sup.children["a"].wait_exit()).reason == "crashed"


# In whichever child


async def test_a_child_that_is_starting_fails_to_start() -> None:
    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.lowlevel.checkpoint()
        task_status.started()
        await trio.sleep_forever()

    with Faults().crash("a", at_checkpoint=1).crash("b", at_checkpoint=2).active():
        with pytest.raises(ChildStartFailed, match="InjectedCrash"):
            async with open_supervisor([child(start, name="a")]):
                pass
        async with open_supervisor([child(start, name="b")]) as sup:
            await wait_all_tasks_blocked()
            exit = sup.children["b"].last_exit
            assert exit is not None
            assert (exit.reason, sup.children["b"].state) == ("crashed", "running")


async def test_children_of_subtrees_and_subtrees_are_reached(autojump_clock: MockClock) -> None:
    def twig(name: str) -> Any:
        return subtree([child(loop, sleep, [], name="a")], name=name)

    with Faults().crash("right/a", at_checkpoint=3).active() as faults:
        async with open_supervisor([twig("left"), twig("right")], name="app") as sup:
            await trio.sleep(10)
            left, right = (sup.children[name].value.children["a"] for name in ("left", "right"))
            assert (left.restarts, right.restarts) == (0, 1)
            assert faults.running == ("app/left", "app/left/a", "app/right", "app/right/a")
            faults.strike("app/left")
            exit = await sup.children["left"].wait_exit()
            assert isinstance(exit.error, InjectedCrash)
            await sup.children["left"].wait_ready()
            assert sup.children["left"].value.children["a"].incarnation == 1


async def test_children_of_dynamic_supervisors_are_reached(autojump_clock: MockClock) -> None:
    faults = Faults().crash("jobs/nap", at_checkpoint=1).crash("dynamic/nap", at_checkpoint=1)
    with faults.active():
        async with open_supervisor([dynamic_subtree(name="jobs")], name="app") as sup:
            job = sup.children["jobs"].value.start_soon(trio.sleep, 10, name="nap")
            assert (await job.wait_exit()).reason == "crashed"
        async with open_dynamic_supervisor() as dynamic:
            job = dynamic.start_soon(trio.sleep, 10, name="nap")
            assert (await job.wait_exit()).reason == "crashed"
            assert faults.running == ()


class Bank(Server):
    async def pay(self, amount: int) -> int:
        await trio.sleep(1)
        return amount

    async def look(self) -> str:
        return "rich"


@pytest.mark.parametrize("number", [1, 3])
async def test_a_server_crashes_at_that_message_and_the_next_is_served(
    autojump_clock: MockClock, number: int
) -> None:
    spec, bank = serve(Bank, capacity=10)
    with Faults().crash("Bank", at_message=number, error=ConnectionError).active() as faults:
        async with open_supervisor([spec]):
            for index in range(1, 6):
                if index != number:
                    assert await bank.call(Bank.pay, index) == index
                    continue
                with pytest.raises(CallFailed) as caught:
                    await bank.call(Bank.pay, index)
                assert isinstance(caught.value.__cause__, ConnectionError)
    assert faults.pending == ()


async def test_after_a_handler_without_a_checkpoint_the_server_crashes_and_no_call_is_lost(
    autojump_clock: MockClock,
) -> None:
    spec, bank = serve(Bank, capacity=10)
    with Faults().crash("Bank", at_message=1).active():
        async with open_supervisor([spec]) as sup:
            assert await bank.call(Bank.look) == "rich"
            assert (await sup.children["Bank"].wait_exit()).reason == "crashed"
            assert await bank.call(Bank.look) == "rich"


async def test_other_kinds_at_a_message(autojump_clock: MockClock) -> None:
    spec, bank = serve(Bank, capacity=10)
    faults = Faults().delay("Bank", 10, at_message=1).starve("Bank", 20, at_message=2)
    faults.cancel("Bank", at_message=3).hang("Bank", at_message=4)
    with faults.active():
        async with open_supervisor([spec]):
            assert await bank.call(Bank.pay, 1) == 1
            assert trio.current_time() == 11.0
            assert await bank.call(Bank.pay, 1) == 1
            assert trio.current_time() >= 31.0
            with pytest.raises(CallFailed):
                await bank.call(Bank.pay, 1)
            with trio.move_on_after(100) as scope:
                await bank.call(Bank.pay, 1)
            assert scope.cancelled_caught
    assert faults.pending == ()


async def test_an_interrupt_at_a_message_ends_the_program() -> None:
    spec, bank = serve(partial(Bank), capacity=10, name="bank")
    with Faults().interrupt("bank", at_message=1).active(), pytest.raises(KeyboardInterrupt):
        async with open_supervisor([spec]):
            await bank.call(Bank.pay, 1)
