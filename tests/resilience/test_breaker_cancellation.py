"""Tests of cancelled calls: what the cause says, what the caller gets, and what is left."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.resilience import BreakerOpen, CircuitBreaker, StateChanged, open_breakers
from trio_foundation.telemetry import subscribe

from ._things import (
    CANCELLED,
    Call,
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    each_way_of_call,
    fail,
    leaves_of,
    open_breaker,
    succeed,
    trip,
    use,
)

# By cause


@each_way
async def test_the_failure_of_a_sibling_says_nothing(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker:
        error = Failure("sibling")
        with pytest.raises((ExceptionGroup, Failure)) as caught:  # loose groups: the error itself
            async with trio.open_nursery() as nursery:
                Call(nursery, breaker, way, trio.sleep_forever)
                nursery.start_soon(fail, error, 1)
        assert leaves_of(caught.value) == [error]
        seen = assert_lawful(breaker)
        assert (seen.state, seen.cancelled) == ("closed", 1)


async def test_the_end_of_the_run_says_nothing(autojump_clock: MockClock) -> None:
    # Nobody can ask in time but the breaker itself; a run that has ended tells no one else.
    told: list[object] = []
    breaker = CircuitBreaker("b", failure_threshold=1)
    with subscribe(told.append, StateChanged):
        async with trio.open_nursery() as nursery:
            Call(nursery, breaker, "call", trio.sleep_forever)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel(reason="shutting down")
    assert (assert_lawful(breaker).cancelled, told) == (1, [])


@each_way
async def test_with_slow_after_a_deadline_says_nothing_before_that(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, slow_after=5.0) as breaker:
        with trio.move_on_after(4):
            await use(breaker, way, trio.sleep_forever)
        seen = assert_lawful(breaker)
        assert (seen.state, seen.cancelled, seen.failed) == ("closed", 1, 0)


@each_way
async def test_with_slow_after_a_deadline_after_that_is_a_failure(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, slow_after=5.0) as breaker:
        with trio.move_on_after(5):
            await use(breaker, way, trio.sleep_forever)
        seen = assert_lawful(breaker)
        assert (seen.state, seen.failed, seen.slow) == ("open", 1, 1)


@each_way
async def test_a_deadline_of_a_probe_opens_it_again(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker:
        await trip(breaker, "half_open")
        with trio.move_on_after(1) as scope:
            await use(breaker, way, trio.sleep_forever)
        assert scope.cancelled_caught
        assert breaker.state == "open"


@each_way
async def test_a_call_in_a_cancelled_scope_is_not_admitted(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        with trio.CancelScope() as scope:
            scope.cancel()
            await use(breaker, way, succeed)
        assert scope.cancelled_caught
        assert assert_lawful(breaker).calls == 0


@each_way
async def test_a_deadline_that_is_past_at_entry_is_never_admitted(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        with trio.CancelScope(deadline=trio.current_time() - 1) as scope:
            await use(breaker, way, succeed)
        assert scope.cancelled_caught
        assert assert_lawful(breaker).calls == 0


@each_way
async def test_a_deadline_that_has_passed_unnoticed_is_never_admitted(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        with trio.move_on_after(1) as scope:
            autojump_clock.jump(2)  # as when the task works, and does not wait
            await use(breaker, way, succeed)
        assert scope.cancelled_caught
        seen = assert_lawful(breaker)
        assert (seen.calls, seen.rejected, seen.counted) == (0, 0, 0)


# What the caller gets


@each_way
async def test_a_deadline_comes_out_as_a_bare_cancellation(
    way: Way, autojump_clock: MockClock
) -> None:
    async def nested() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)

    async with open_breaker(way) as breaker:
        for async_fn in (trio.sleep_forever, nested) if way != "guard" else (trio.sleep_forever,):
            breaker.reset()
            with trio.move_on_after(1), pytest.raises(trio.Cancelled) as caught:
                await use(breaker, way, async_fn)
            assert caught.value.source == "deadline"


@each_way
async def test_what_a_cancelled_function_raises_comes_out_as_it_is(
    way: Way, autojump_clock: MockClock
) -> None:
    error = Failure("clean-up")

    async def untidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise error

    async with open_breaker(way) as breaker:
        with trio.move_on_after(1) as scope, pytest.raises(Failure) as caught:
            await use(breaker, way, untidy)
        assert caught.value is error
        assert not scope.cancelled_caught
        assert breaker.state == "open"


async def _untidy_child(error: Exception) -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise error


async def _mixed(error: Exception) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(_untidy_child, error)


@each_way
async def test_a_cancellation_in_a_group_is_not_lost(way: Way, autojump_clock: MockClock) -> None:
    error = Failure("clean-up")
    async with open_breaker(way) as breaker:
        went_on = False
        caught: list[BaseException] = []
        with trio.move_on_after(1) as scope:
            try:
                await use(breaker, way, _mixed, error)
                went_on = True
            except* Failure as group:
                caught += group.exceptions
        assert scope.cancelled_caught
        assert (went_on, caught) == (False, [error])
        assert breaker.state == "open"


@each_way
async def test_a_probe_that_is_ended_keeps_its_error_and_loses_the_cancellation(
    way: Way, autojump_clock: MockClock
) -> None:
    error = Failure("clean-up")
    async with open_breaker(way, probe_timeout=2.0) as breaker:
        await trip(breaker, "half_open")
        with pytest.raises((ExceptionGroup, Failure)) as caught:
            await use(breaker, way, _mixed, error)
        assert leaves_of(caught.value) == [error]
        assert breaker.state == "open"


@each_way
async def test_the_result_of_a_function_that_ends_in_spite_of_it_is_kept(
    way: Way, autojump_clock: MockClock
) -> None:
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(5)
        return "done"

    async with open_breaker(way) as breaker:
        with trio.move_on_after(1) as scope:
            assert await use(breaker, way, stubborn) == "done"
        assert trio.current_time() == 5.0
        assert not scope.cancelled_caught
        assert assert_lawful(breaker).succeeded == 1


async def test_a_caller_cancelled_just_when_its_call_has_ended_gets_the_result(
    autojump_clock: MockClock,
) -> None:
    # The task that looks after slow calls has still to end then.
    event = trio.Event()
    breaker = CircuitBreaker("b", slow_after=5.0)
    for ticks in range(6):
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            call = Call(nursery, breaker, "call", event.wait)
            await wait_all_tasks_blocked()
            event.set()
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            call.scope.cancel()
        assert call.answer in {None, CANCELLED}
        assert assert_lawful(breaker).in_flight == 0


@each_way
async def test_an_inner_scope_is_the_functions_own_business(
    way: Way, autojump_clock: MockClock
) -> None:
    async def patient() -> str:
        with trio.move_on_after(1):
            await trio.sleep_forever()
        return "moved on"

    async with open_breaker(way) as breaker:
        assert await use(breaker, way, patient) == "moved on"
        assert assert_lawful(breaker).succeeded == 1


# Calls that the breaker ends


@each_way
async def test_calls_under_way_are_cancelled_at_once_when_it_trips(
    way: Way, autojump_clock: MockClock
) -> None:
    async with (
        open_breaker(way, cancel_in_flight=True) as breaker,
        trio.open_nursery() as nursery,
    ):
        calls = [Call(nursery, breaker, way, trio.sleep, 100) for _ in range(3)]
        await trio.sleep(1)
        error = Failure("trips it")
        assert await attempt(breaker, way, fail, error) is error
        await wait_all_tasks_blocked()
        assert all(call.is_rejected and call.at == 1.0 for call in calls)
        assert {call.answer.last_error for call in calls} == {error}
        seen = assert_lawful(breaker)
        assert (seen.failed, seen.cancelled, seen.in_flight) == (1, 3, 0)


@each_way
async def test_without_that_they_go_on(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        call = Call(nursery, breaker, way, succeed, 1)
        await wait_all_tasks_blocked()
        breaker.force_open()
        await wait_all_tasks_blocked()
        assert call.answer == 1


@each_way
async def test_forcing_it_open_cancels_them_too(way: Way, autojump_clock: MockClock) -> None:
    async with (
        open_breaker(way, cancel_in_flight=True) as breaker,
        trio.open_nursery() as nursery,
    ):
        call = Call(nursery, breaker, way, trio.sleep_forever)
        await wait_all_tasks_blocked()
        breaker.force_open()
        await wait_all_tasks_blocked()
        assert (call.is_rejected, call.answer.state) == (True, "forced_open")


@each_way_of_call
async def test_a_slow_call_that_trips_it_is_cancelled_itself(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, cancel_in_flight=True, slow_after=2.0) as breaker:
        rejection = await attempt(breaker, way, trio.sleep_forever)
        assert isinstance(rejection, BreakerOpen)
        assert (rejection.state, trio.current_time()) == ("open", 2.0)
        assert assert_lawful(breaker).failed == 1


# The end of the block


async def test_when_the_nursery_ends_under_a_caller_it_gets_no_foreign_cancellation(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        async with open_breakers() as breakers:
            breaker = breakers["b"]
            call = Call(nursery, breaker, "call", trio.sleep_forever)
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        assert call.is_rejected
        assert call.answer.state == "closed_down"
        assert str(call.answer) == "breaker 'b' is closed down"
        assert assert_lawful(breaker).cancelled == 1


async def test_a_call_after_that_is_rejected_and_a_checkpoint(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        breaker = breakers["b"]
    with assert_checkpoints(), pytest.raises(BreakerOpen) as caught:
        await breaker.call(succeed)
    assert caught.value.state == "closed_down"
    assert assert_lawful(breaker).in_flight == 0


async def test_a_caller_that_is_cancelled_with_the_block_gets_its_own_cancellation(
    autojump_clock: MockClock,
) -> None:
    breaker: CircuitBreaker | None = None
    with trio.move_on_after(1) as scope:
        async with open_breakers() as breakers:
            breaker = breakers["b"]
            await breaker.call(trio.sleep_forever)
    assert scope.cancelled_caught
    assert breaker is not None
    assert assert_lawful(breaker).failed == 1


@pytest.mark.parametrize("slow_after", [None, 5.0])
async def test_an_error_of_the_body_is_not_lost_to_a_cancellation(
    slow_after: float | None, autojump_clock: MockClock
) -> None:
    error = Failure("body")
    with pytest.raises(Failure) as caught, trio.CancelScope() as scope:
        async with open_breakers(slow_after=slow_after) as breakers, trio.open_nursery() as nursery:
            Call(nursery, breakers["b"], "call", trio.sleep_forever)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        scope.cancel()
        async with open_breakers(slow_after=slow_after) as breakers:
            raise error
    assert caught.value is error


async def test_a_nursery_of_ones_own_is_not_kept_open_for_slow_calls(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        breaker = CircuitBreaker("b", slow_after=60.0, nursery=nursery)
        for _ in range(3):
            await breaker.call(succeed)
    assert trio.current_time() == 0.0


# Schedule points


@each_way_of_call
async def test_a_call_is_a_checkpoint(way: Way, autojump_clock: MockClock) -> None:
    async def at_once() -> None:
        pass

    async with open_breaker(way) as breaker:
        with assert_checkpoints():
            await breaker.call(at_once)


async def test_entering_and_leaving_a_guard_is_no_schedule_point(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    others: list[str] = []

    async def other() -> None:
        others.append("ran")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        async with breaker.guard():
            assert others == []
        assert others == []


async def test_waiting_for_the_present_state_is_a_checkpoint(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b")
    with assert_checkpoints():
        assert await breaker.wait_state("closed") == "closed"


async def test_a_guard_is_entered_once(autojump_clock: MockClock) -> None:
    guard = CircuitBreaker("b").guard()
    async with guard:
        pass
    with pytest.raises(
        RuntimeError, match=r"^a guard is entered once: write breaker.guard\(\) again$"
    ):
        async with guard:
            pass


@each_way_of_call
@pytest.mark.filterwarnings("ignore:.*strict_exception_groups=False:trio.TrioDeprecationWarning")
def test_with_loose_groups_the_same_comes_out(way: Way) -> None:
    error = Failure()

    async def main() -> None:
        async with open_breaker(way, failure_threshold=3) as breaker:
            assert await attempt(breaker, way, fail, error) is error
            with trio.move_on_after(1), pytest.raises(trio.Cancelled):
                await use(breaker, way, trio.sleep_forever)
            with trio.move_on_after(1) as scope, pytest.raises(BaseExceptionGroup):
                await use(breaker, way, _pair)
            assert not scope.cancelled_caught

    async def _pair() -> None:
        raise BaseExceptionGroup("two", [Failure(), Failure()])

    trio.run(main, clock=MockClock(autojump_threshold=0), strict_exception_groups=False)
