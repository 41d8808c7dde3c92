"""Tests of errors on their way through a breaker: what it asks of them, and what it leaves alone."""

from __future__ import annotations

import math
import signal
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.resilience import CircuitBreaker, StateChanged
from trio_foundation.telemetry import subscribe

from ._things import (
    Call,
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    each_way_of_call,
    fail,
    open_breaker,
    succeed,
    trip,
    use,
)

loose_groups = pytest.mark.filterwarnings(
    "ignore:.*strict_exception_groups=False:trio.TrioDeprecationWarning"
)

# What an error came of


def complain(error: Exception) -> None:
    raise error


@each_way
async def test_what_an_error_came_of_is_kept_while_its_caller_handles_another(
    way: Way, autojump_clock: MockClock
) -> None:
    async def fail_over() -> None:
        try:
            complain(LookupError("first"))
        except LookupError:
            raise Failure("second")  # noqa: B904  it comes of that

    async with open_breaker(way) as breaker:
        with pytest.raises(Failure) as caught:
            try:
                complain(ConnectionError("the other one is down"))
            except ConnectionError:
                await use(breaker, way, fail_over)
        assert str(caught.value.__context__) == "first"


@each_way
async def test_an_error_comes_of_what_its_caller_handles(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        with pytest.raises(Failure) as caught:
            try:
                complain(ConnectionError("the other one is down"))
            except ConnectionError:
                await use(breaker, way, fail)
        assert isinstance(caught.value.__context__, ConnectionError)


@each_way
async def test_an_error_comes_of_nothing_if_there_was_nothing(
    way: Way, autojump_clock: MockClock
) -> None:
    async def untidy() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(untidy_child)

    async def untidy_child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure("clean-up")

    async with open_breaker(way, probe_timeout=1.0) as breaker:
        await trip(breaker, "half_open")
        with pytest.raises((ExceptionGroup, Failure)) as caught:
            await use(breaker, way, untidy)
        if isinstance(caught.value, ExceptionGroup):  # not with loose groups
            assert caught.value.__context__ is None


# Interrupts


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@loose_groups
@pytest.mark.parametrize("strict", [True, False], ids=["strict groups", "loose groups"])
@pytest.mark.parametrize("slow_after", [None, 60.0], ids=["", "slow"])
@each_way
@pytest.mark.realtime
def test_an_interrupt_of_a_caller_that_waits_leaves_bare(
    way: Way, slow_after: float | None, strict: bool
) -> None:
    figures: list[Any] = []

    async def main() -> None:
        async with open_breaker(way, slow_after=slow_after) as breaker:
            with trio.CancelScope(deadline=trio.current_time() + 10):
                trio.lowlevel.spawn_system_task(ring)
                try:
                    await use(breaker, way, trio.sleep_forever)
                finally:
                    figures.append(assert_lawful(breaker))

    async def ring() -> None:
        await wait_all_tasks_blocked()
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, strict_exception_groups=strict)
    (seen,) = figures
    assert (seen.state, seen.in_flight, seen.failed) == ("closed", 0, 0)


@loose_groups
@pytest.mark.parametrize("slow_after", [None, 5.0], ids=["", "slow"])
@each_way_of_call
def test_with_loose_groups_all_is_the_same(way: Way, slow_after: float | None) -> None:
    # A nursery of Trio then raises what is alone in a group as itself.
    async def slowly() -> str:
        return str(await succeed("slow", after=10))

    async def main() -> None:
        error = Failure()
        async with open_breaker(way, failure_threshold=9, slow_after=slow_after) as breaker:
            assert await use(breaker, way, succeed) == "good"
            assert await attempt(breaker, way, fail, error, 1) is error
            with trio.move_on_after(1) as scope:
                await use(breaker, way, trio.sleep_forever)
            assert scope.cancelled_caught
            async with trio.open_nursery() as nursery:
                call = Call(nursery, breaker, way, trio.sleep_forever)
                await wait_all_tasks_blocked()
                await call.leave()
            if slow_after is not None:
                assert await use(breaker, way, slowly) == "slow"
            seen = assert_lawful(breaker)
            assert (seen.calls, seen.in_flight, seen.ignored) == (4 + bool(slow_after), 0, 0)

    trio.run(main, clock=MockClock(autojump_threshold=0), strict_exception_groups=False)


@loose_groups
@pytest.mark.parametrize("strict", [True, False], ids=["strict groups", "loose groups"])
def test_an_interrupt_in_a_handler_of_a_slow_call_leaves_bare(strict: bool) -> None:
    fatal = SystemExit("in a handler")
    breaker = CircuitBreaker("b", failure_threshold=1, slow_after=1.0)

    def exit(event: StateChanged) -> None:
        raise fatal

    async def main() -> None:
        with subscribe(exit, StateChanged):
            await breaker.call(trio.sleep_forever)

    with pytest.raises(SystemExit) as caught:
        trio.run(main, clock=MockClock(autojump_threshold=0), strict_exception_groups=strict)
    assert caught.value is fatal


# Errors that say how long to wait


class Busy(Exception):
    """An error that asks to be left alone."""

    def __init__(self, retry_after: object) -> None:
        self.retry_after = retry_after


class Broken(Exception):
    """One that cannot be asked."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @property
    def retry_after(self) -> float:
        raise self._error


@each_way
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Busy(4), 4.0),
        (Busy(0), 0.0),
        (ExceptionGroup("", [Busy(2), ExceptionGroup("", [Busy(7)]), Busy(3)]), 7.0),
        (ExceptionGroup("", [Busy("soon"), Busy(3)]), 3.0),
        (Busy(math.inf), 30.0),
        (Busy(math.nan), 30.0),
        (Busy(-1), 30.0),
        (Busy(True), 30.0),
        (Busy("5"), 30.0),
        (Busy(None), 30.0),
        (Busy(10**400), 30.0),
        (Broken(ValueError()), 30.0),
        (Broken(AttributeError()), 30.0),
    ],
    ids=repr,
)
async def test_an_error_may_say_how_long_it_is_to_be_left_alone(
    error: Exception, expected: float, way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        assert await attempt(breaker, way, fail, error) is error
        seen = assert_lawful(breaker)
        assert seen.failed == 1
        assert seen.retry_after == (None if expected == 0.0 else expected)


@each_way
async def test_an_interrupt_while_an_error_is_asked_costs_no_slot(
    way: Way, autojump_clock: MockClock
) -> None:
    fatal = SystemExit("asked")
    async with open_breaker(way) as breaker:
        await trip(breaker, "half_open")
        with pytest.raises(SystemExit) as caught:
            await use(breaker, way, fail, Broken(fatal))
        assert caught.value is fatal
        assert (breaker.state, assert_lawful(breaker).failed) == ("open", 2)
        assert assert_lawful(breaker).in_flight == 0
