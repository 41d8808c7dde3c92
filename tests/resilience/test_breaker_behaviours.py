"""The 33 things that every circuit breaker should do, each way through it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.resilience import BreakerOpen, StateChanged
from trio_foundation.telemetry import subscribe

from ._things import (
    CANCELLED,
    WAITS,
    Call,
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    fail,
    open_breaker,
    succeed,
    trip,
    use,
)


async def must_not_run() -> None:
    raise AssertionError("called")


async def finish(event: trio.Event, error: BaseException | None = None) -> str:
    await event.wait()
    if error is not None:
        raise error
    return "late"


# Closed


@each_way
async def test_it_passes_results(way: Way, autojump_clock: MockClock) -> None:
    value = object()
    async with open_breaker(way) as breaker:
        assert await use(breaker, way, succeed, value) is value


@each_way
async def test_it_keeps_the_identity_of_errors(way: Way, autojump_clock: MockClock) -> None:
    error = Failure()
    async with open_breaker(way, failure_threshold=2) as breaker:
        assert await attempt(breaker, way, fail, error) is error


@each_way
async def test_the_call_that_trips_it_keeps_its_error(way: Way, autojump_clock: MockClock) -> None:
    error = Failure()
    async with open_breaker(way) as breaker:
        assert await attempt(breaker, way, fail, error) is error
        assert breaker.state == "open"


@each_way
async def test_it_opens_and_rejects_without_calling(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, failure_threshold=3) as breaker:
        for _ in range(3):
            await attempt(breaker, way, fail)
        assert isinstance(await attempt(breaker, way, must_not_run), BreakerOpen)
        assert assert_lawful(breaker).rejected == 1


@each_way
async def test_it_stays_closed_below_the_threshold(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, failure_threshold=3) as breaker:
        for async_fn in (fail, fail, succeed, fail, fail):
            await attempt(breaker, way, async_fn)
        assert breaker.state == "closed"


@each_way
async def test_closed_calls_run_concurrently(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        calls = [Call(nursery, breaker, way, trio.sleep, 1) for _ in range(10)]
        await wait_all_tasks_blocked()
        assert assert_lawful(breaker).in_flight == 10
        await trio.sleep(1)
        await wait_all_tasks_blocked()
        assert [call.at for call in calls] == [1.0] * 10


# Probes


@each_way
async def test_a_good_probe_closes_it(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, reset_timeout=10.0) as breaker:
        await trip(breaker, "half_open")
        assert trio.current_time() == 10.0
        assert await use(breaker, way, succeed) == "good"
        assert breaker.state == "closed"


@each_way
async def test_a_bad_probe_opens_it_again_for_the_full_time(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, reset_timeout=10.0) as breaker:
        await trip(breaker, "half_open")
        await attempt(breaker, way, fail, None, 3)
        assert breaker.state == "open"
        await breaker.wait_state("half_open")
        assert trio.current_time() == 23.0


@each_way
async def test_there_is_one_probe_at_a_time(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        await trip(breaker, "half_open")
        probe = Call(nursery, breaker, way, trio.sleep, 1)
        await wait_all_tasks_blocked()
        others = [Call(nursery, breaker, way, must_not_run) for _ in range(5)]
        await wait_all_tasks_blocked()
        assert probe.answer == WAITS
        assert all(call.is_rejected for call in others)
        assert assert_lawful(breaker).in_flight == 1


@each_way
async def test_excess_probes_are_rejected_at_once(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        await trip(breaker, "half_open")
        Call(nursery, breaker, way, trio.sleep, 20)
        await wait_all_tasks_blocked()
        before = trio.current_time()
        rejection = await attempt(breaker, way, must_not_run)
        assert (rejection.state, rejection.retry_after) == ("half_open", None)
        assert trio.current_time() == before


@each_way
async def test_a_hung_probe_does_not_wedge_it(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, reset_timeout=10.0, probe_timeout=2.0) as breaker:
        await trip(breaker, "half_open")
        rejection = await attempt(breaker, way, trio.sleep_forever)
        assert isinstance(rejection, BreakerOpen)
        assert (rejection.state, rejection.retry_after) == ("open", 10.0)
        assert trio.current_time() == 12.0
        assert assert_lawful(breaker).failed == 2
        await breaker.wait_state("half_open")
        assert await use(breaker, way, succeed) == "good"


# Cancelled calls


@each_way
async def test_a_cancelled_call_is_no_failure(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        call = Call(nursery, breaker, way, trio.sleep_forever)
        await wait_all_tasks_blocked()
        await call.leave()
        assert call.answer == CANCELLED
        seen = assert_lawful(breaker)
        assert (seen.state, seen.cancelled, seen.counted_failures) == ("closed", 1, 0)


@each_way
async def test_a_cancelled_call_is_no_success_either(way: Way, autojump_clock: MockClock) -> None:
    async with (
        open_breaker(way, failure_threshold=2) as breaker,
        trio.open_nursery() as nursery,
    ):
        await attempt(breaker, way, fail)
        call = Call(nursery, breaker, way, trio.sleep_forever)
        await wait_all_tasks_blocked()
        await call.leave()
        await attempt(breaker, way, fail)
        assert breaker.state == "open"


@each_way
async def test_a_cancelled_probe_frees_its_slot_and_does_not_close(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        await trip(breaker, "half_open")
        call = Call(nursery, breaker, way, trio.sleep_forever)
        await wait_all_tasks_blocked()
        await call.leave()
        assert breaker.state == "half_open"
        assert await use(breaker, way, succeed) == "good"
        assert breaker.state == "closed"


# Late results


@each_way
@pytest.mark.parametrize("error", [None, Failure("late")], ids=["success", "failure"])
async def test_a_late_result_is_ignored_in_half_open(
    way: Way, error: Any, autojump_clock: MockClock
) -> None:
    event = trio.Event()
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        late = Call(nursery, breaker, way, finish, event, error)
        await wait_all_tasks_blocked()
        await trip(breaker, "half_open")
        event.set()
        await wait_all_tasks_blocked()
        assert late.answer == (error or "late")
        assert breaker.state == "half_open"
        assert assert_lawful(breaker).stale == 1


@each_way
async def test_late_failures_are_ignored_after_closing(way: Way, autojump_clock: MockClock) -> None:
    event = trio.Event()
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        for _ in range(3):
            Call(nursery, breaker, way, finish, event, Failure())
        await wait_all_tasks_blocked()
        await trip(breaker, "half_open")
        await use(breaker, way, succeed)
        event.set()
        await wait_all_tasks_blocked()
        seen = assert_lawful(breaker)
        assert (seen.state, seen.stale, seen.counted) == ("closed", 3, 0)


# Time-outs


@each_way
async def test_a_time_out_of_the_function_itself_counts(
    way: Way, autojump_clock: MockClock
) -> None:
    async def hasty() -> None:
        with trio.fail_after(1):
            await trio.sleep_forever()

    async with open_breaker(way) as breaker:
        assert isinstance(await attempt(breaker, way, hasty), trio.TooSlowError)
        assert breaker.state == "open"


@each_way
async def test_deadlines_of_callers_trip_it(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, failure_threshold=2) as breaker:
        for _ in range(2):
            with trio.move_on_after(1):
                await use(breaker, way, trio.sleep_forever)
        assert breaker.state == "open"
        assert assert_lawful(breaker).failed == 2


# Errors that say nothing


@each_way
async def test_excluded_errors_are_not_counted(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, counts=OSError, ignores=FileNotFoundError) as breaker:
        for error in (ValueError(), FileNotFoundError()):
            assert await attempt(breaker, way, fail, error) is error
        seen = assert_lawful(breaker)
        assert (seen.state, seen.ignored) == ("closed", 2)


@each_way
async def test_excluded_errors_are_neutral_and_no_successes(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, failure_threshold=2, ignores=KeyError) as breaker:
        for error in (Failure(), KeyError(), Failure()):
            await attempt(breaker, way, fail, error)
        assert breaker.state == "open"


@each_way
async def test_an_excluded_probe_frees_its_slot(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, ignores=KeyError) as breaker:
        await trip(breaker, "half_open")
        await attempt(breaker, way, fail, KeyError())
        assert breaker.state == "half_open"
        assert await use(breaker, way, succeed) == "good"


@each_way
async def test_a_group_of_excluded_errors_is_excluded(way: Way, autojump_clock: MockClock) -> None:
    group = ExceptionGroup("outer", [KeyError(), ExceptionGroup("inner", [KeyError()])])
    async with open_breaker(way, ignores=KeyError) as breaker:
        assert await attempt(breaker, way, fail, group) is group
        assert assert_lawful(breaker).ignored == 1


@each_way
async def test_a_group_with_one_failure_is_a_failure(way: Way, autojump_clock: MockClock) -> None:
    group = ExceptionGroup("two", [KeyError(), Failure()])
    async with open_breaker(way, ignores=KeyError) as breaker:
        assert await attempt(breaker, way, fail, group) is group
        assert breaker.state == "open"


@each_way
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, BaseException])
async def test_what_is_no_exception_is_no_failure(
    way: Way, kind: type[BaseException], autojump_clock: MockClock
) -> None:
    error = kind()
    async with open_breaker(way) as breaker:
        with pytest.raises(kind) as caught:
            await use(breaker, way, fail, error)
        assert caught.value is error
        seen = assert_lawful(breaker)
        assert (seen.state, seen.ignored) == ("closed", 1)


# Rejections and listeners


@each_way
async def test_a_rejection_is_a_checkpoint(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker:
        breaker.force_open()
        with assert_checkpoints(), pytest.raises(BreakerOpen):
            await use(breaker, way, succeed)


@each_way
async def test_a_rejection_tells_all_about_it(way: Way, autojump_clock: MockClock) -> None:
    error = Failure("first")
    async with open_breaker(way, reset_timeout=10.0) as breaker:
        await attempt(breaker, way, fail, error)
        await trio.sleep(4)
        rejection = await attempt(breaker, way, succeed)
        assert (rejection.name, rejection.state) == ("b", "open")
        assert (rejection.retry_after, rejection.last_error) == (6.0, error)
        assert str(rejection) == (
            "breaker 'b' is open, and tries again in 6 s; the last error was Failure('first')"
        )


@each_way
async def test_the_error_of_a_listener_is_harmless(
    way: Way, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    def broken(event: StateChanged) -> None:
        raise ValueError("listener")

    with subscribe(broken, StateChanged):
        async with open_breaker(way) as breaker:
            assert isinstance(await attempt(breaker, way, fail), Failure)
            assert breaker.state == "open"
    assert "was detached: it raised on foundation.resilience.state_changed" in caplog.text


@each_way
async def test_a_listener_may_call_the_breaker(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker:

        def close(event: StateChanged) -> None:
            if event.new == "open":
                assert_lawful(breaker)
                breaker.force_closed()

        with subscribe(close, StateChanged):
            await attempt(breaker, way, fail)
        assert breaker.state == "closed"
        assert await use(breaker, way, succeed) == "good"


# By hand


@each_way
async def test_forced_open_it_rejects(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker:
        breaker.force_open()
        rejection = await attempt(breaker, way, must_not_run)
        assert (rejection.state, rejection.retry_after) == ("forced_open", None)


@each_way
async def test_forced_closed_it_has_forgotten_all_failures(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, failure_threshold=2) as breaker:
        await attempt(breaker, way, fail)
        breaker.force_closed()
        await attempt(breaker, way, fail)
        assert breaker.state == "closed"
        await attempt(breaker, way, fail)
        assert breaker.state == "open"


@each_way
async def test_forced_open_sticks(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, reset_timeout=1.0) as breaker:
        breaker.force_open()
        await trio.sleep(1_000)
        assert isinstance(await attempt(breaker, way, must_not_run), BreakerOpen)


@each_way
async def test_of_a_thousand_calls_at_once_in_half_open_one_is_made(
    way: Way, autojump_clock: MockClock
) -> None:
    made = 0

    async def probe() -> None:
        nonlocal made
        made += 1
        await trio.sleep(1)

    async with open_breaker(way) as breaker:
        await trip(breaker, "half_open")
        async with trio.open_nursery() as nursery:
            calls = [Call(nursery, breaker, way, probe) for _ in range(1_000)]
        assert made == 1
        assert sum(call.is_rejected for call in calls) == 999
        assert breaker.state == "closed"
