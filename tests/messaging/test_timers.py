"""Tests of what a server does later, and again and again."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.messaging import (
    CallError,
    CallFinished,
    CallStarted,
    MessageDropped,
    Ref,
    Server,
    Timer,
    serve,
)
from trio_foundation.supervision import Supervisor, current_child, open_supervisor, stop_requested
from trio_foundation.telemetry import Event, subscribe

ServerT = TypeVar("ServerT", bound=Server)


class Crash(Exception):
    """What handlers crash with."""


class Refusal(CallError):
    """What handlers refuse with."""


@attrs.define(eq=False)
class Diary:
    """What happened, and when."""

    lines: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])

    def note(self, line: str) -> None:
        self.lines.append((trio.current_time(), line))

    def take(self) -> list[tuple[float, str]]:
        lines, self.lines = self.lines, []
        return lines


@asynccontextmanager
async def running(
    factory: Callable[[], ServerT], **options: Any
) -> AsyncGenerator[tuple[Ref[ServerT], Supervisor], None]:
    """Run a server named ``it``, and let it crash as often as it likes."""
    chosen: dict[str, Any] = {"capacity": 10, "name": "it", **options}
    spec, ref = serve(factory, **chosen)
    async with open_supervisor([spec], max_restarts=1_000) as sup:
        await sup.children["it"].wait_ready()
        yield ref, sup
    figures = ref.statistics()
    assert figures.sent == figures.received + figures.dropped + figures.used


class Clock(Server):
    """Notes what it is told; *begin* says which timers to set."""

    def __init__(self, diary: Diary, begin: Callable[[Clock], object] = bool) -> None:
        self.diary = diary
        self.begin = begin
        self.timers: list[Timer] = []

    async def setup(self) -> None:
        made = self.begin(self)
        if isinstance(made, Timer):
            self.timers.append(made)

    async def tick(self, what: str = "tick", then: float | Exception | None = None) -> str:
        self.diary.note(what)
        if isinstance(then, Exception):
            raise then
        if then is not None:
            await trio.sleep(then)
        return what

    async def every_(self, seconds: float, *args: Any) -> None:
        self.timers.append(self.every(seconds, self.tick, *args))

    async def after_(self, seconds: float, *args: Any) -> None:
        self.timers.append(self.after(seconds, self.tick, *args))

    async def cancel(self, which: int = -1) -> None:
        self.timers[which].cancel()


@pytest.fixture
def diary() -> Diary:
    """What clocks note."""
    return Diary()


# Once, and again and again


async def test_after_runs_a_method_once_later(diary: Diary, autojump_clock: MockClock) -> None:
    async with running(partial(Clock, diary, lambda it: it.after(5, it.tick))):
        await trio.sleep(100)
    assert diary.lines == [(5, "tick")]


async def test_every_runs_a_method_again_and_again(diary: Diary, autojump_clock: MockClock) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(5, it.tick))):
        await trio.sleep(17)
    assert diary.lines == [(5, "tick"), (10, "tick"), (15, "tick")]


async def test_a_method_is_named_as_the_class_has_it_too(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(5, Clock.tick, "tock"))):
        await trio.sleep(6)
    assert diary.lines == [(5, "tock")]


async def test_a_method_gets_its_arguments_each_time(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(5, it.tick, "tock", 1.0))):
        await trio.sleep(11)
    assert diary.lines == [(5, "tock"), (10, "tock")]


async def test_a_method_that_is_overridden_runs_as_the_subclass_has_it(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Cuckoo(Clock):
        async def tick(self, what: str = "cuckoo", then: Any = None) -> str:
            return await super().tick(what, then)

    async with running(partial(Cuckoo, diary, lambda it: it.every(5, Clock.tick))):
        await trio.sleep(6)
    assert diary.lines == [(5, "cuckoo")]


async def test_a_private_method_may_be_run_by_a_timer(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Cuckoo(Clock):
        async def setup(self) -> None:
            self.after(1, self._call)

        async def _call(self) -> None:
            self.diary.note("cuckoo")

    async with running(partial(Cuckoo, diary)):
        await trio.sleep(2)
    assert diary.lines == [(1, "cuckoo")]


async def test_after_no_time_a_method_runs_when_it_is_its_turn(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.after(0, it.tick))):
        await wait_all_tasks_blocked()
        assert diary.lines == [(0, "tick")]


async def test_after_no_time_a_method_runs_when_the_message_in_hand_is_done(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Twice(Clock):
        async def tick(self, what: str = "tick", then: Any = None) -> str:
            if what == "tick":
                self.after(0, self.tick, "once more")
                await trio.sleep(1)
            self.diary.note(what)
            return what

    async with running(partial(Twice, diary)) as (ref, _):
        await ref.call(Clock.tick)
        await wait_all_tasks_blocked()
    assert diary.lines == [(1, "tick"), (1, "once more")]


async def test_a_timer_may_be_set_by_a_message(diary: Diary, autojump_clock: MockClock) -> None:
    async with running(partial(Clock, diary)) as (ref, _):
        await trio.sleep(1)
        await ref.call(Clock.after_, 5)
        await trio.sleep(100)
    assert diary.lines == [(6, "tick")]


async def test_a_timer_may_be_set_by_a_timer(diary: Diary, autojump_clock: MockClock) -> None:
    class Chain(Clock):
        async def tick(self, what: str = "tick", then: Any = None) -> str:
            self.after(2, self.tick)
            return await super().tick(what, then)

    async with running(partial(Chain, diary, lambda it: it.after(1, it.tick))):
        await trio.sleep(6)
    assert diary.lines == [(1, "tick"), (3, "tick"), (5, "tick")]


async def test_a_timer_may_be_set_in_setup_of_a_server_that_is_slow_to_start(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Slow(Clock):
        async def setup(self) -> None:
            self.every(2, self.tick)
            await trio.sleep(5)

    async with running(partial(Slow, diary)):
        await trio.sleep(4)
    # It was late once, and is told once.
    assert diary.lines == [(5, "tick"), (6, "tick"), (8, "tick")]


async def test_timers_come_in_the_order_of_their_times_and_of_their_setting(
    diary: Diary, autojump_clock: MockClock
) -> None:
    def begin(it: Clock) -> None:
        it.after(3, it.tick, "c")
        it.after(1, it.tick, "a")
        it.after(2, it.tick, "b1")
        it.after(2, it.tick, "b2")

    async with running(partial(Clock, diary, begin)):
        await trio.sleep(5)
    assert diary.lines == [(1, "a"), (2, "b1"), (2, "b2"), (3, "c")]


async def test_a_timer_that_is_set_beside_the_loop_wakes_the_server(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        await trio.sleep(10)
        clocks[0].after(5, clocks[0].tick, "later")
        clocks[0].after(1, clocks[0].tick, "soon")
        clocks[0].every(2, clocks[0].tick, "again")
        await trio.sleep(5.5)
    assert diary.lines == [(11, "soon"), (12, "again"), (14, "again"), (15, "later")]


async def test_a_timer_that_is_set_beside_a_handler_waits_for_it(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)) as (ref, _):
        ref.cast(Clock.tick, "slow", 10.0)
        await trio.sleep(1)
        clocks[0].after(2, clocks[0].tick)
        await trio.sleep(20)
    assert diary.lines == [(0, "slow"), (10, "tick")]


async def test_a_hundred_timers_run_beside_each_other(
    diary: Diary, autojump_clock: MockClock
) -> None:
    def begin(it: Clock) -> None:
        for number in range(1, 101):
            it.after(101 - number, it.tick, str(number))

    async with running(partial(Clock, diary, begin)):
        await trio.sleep(200)
    assert diary.lines == [(101 - number, str(number)) for number in range(100, 0, -1)]


async def test_idle_timers_do_not_keep_other_tasks_from_running(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(0.001, it.tick))):
        with trio.move_on_after(1):
            await trio.sleep_forever()
        assert trio.current_time() == 1
    assert len(diary.lines) in {999, 1_000}


# One at a time


async def test_a_method_is_never_run_twice_at_once_and_missed_times_are_left_out(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(10, it.tick, "slow", 25.0))):
        await trio.sleep(100)
    # It is due at 10, and late at 35 (for 20), 60 (for 40) and 85 (for 70).
    assert diary.lines == [(10, "slow"), (35, "slow"), (60, "slow"), (85, "slow")]


async def test_a_method_that_was_late_comes_back_to_its_times(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(10, it.tick))) as (ref, _):
        ref.cast(Clock.tick, "slow", 34.0)
        await trio.sleep(55)
    assert diary.lines == [(0, "slow"), (34, "tick"), (40, "tick"), (50, "tick")]


async def test_a_method_that_takes_as_long_as_its_period_runs_at_each_time(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(10, it.tick, "slow", 10.0))):
        await trio.sleep(45)
    assert [at for at, _ in diary.lines] == [10, 20, 30, 40]


# Timers and messages


async def test_messages_that_came_before_a_timer_was_due_are_handled_before_it(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.after(5, it.tick))) as (ref, _):
        ref.cast(Clock.tick, "slow", 10.0)
        ref.cast(Clock.tick, "a")
        await trio.sleep(4.5)
        ref.cast(Clock.tick, "b")
        await trio.sleep(20)
    assert [line for _, line in diary.lines] == ["slow", "a", "b", "tick"]


async def test_messages_that_came_after_a_timer_was_due_are_handled_after_it(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.after(5, it.tick))) as (ref, _):
        ref.cast(Clock.tick, "slow", 10.0)
        await trio.sleep(5.5)
        ref.cast(Clock.tick, "c")
        await trio.sleep(20)
    assert [line for _, line in diary.lines] == ["slow", "tick", "c"]


async def test_a_message_of_the_moment_in_which_a_timer_is_due_is_handled_before_it(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.after(5, it.tick))) as (ref, _):
        ref.cast(Clock.tick, "slow", 10.0)
        await trio.sleep(5)
        ref.cast(Clock.tick, "same")
        await trio.sleep(20)
    assert [line for _, line in diary.lines] == ["slow", "same", "tick"]


async def test_timers_and_messages_take_turns_as_they_came(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(2, it.tick))) as (ref, _):
        ref.cast(Clock.tick, "slow", 2.5)
        for name in "abc":
            await trio.sleep(1)
            ref.cast(Clock.tick, name)
        await trio.sleep(1.5)
    # a came at 1, b at 2 as the timer did, c at 3; the timer is due at 2 and at 4.
    assert [line for _, line in diary.lines] == ["slow", "a", "b", "tick", "c", "tick"]


async def test_a_call_that_stood_in_line_came_when_it_was_made(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async def call(name: str) -> None:
        await ref.call(Clock.tick, name)

    def begin(it: Clock) -> Timer:
        return it.after(5, it.tick)

    async with running(partial(Clock, diary, begin), capacity=1) as (ref, _):
        async with trio.open_nursery() as nursery:
            ref.cast(Clock.tick, "slow", 10.0)
            await wait_all_tasks_blocked()
            ref.cast(Clock.tick, "a")
            nursery.start_soon(call, "b")
            await trio.sleep(6)
            nursery.start_soon(call, "c")
    assert [line for _, line in diary.lines] == ["slow", "a", "b", "tick", "c"]


async def test_a_full_mailbox_keeps_no_timer_away(diary: Diary, autojump_clock: MockClock) -> None:
    async with running(partial(Clock, diary), capacity=1, overflow="reject") as (ref, _):
        await ref.call(Clock.every_, 3)
        ref.cast(Clock.tick, "slow", 4.0)
        await wait_all_tasks_blocked()
        ref.cast(Clock.tick, "a", 4.0)
        assert ref.statistics().used == 1
        await trio.sleep(8.5)
    assert diary.lines == [(0, "slow"), (4, "a"), (8, "tick")]


async def test_messages_that_keep_coming_keep_no_timer_away(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async def flood() -> None:
        while True:
            await ref.cast_wait(Clock.tick, "flood", 1.0)

    async with running(partial(Clock, diary, lambda it: it.every(10, it.tick)), capacity=3) as (
        ref,
        _,
    ):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(flood)
            await trio.sleep(100)
            nursery.cancel_scope.cancel()
    ticks = [at for at, line in diary.lines if line == "tick"]
    # At most those that were there before it go first: a full mailbox, and the line before it.
    assert len(ticks) == 9
    assert all(10 * turn <= at <= 10 * turn + 7 for turn, at in enumerate(ticks, 1))


async def test_a_timer_that_is_always_due_keeps_no_message_away(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(1, it.tick, "slow", 5.0))) as (
        ref,
        _,
    ):
        await trio.sleep(3)
        with trio.fail_after(11):
            await ref.call(Clock.tick, "call")


async def test_timers_leave_the_figures_of_the_mailbox_alone(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(1, it.tick))) as (ref, _):
        await trio.sleep(10)
        figures = ref.statistics()
        assert (figures.sent, figures.received, figures.dropped, figures.used) == (0, 0, 0, 0)


async def test_a_timer_wakes_a_server_between_messages_and_loses_none(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(1, it.tick))) as (ref, _):
        for number in range(20):
            await trio.sleep(0.25)  # every fourth in the moment of the timer
            assert await ref.call(Clock.tick, str(number)) == str(number)


# Called off


async def test_a_timer_that_is_called_off_does_not_come(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary)) as (ref, _):
        await ref.call(Clock.after_, 5)
        await ref.call(Clock.every_, 5)
        await trio.sleep(4)
        await ref.call(Clock.cancel, 0)
        await ref.call(Clock.cancel, 1)
        await trio.sleep(100)
    assert diary.lines == []


async def test_a_timer_is_called_off_between_two_times(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary)) as (ref, _):
        await ref.call(Clock.every_, 5)
        await trio.sleep(12)
        await ref.call(Clock.cancel)
        await trio.sleep(100)
    assert diary.lines == [(5, "tick"), (10, "tick")]


async def test_a_timer_may_be_called_off_twice_and_when_it_is_over(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary)) as (ref, _):
        await ref.call(Clock.after_, 1)
        await ref.call(Clock.every_, 1, "tock")
        await trio.sleep(2.5)
        for _ in range(3):
            await ref.call(Clock.cancel, 0)
            await ref.call(Clock.cancel, 1)
        await trio.sleep(100)
    assert diary.lines == [(1, "tick"), (1, "tock"), (2, "tock")]


async def test_to_call_one_timer_off_leaves_the_others(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary)) as (ref, _):
        for name in "abc":
            await ref.call(Clock.after_, 5, name)
        await ref.call(Clock.cancel, 1)
        await trio.sleep(100)
    assert diary.lines == [(5, "a"), (5, "c")]


async def test_a_timer_may_be_called_off_beside_the_loop(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        timer = clocks[0].every(5, clocks[0].tick)
        await trio.sleep(6)
        timer.cancel()
        await trio.sleep(100)
    assert diary.lines == [(5, "tick")]


async def test_a_timer_may_be_called_off_by_its_own_method(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Twice(Clock):
        async def tick(self, what: str = "tick", then: Any = None) -> str:
            if len(self.diary.lines) == 1:
                self.timers[0].cancel()
            return await super().tick(what, then)

    async with running(partial(Twice, diary, lambda it: it.every(5, it.tick))):
        await trio.sleep(100)
    assert diary.lines == [(5, "tick"), (10, "tick")]


async def test_a_timer_that_is_due_and_has_not_had_its_turn_can_still_be_called_off(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary)) as (ref, _):
        await ref.call(Clock.after_, 5)
        ref.cast(Clock.tick, "slow", 10.0)
        ref.cast(Clock.cancel)
        await trio.sleep(100)
    assert diary.lines == [(0, "slow")]


async def test_a_thousand_timers_that_are_called_off_leave_nothing_behind(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)) as (ref, _):
        for _ in range(1_000):
            clocks[0].after(1e6, clocks[0].tick).cancel()
        assert await ref.call(Clock.tick) == "tick"
        assert len(cast("Any", clocks[0])._steering._timetable._heap) < 50


# One incarnation


async def test_timers_end_with_their_incarnation(diary: Diary, autojump_clock: MockClock) -> None:
    async with running(partial(Clock, diary)) as (ref, sup):
        await ref.call(Clock.every_, 5)
        await ref.call(Clock.after_, 5)
        await trio.sleep(1)
        ref.cast(Clock.tick, "crash", Crash())
        await trio.sleep(100)
        assert sup.children["it"].incarnation == 2
    assert diary.lines == [(1, "crash")]


async def test_a_new_incarnation_sets_timers_of_its_own(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(5, it.tick))) as (ref, _):
        await trio.sleep(7)
        ref.cast(Clock.tick, "crash", Crash())
        await trio.sleep(11)
    assert diary.lines == [(5, "tick"), (7, "crash"), (12, "tick"), (17, "tick")]


async def test_a_timer_that_was_due_when_the_server_crashed_is_not_made_up_for(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Slow(Clock):
        async def slow(self) -> None:
            await trio.sleep(10)
            raise Crash

    async with running(partial(Slow, diary)) as (ref, _):
        await ref.call(Clock.after_, 5)
        ref.cast(Slow.slow)
        ref.cast(Clock.tick, "queued")
        await trio.sleep(100)
    assert diary.lines == [(10, "queued")]


async def test_a_timer_of_a_crashed_incarnation_may_be_called_off(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []

    def begin(it: Clock) -> Timer:
        clocks.append(it)
        return it.every(5, it.tick)

    async with running(partial(Clock, diary, begin)) as (ref, _):
        ref.cast(Clock.tick, "crash", Crash())
        await trio.sleep(1)
        clocks[0].timers[0].cancel()
        await trio.sleep(5)
    assert diary.lines == [(0, "crash"), (5, "tick")]


@pytest.mark.parametrize("how", ["crashed", "stopped"])
async def test_a_server_that_has_ended_sets_no_timer(
    how: str, diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)) as (ref, sup):
        if how == "crashed":
            ref.cast(Clock.tick, "crash", Crash())
            await wait_all_tasks_blocked()
        else:
            await sup.stop_child("it")
        with pytest.raises(RuntimeError, match=r"Clock\.after works in a server that runs"):
            clocks[0].after(1, clocks[0].tick)


async def test_no_timer_runs_after_the_server_was_stopped(
    diary: Diary, autojump_clock: MockClock
) -> None:
    async with running(partial(Clock, diary, lambda it: it.every(1, it.tick))) as (_, sup):
        await sup.stop_child("it")
        await trio.sleep(10)
        assert diary.take() == []
        await sup.restart_child("it")
        await trio.sleep(1.5)
    assert diary.lines == [(11, "tick")]


async def test_a_timer_that_is_due_does_not_run_when_the_server_shuts_itself_down(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Leaving(Clock):
        async def leave(self) -> None:
            await trio.sleep(5)
            self.shutdown()

    async with running(
        partial(Leaving, diary, lambda it: it.after(1, it.tick)), restart="transient"
    ) as (ref, sup):
        await ref.call(Leaving.leave)
        await sup.children["it"].wait_exit()
    assert diary.lines == []


async def test_timers_do_not_run_while_the_server_drains(
    diary: Diary, autojump_clock: MockClock
) -> None:
    def begin(it: Clock) -> Timer:
        return it.every(1.5, it.tick)

    async with running(partial(Clock, diary, begin), drain=True, grace=100) as (ref, _):
        for name in "abc":
            ref.cast(Clock.tick, name, 1.0)
    assert diary.lines == [(0, "a"), (1, "b"), (2, "c")]
    assert trio.current_time() == 3


async def test_a_timer_that_is_slower_than_its_period_does_not_keep_a_server_from_draining(
    diary: Diary, autojump_clock: MockClock
) -> None:
    def begin(it: Clock) -> Timer:
        return it.every(1, it.tick, "slow", 2.0)

    async with running(partial(Clock, diary, begin), drain=True, grace=100) as (ref, _):
        await trio.sleep(1.5)
        ref.cast(Clock.tick, "last")
    assert diary.lines == [(1, "slow"), (3, "last")]
    assert trio.current_time() == 3


async def test_a_timer_whose_method_runs_when_the_server_is_to_drain_is_run_to_its_end(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Slow(Clock):
        async def tick(self, what: str = "tick", then: Any = None) -> str:
            await trio.sleep(3)
            return await super().tick("ended")

    async with running(partial(Slow, diary, lambda it: it.after(1, it.tick)), drain=True):
        await trio.sleep(2)
    assert diary.lines == [(4, "ended")]


# What may go wrong in a method


async def test_a_refusal_to_a_timer_is_logged_and_the_server_lives(
    diary: Diary, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    def begin(it: Clock) -> Timer:
        return it.every(5, it.tick, "no", Refusal("not now"))

    async with running(partial(Clock, diary, begin)) as (_, sup):
        await trio.sleep(11)
        assert sup.children["it"].incarnation == 1
    assert diary.lines == [(5, "no"), (10, "no")]
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            "trio_foundation.messaging",
            logging.WARNING,
            "server 'it' refused the timer of 'tick': Refusal('not now')",
        )
    ] * 2


async def test_arguments_that_do_not_fit_are_refused_when_the_timer_is_set(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(
            TypeError, match=r"^after cannot run cancel with the arguments \(1, 2, 3\)"
        ):
            clocks[0].after(5, clocks[0].cancel, 1, 2, 3)


async def test_a_crash_in_a_timer_crashes_the_server(
    diary: Diary, autojump_clock: MockClock
) -> None:
    error = Crash()
    async with running(partial(Clock, diary)) as (ref, sup):
        await ref.call(Clock.after_, 5, "crash", error)
        exit = await sup.children["it"].wait_exit()
        assert (exit.reason, exit.error) == ("crashed", error)
        assert trio.current_time() == 5
        assert await ref.call(Clock.tick) == "tick"


async def test_the_server_may_call_itself_by_a_timer_as_little_as_else(
    diary: Diary, autojump_clock: MockClock
) -> None:
    told: list[str] = []

    class Selfish(Clock):
        async def ask(self) -> None:
            try:
                await self.ref.call(Clock.tick)
            except RuntimeError as error:
                told.append(type(error).__name__)

    async with running(partial(Selfish, diary, lambda it: it.after(1, cast("Any", it).ask))):
        await trio.sleep(2)
    assert told == ["SelfCall"]


# What is told


async def test_a_timer_is_told_as_such(diary: Diary, autojump_clock: MockClock) -> None:
    told: list[Event] = []
    with subscribe(told.append, CallStarted, CallFinished):
        async with running(partial(Clock, diary, lambda it: it.after(5, it.tick, "slow", 2.0))):
            await trio.sleep(10)
    assert told == [
        CallStarted(server="it", method="tick", kind="timer", queued_for=0.0),
        CallFinished(
            server="it",
            method="tick",
            kind="timer",
            queued_for=0.0,
            handled_for=2.0,
            outcome="returned",
        ),
    ]


async def test_how_late_a_timer_is_is_told(diary: Diary, autojump_clock: MockClock) -> None:
    told: list[CallStarted] = []

    def listen(event: Event) -> None:
        if isinstance(event, CallStarted):
            told.append(event)

    async with running(partial(Clock, diary, lambda it: it.every(5, it.tick))) as (ref, _):
        with subscribe(listen, CallStarted):
            ref.cast(Clock.tick, "slow", 12.0)
            await trio.sleep(16)
    assert [(event.kind, event.queued_for) for event in told] == [
        ("cast", 0),
        ("timer", 7),
        ("timer", 0),
    ]


@pytest.mark.parametrize(
    ("error", "outcome"), [(Refusal(), "refused"), (Crash(), "crashed")], ids=["refusal", "crash"]
)
async def test_how_a_timer_ended_is_told(
    error: Exception, outcome: str, diary: Diary, autojump_clock: MockClock
) -> None:
    told: list[Event] = []
    async with running(partial(Clock, diary)) as (ref, _):
        await ref.call(Clock.after_, 5, "no", error)
        with subscribe(told.append, CallFinished):
            await trio.sleep(6)
    [event] = told
    assert isinstance(event, CallFinished)
    assert (event.kind, event.outcome) == ("timer", outcome)


async def test_a_timer_that_does_not_come_is_no_message_that_is_dropped(
    diary: Diary, autojump_clock: MockClock
) -> None:
    told: list[Event] = []
    with subscribe(told.append, MessageDropped):
        async with running(partial(Clock, diary, lambda it: it.after(5, it.tick))) as (_, sup):
            await sup.stop_child("it")
    assert told == []


async def test_the_snapshot_names_a_timer_in_hand(diary: Diary, autojump_clock: MockClock) -> None:
    async with running(partial(Clock, diary, lambda it: it.after(5, it.tick, "slow", 9.0))) as (
        _,
        sup,
    ):
        await trio.sleep(8)
        assert str(sup.snapshot().children[0].status) == "tick for 3 s"


async def test_a_timer_runs_in_the_task_and_context_of_the_server(
    diary: Diary, autojump_clock: MockClock
) -> None:
    class Curious(Clock):
        async def tick(self, what: str = "", then: Any = None) -> str:
            assert current_child().name == "it"
            assert not stop_requested().is_set()
            return await super().tick("here")

    async with running(partial(Curious, diary, lambda it: it.after(5, it.tick))):
        await trio.sleep(6)
    assert diary.lines == [(5, "here")]


# Nonsense


@pytest.mark.parametrize("seconds", [0, 0.0, -1, -math.inf, math.inf, math.nan])
async def test_a_period_is_some_seconds(
    seconds: float, diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(ValueError, match="seconds") as refused:
            clocks[0].every(seconds, clocks[0].tick)
    assert str(refused.value) == f"seconds must be more than 0 seconds and finite, not {seconds}"


@pytest.mark.parametrize("seconds", [-1, -0.001, -math.inf, math.inf, math.nan])
async def test_later_is_not_before_now_and_not_never(
    seconds: float, diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(ValueError, match="seconds") as refused:
            clocks[0].after(seconds, clocks[0].tick)
    assert str(refused.value) == f"seconds must be 0 seconds or more and finite, not {seconds}"


@pytest.mark.parametrize("seconds", [None, "1", True, [1]])
@pytest.mark.parametrize("verb", ["every", "after"])
async def test_seconds_are_a_number(
    verb: str, seconds: Any, diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(TypeError) as refused:
            getattr(clocks[0], verb)(seconds, clocks[0].tick)
    assert str(refused.value) == f"seconds must be a number of seconds, not {seconds!r}"


class Other(Server):
    """Has a method of the same name."""

    async def tick(self) -> None: ...


class Sub(Clock):
    """Has one more method."""

    async def extra(self) -> None: ...


def sync(self: object) -> None: ...


async def own(self: object) -> None: ...


NO_METHODS: dict[str, tuple[Any, str]] = {
    "of another class": (Other.tick, "every takes a method of Clock, which Other.tick is not"),
    "of a subclass": (Sub.extra, "every takes a method of Clock, which Sub.extra is not"),
    "of another server": (
        Other().tick,
        "every takes the method as the class has it: write every(Other.tick), not that of an "
        "instance",
    ),
    "of nobody": (own, "every takes a method of Clock, which own is not"),
    "not async": (sync, "every takes an async method, and sync is not: write `async def sync`"),
    "setup": (Clock.setup, "every takes a message, and 'setup' is none: every server has it"),
    "every": (Clock.every, "every takes a message, and 'every' is none: every server has it"),
    "a name": ("tick", "every takes the method itself, not its name 'tick': no quotes"),
    "nothing": (None, "every takes an async function, but got None"),
}


@pytest.mark.parametrize(("method", "told"), NO_METHODS.values(), ids=NO_METHODS)
async def test_a_timer_runs_async_methods_of_its_server_only(
    method: Any, told: str, diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(TypeError) as refused:
            clocks[0].every(5, method)
    assert str(refused.value) == told


async def test_a_timer_of_a_method_of_another_instance_is_refused(
    diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(TypeError, match="not that of an instance"):
            clocks[0].after(5, Clock(diary).tick, "tock")


@pytest.mark.parametrize("verb", ["every", "after"])
async def test_a_coroutine_instead_of_a_method_is_answered_with_the_right_line(
    verb: str, diary: Diary, autojump_clock: MockClock
) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        with pytest.raises(TypeError) as refused:
            getattr(clocks[0], verb)(5, clocks[0].tick("tock"))
    # The seconds belong to the line that is to be written.
    assert re.search(rf"write {verb}\((5|\.\.\.|seconds), ", str(refused.value))


@pytest.mark.parametrize("verb", ["every", "after"])
async def test_a_server_that_does_not_run_sets_no_timer(
    verb: str, diary: Diary, autojump_clock: MockClock
) -> None:
    clock = Clock(diary)
    with pytest.raises(RuntimeError) as refused:
        getattr(clock, verb)(5, clock.tick)
    assert str(refused.value) == (
        f"Clock.{verb} works in a server that runs: use it in setup or in a handler, and let a "
        "supervisor run what serve() returns"
    )


async def test_what_was_refused_sets_no_timer(diary: Diary, autojump_clock: MockClock) -> None:
    clocks: list[Clock] = []
    async with running(partial(Clock, diary, clocks.append)):
        for seconds, method in ((-1, clocks[0].tick), (1, sync)):
            with pytest.raises((TypeError, ValueError)):
                clocks[0].after(seconds, cast("Any", method))
        await trio.sleep(100)
    assert diary.lines == []
