"""Faults that are known of other actor libraries, and cannot happen here.

Each was reported of, or reproduced with, a library of actors for Trio or for Python. The name
of a test says which one it is by saying what happens here instead.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import (
    CallError,
    CallFailed,
    MailboxFull,
    Overflow,
    SelfCall,
    Server,
    ServerGone,
    serve,
)
from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    RestartLimitReached,
    open_supervisor,
)


class Crash(Exception):
    """What handlers crash with."""


class Refusal(CallError):
    """What handlers refuse with."""


class Worker(Server):
    """Does what it is told, and keeps a diary over all incarnations."""

    def __init__(self, diary: list[Any] | None = None) -> None:
        self.diary = [] if diary is None else diary

    async def work(self, seconds: float, what: str = "") -> str:
        self.diary.append(f"begin {what}")
        await trio.sleep(seconds)
        self.diary.append(f"end {what}")
        return what

    async def fail(self, error: BaseException, seconds: float = 0) -> None:
        if seconds:
            await trio.sleep(seconds)
        raise error

    async def ask_oneself(self) -> None:
        await self.ref.call(Worker.work, 1)

    async def ask_oneself_in_a_task(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.ask_oneself)

    async def teardown(self, exit: Exit) -> None:
        self.diary.append(f"teardown {exit.reason}")


@pytest.fixture
def diary() -> list[Any]:
    """What workers do."""
    return []


# 1 A timed-out call kills the server


async def test_a_call_that_times_out_leaves_the_server_alive_and_its_handler_running(
    diary: list[Any], autojump_clock: MockClock
) -> None:
    spec, ref = serve(partial(Worker, diary), capacity=10)
    async with open_supervisor([spec]) as sup:
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await ref.call(Worker.work, 5, "slow")
        assert trio.current_time() == 1
        assert await ref.call(Worker.work, 1, "next") == "next"
        assert trio.current_time() == 6
        assert sup.children["Worker"].incarnation == 1
    assert diary[:4] == ["begin slow", "end slow", "begin next", "end next"]


# 2 The caller of a crashed server hangs


async def test_the_caller_of_a_server_that_crashes_is_told_at_once_and_why(
    autojump_clock: MockClock,
) -> None:
    spec, ref = serve(Worker, capacity=10)
    error = Crash("in the middle")
    async with open_supervisor([spec]):
        with trio.fail_after(3), pytest.raises(CallFailed) as failed:
            await ref.call(Worker.fail, error, 2)
        assert trio.current_time() == 2
        assert failed.value.__cause__ is error


async def test_the_callers_of_a_server_that_crashes_for_good_are_all_told_at_once(
    autojump_clock: MockClock,
) -> None:
    spec, ref = serve(Worker, capacity=1)
    told: list[str] = []

    async def call() -> None:
        try:
            await ref.call(Worker.fail, Crash(), 2)
        except (CallFailed, ServerGone) as error:
            told.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        with pytest.raises(RestartLimitReached):
            async with open_supervisor([spec], max_restarts=0):
                for _ in range(5):  # one is in hand, one in the mailbox, three wait for room
                    nursery.start_soon(call)
                await trio.sleep_forever()
    assert sorted(told) == ["CallFailed"] + ["ServerGone"] * 4
    assert trio.current_time() == 2
    with pytest.raises(ServerGone):
        await ref.call(Worker.work, 1)


# 3 The deadline does not cover the time in the queue


@pytest.mark.parametrize("queued", [1, 2], ids=["in the mailbox", "in line for room"])
async def test_the_deadline_of_a_call_covers_the_time_in_the_queue(
    queued: int, diary: list[Any], autojump_clock: MockClock
) -> None:
    spec, ref = serve(partial(Worker, diary), capacity=queued)
    async with open_supervisor([spec]):
        ref.cast(Worker.work, 100, "long")
        await wait_all_tasks_blocked()
        if queued == 2:
            ref.cast(Worker.work, 0, "a")
            ref.cast(Worker.work, 0, "b")
        with pytest.raises(trio.TooSlowError), trio.fail_after(1):
            await ref.call(Worker.work, 0, "late")
        assert trio.current_time() == 1
        await trio.sleep(200)
    # And nobody does what nobody waits for any more.
    assert "begin late" not in diary


async def test_the_deadline_of_a_call_covers_the_time_until_the_server_has_started(
    autojump_clock: MockClock,
) -> None:
    class Slow(Worker):
        async def setup(self) -> None:
            await trio.sleep(100)

    spec, ref = serve(Slow, capacity=1)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def ask() -> None:
            with pytest.raises(trio.TooSlowError), trio.fail_after(1):
                await ref.call(Worker.work, 0)
            assert trio.current_time() == 1

        async with open_supervisor([spec]):
            assert ref.statistics().received == 0


# 4 A self-call deadlocks


@pytest.mark.parametrize("method", [Worker.ask_oneself, Worker.ask_oneself_in_a_task])
async def test_a_server_that_calls_itself_is_told_so_instead_of_waiting_for_ever(
    method: Callable[..., Any], autojump_clock: MockClock
) -> None:
    spec, ref = serve(Worker, capacity=10)
    async with open_supervisor([spec]):
        with trio.fail_after(1), pytest.raises(CallFailed) as failed:
            await ref.call(method)
        assert isinstance(failed.value.__cause__, (SelfCall, ExceptionGroup))
        assert "await self.work(...)" in failed.value.traceback
        assert await ref.call(Worker.work, 1, "next") == "next"


# 5 Messages that are queued are lost over a restart


async def test_what_is_queued_is_handled_by_the_next_incarnation_once_and_in_order(
    diary: list[Any], autojump_clock: MockClock
) -> None:
    spec, ref = serve(partial(Worker, diary), capacity=10)
    came: list[str] = []

    async def call(what: str) -> None:
        came.append(await ref.call(Worker.work, 1, what))

    async with open_supervisor([spec], max_restarts=10) as sup, trio.open_nursery() as nursery:
        for number in range(3):
            ref.cast(Worker.fail, Crash(), 1)
            ref.cast(Worker.work, 0, f"cast {number}")
            await wait_all_tasks_blocked()
            nursery.start_soon(call, f"call {number}")
            await wait_all_tasks_blocked()
        await trio.sleep(100)
        assert sup.children["Worker"].incarnation == 4
    begun = [line for line in diary if line.startswith("begin")]
    assert begun == [f"begin {kind} {number}" for number in range(3) for kind in ("cast", "call")]
    assert came == ["call 0", "call 1", "call 2"]
    figures = ref.statistics()
    assert (figures.sent, figures.received, figures.dropped) == (9, 9, 0)


# 6 A cast blocks


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_oldest", "drop_newest"])
async def test_a_cast_never_waits_whatever_the_mailbox_is_like(
    overflow: Overflow, diary: list[Any], autojump_clock: MockClock
) -> None:
    spec, ref = serve(partial(Worker, diary), capacity=1, overflow=overflow)
    async with open_supervisor([spec]):
        ref.cast(Worker.work, 5, "slow")
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            for _ in range(3):
                with suppress(trio.WouldBlock):
                    assert ref.cast(Worker.work, 0) is None
        # It is a plain function: nothing is awaited, so nothing can be cancelled either.
        assert not scope.cancelled_caught
        assert trio.current_time() == 0
        assert ref.statistics().used == 1


# 7 Terminate is skipped on cancellation


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("how", ["by its supervisor", "from outside"])
async def test_teardown_runs_to_its_end_when_the_server_is_cancelled(
    how: str, is_busy: bool, autojump_clock: MockClock
) -> None:
    done: list[str] = []

    class Careful(Worker):
        async def teardown(self, exit: Exit) -> None:
            await trio.sleep(1)
            done.append(exit.reason)

    spec, ref = serve(Careful, capacity=1)
    with trio.CancelScope() as scope:
        async with open_supervisor([spec]) as sup:
            if is_busy:
                ref.cast(Worker.work, 100)
                await wait_all_tasks_blocked()
            if how == "by its supervisor":
                await sup.stop_child("Careful")
            else:
                scope.cancel()
                await trio.sleep_forever()
    assert done == ["stopped"]
    assert trio.current_time() == 1


async def test_teardown_runs_when_setup_is_cancelled(autojump_clock: MockClock) -> None:
    done: list[str] = []

    class Careful(Worker):
        async def setup(self) -> None:
            await trio.sleep(100)

        async def teardown(self, exit: Exit) -> None:
            await trio.sleep(1)
            done.append(exit.reason)

    spec, _ = serve(Careful, capacity=1)
    with trio.move_on_after(5):
        async with open_supervisor([spec]):
            pass  # pragma: no cover
    assert done == ["stopped"]


# 8 An error of setup is masked by a later one


@pytest.mark.parametrize("is_careless", [False, True], ids=["teardown works", "teardown raises"])
async def test_an_error_of_setup_is_what_the_starter_is_told(
    is_careless: bool, caplog: pytest.LogCaptureFixture
) -> None:
    first = Crash("setup")

    class Faulty(Worker):
        async def setup(self) -> None:
            raise first

        async def teardown(self, exit: Exit) -> None:
            assert exit.error is first
            if is_careless:
                raise ValueError("teardown")

    spec, _ = serve(Faulty, capacity=1)
    with pytest.raises(ChildStartFailed) as failed:
        async with open_supervisor([spec]):
            pass  # pragma: no cover
    assert failed.value.__cause__ is first


async def test_an_error_of_init_is_what_the_starter_is_told() -> None:
    first = Crash("init")

    class Faulty(Worker):
        def __init__(self) -> None:
            raise first

        async def teardown(self, exit: Exit) -> None:
            raise AssertionError("there is nothing to tear down")

    spec, _ = serve(Faulty, capacity=1)
    with pytest.raises(ChildStartFailed) as failed:
        async with open_supervisor([spec]):
            pass  # pragma: no cover
    assert failed.value.__cause__ is first


async def test_an_error_of_a_handler_is_not_masked_by_one_of_teardown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = Crash("handler")

    class Faulty(Worker):
        async def teardown(self, exit: Exit) -> None:
            if exit.error is not None:
                raise ValueError("teardown")

    spec, ref = serve(Faulty, capacity=1)
    async with open_supervisor([spec]) as sup:
        with pytest.raises(CallFailed) as failed:
            await ref.call(Worker.fail, first)
        assert failed.value.__cause__ is first
        await wait_all_tasks_blocked()
        exit = sup.children["Faulty"].last_exit
        assert exit is not None
        assert exit.error is first


# 9 KeyboardInterrupt restarts the server


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["in a call", "in a cast", "in setup"])
async def test_a_keyboard_interrupt_ends_the_program_and_restarts_nothing(
    where: str, end: type[BaseException], diary: list[Any]
) -> None:
    class Interrupted(Worker):
        async def setup(self) -> None:
            self.diary.append("setup")
            if where == "in setup":
                raise end

    spec, ref = serve(partial(Interrupted, diary), capacity=1)
    told: list[str] = []

    async def call() -> None:
        try:
            await ref.call(Worker.fail, end())
        except (CallFailed, ServerGone) as error:
            told.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        with pytest.raises(end):
            async with open_supervisor([spec], max_restarts=10):
                if where == "in a call":
                    nursery.start_soon(call)
                elif where == "in a cast":
                    ref.cast(Worker.fail, end())
                await trio.sleep_forever()
    assert diary.count("setup") == 1
    assert told == ["CallFailed"] * (where == "in a call")


# 10 The mailbox grows without bound


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_oldest", "drop_newest"])
async def test_a_mailbox_does_not_grow_however_much_is_sent(overflow: Overflow) -> None:
    spec, ref = serve(Worker, capacity=100, overflow=overflow)

    def send(count: int) -> None:
        for _ in range(count):
            with suppress(trio.WouldBlock):
                ref.cast(Worker.work, 1_000, "x" * 1_000)

    async with open_supervisor([spec]):
        send(200)
        gc.collect()
        tracemalloc.start()
        try:
            send(10_000)
            gc.collect()
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        figures = ref.statistics()
        assert (figures.used, figures.peak) == (100, 100)
        assert grown < 500_000  # 10,000 of them would be ten millions


@pytest.mark.parametrize("capacity", [0, -1, float("inf"), None])
def test_a_mailbox_without_a_cap_cannot_be_made(capacity: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        serve(Worker, capacity=capacity)


# 11 An expected error kills the server


async def test_a_refusal_reaches_its_caller_as_itself_and_the_server_lives_with_all_it_knows(
    diary: list[Any],
) -> None:
    spec, ref = serve(partial(Worker, diary), capacity=10)
    refusal = Refusal("out of stock")
    async with open_supervisor([spec], max_restarts=0) as sup:
        for _ in range(20):
            with pytest.raises(Refusal) as refused:
                await ref.call(Worker.fail, refusal)
            assert refused.value is refusal
            ref.cast(Worker.fail, Refusal("nobody hears"))
        assert await ref.call(Worker.work, 0, "next") == "next"
        assert sup.children["Worker"].incarnation == 1
    assert diary == ["begin next", "end next", "teardown stopped"]


# 12 A late reply arrives at the next call


async def test_a_late_answer_does_not_arrive_at_the_next_call_of_the_same_caller(
    autojump_clock: MockClock,
) -> None:
    spec, ref = serve(Worker, capacity=10)
    async with open_supervisor([spec]):
        for number in range(10):
            with trio.move_on_after(1) as scope:
                await ref.call(Worker.work, 2, f"late {number}")
            assert scope.cancelled_caught
            assert await ref.call(Worker.work, 1, f"next {number}") == f"next {number}"


async def test_a_late_answer_does_not_wake_a_caller_that_does_something_else_by_now(
    autojump_clock: MockClock,
) -> None:
    spec, ref = serve(Worker, capacity=10)
    async with open_supervisor([spec]):
        with trio.move_on_after(1):
            await ref.call(Worker.work, 2, "late")
        await trio.sleep(10)
        assert trio.current_time() == 11


async def test_an_answer_in_the_moment_of_the_deadline_arrives_at_its_own_call_or_not_at_all(
    autojump_clock: MockClock,
) -> None:
    spec, ref = serve(Worker, capacity=10)
    async with open_supervisor([spec]):
        for number in range(50):
            answer = None
            with trio.move_on_after(1) as scope:
                answer = await ref.call(Worker.work, 1, f"now {number}")
            assert (answer is None) is scope.cancelled_caught
            assert answer in {None, f"now {number}"}
            assert await ref.call(Worker.work, 0, f"next {number}") == f"next {number}"


# 13 Stopping leaves callers hanging


@pytest.mark.parametrize("drain", [False, True], ids=["at once", "drained"])
@pytest.mark.parametrize("how", ["stop_child", "shutdown", "end of the block"])
async def test_nobody_hangs_when_the_server_is_stopped(
    how: str, drain: bool, autojump_clock: MockClock
) -> None:
    spec, ref = serve(Worker, capacity=2, drain=drain, grace=5.0)
    told: list[str] = []

    async def call() -> None:
        try:
            told.append(await ref.call(Worker.work, 2, "done"))
        except (CallFailed, ServerGone) as error:
            told.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        async with open_supervisor([spec]) as sup:
            for _ in range(5):  # one is in hand, two are in the mailbox, two wait for room
                nursery.start_soon(call)
            await wait_all_tasks_blocked()
            if how == "stop_child":
                await sup.stop_child("Worker")
                await wait_all_tasks_blocked()
                assert len(told) == 5
            elif how == "shutdown":
                sup.shutdown()
        with trio.fail_after(0.5):
            await wait_all_tasks_blocked()
            assert len(told) == 5
    done = [line for line in told if line == "done"]
    assert len(done) == (2 if drain else 0)
    assert sorted(told)[:1] == ["CallFailed"]
    with pytest.raises(ServerGone):
        await ref.call(Worker.work, 1)
    with pytest.raises(ServerGone):
        ref.cast(Worker.work, 1)


async def test_nobody_hangs_whose_place_a_drop_policy_takes_away() -> None:
    spec, ref = serve(Worker, capacity=1, overflow="drop_oldest")
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        ref.cast(Worker.work, 1_000)
        await wait_all_tasks_blocked()

        @nursery.start_soon
        async def call() -> None:
            with pytest.raises(MailboxFull):
                await ref.call(Worker.work, 1)
            nursery.cancel_scope.cancel()

        await wait_all_tasks_blocked()
        ref.cast(Worker.work, 1)
