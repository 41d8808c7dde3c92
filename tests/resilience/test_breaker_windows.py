"""Tests of what opens a breaker, and for how long: shares, slow calls, results, open times."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.resilience import CircuitBreaker, SlowCall, StateChanged
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


class Busy(Exception):
    """An error that says when to come again."""

    def __init__(self, retry_after: Any) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


# Shares


@each_way
async def test_a_share_of_the_last_calls_opens_it(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, failure_rate=0.5, window=4, minimum_calls=4) as breaker:
        for async_fn in (fail, succeed, succeed, fail):
            assert breaker.state == "closed"
            await attempt(breaker, way, async_fn)
        assert breaker.state == "open"


@each_way
async def test_below_the_minimum_of_calls_no_share_opens_it(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, failure_rate=0.5, minimum_calls=10) as breaker:
        for _ in range(9):
            await attempt(breaker, way, fail)
        assert breaker.state == "closed"
        await attempt(breaker, way, fail)
        assert breaker.state == "open"


@each_way
async def test_calls_that_the_window_has_left_behind_do_not_count(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, failure_rate=0.5, window=4, minimum_calls=1) as breaker:
        for _ in range(3):
            await attempt(breaker, way, succeed)
        await attempt(breaker, way, fail)
        for _ in range(4):
            await attempt(breaker, way, succeed)
        seen = assert_lawful(breaker)
        assert (seen.counted, seen.counted_failures) == (4, 0)


@each_way
async def test_a_window_of_seconds_forgets_what_is_longer_ago(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, failure_rate=0.5, window=10.0, minimum_calls=2) as breaker:
        await attempt(breaker, way, fail)
        await trio.sleep(10.5)
        await attempt(breaker, way, fail)
        assert breaker.state == "closed"
        await trio.sleep(5)
        await attempt(breaker, way, fail)
        assert breaker.state == "open"


# Slow calls


@each_way_of_call
async def test_a_slow_call_counts_while_it_is_under_way(
    way: Way, autojump_clock: MockClock
) -> None:
    told: list[tuple[float, object]] = []
    with subscribe(lambda event: told.append((trio.current_time(), event)), SlowCall, StateChanged):
        async with open_breaker(way, slow_after=2.0) as breaker, trio.open_nursery() as nursery:
            call = Call(nursery, breaker, way, succeed, 1)
            slow = Call(nursery, breaker, way, trio.sleep, 10)
            await breaker.wait_state("open")
            assert trio.current_time() == 2.0
            assert assert_lawful(breaker).in_flight == 1
            assert call.answer == 1
        assert slow.at == 10.0
        assert slow.answer is None
        seen = assert_lawful(breaker)
        assert (seen.slow, seen.failed, seen.stale) == (1, 1, 0)
    changed = StateChanged(breaker="b", old="closed", new="open", cause="failures")
    assert told == [(2.0, changed), (2.0, SlowCall(breaker="b", after=2.0))]


@each_way_of_call
async def test_each_call_becomes_slow_in_its_own_time(way: Way, autojump_clock: MockClock) -> None:
    told: list[float] = []
    with subscribe(lambda event: told.append(trio.current_time()), SlowCall):
        async with (
            open_breaker(way, slow_after=2.0, failure_threshold=10) as breaker,
            trio.open_nursery() as nursery,
        ):
            for after in (5, 1, 5, 5):
                Call(nursery, breaker, way, trio.sleep, after)
                await trio.sleep(0.5)
    assert told == [2.0, 3.0, 3.5]


async def test_in_a_guard_a_slow_block_is_noticed_at_the_next_use(
    autojump_clock: MockClock,
) -> None:
    breaker = CircuitBreaker("b", slow_after=2.0, failure_threshold=1)
    with subscribe(lambda event: times.append(trio.current_time()), StateChanged):
        times: list[float] = []
        async with breaker.guard():
            await trio.sleep(5)
            assert times == []
            assert breaker.state == "open"
    assert times == [5.0]


@each_way
async def test_a_call_that_ends_slow_is_a_failure_whatever_comes_of_it(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, slow_after=2.0) as breaker:
        assert await use(breaker, way, _take, 2) is None
        seen = assert_lawful(breaker)
        assert (seen.state, seen.failed, seen.succeeded) == ("open", 1, 0)


async def _take(seconds: float) -> None:
    await trio.sleep(seconds)


@each_way
async def test_a_late_call_that_becomes_slow_is_stale(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, slow_after=2.0) as breaker, trio.open_nursery() as nursery:
        Call(nursery, breaker, way, trio.sleep, 5)
        await wait_all_tasks_blocked()
        await trip(breaker)
        await trio.sleep(6)
        seen = assert_lawful(breaker)
        assert (seen.failed, seen.stale, seen.slow) == (1, 1, 1)


# Results


@each_way_of_call
async def test_a_result_can_be_a_failure(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, result_is_failure=lambda result: result == 503) as breaker:
        assert await use(breaker, way, succeed, 200) == 200
        assert breaker.state == "closed"
        assert await use(breaker, way, succeed, 503) == 503
        assert breaker.state == "open"


async def test_a_block_has_no_result_to_be_judged() -> None:
    breaker = CircuitBreaker("b", result_is_failure=lambda result: result.status > 500)
    async with breaker.guard():
        pass
    assert assert_lawful(breaker).succeeded == 1


@each_way
async def test_a_function_may_judge_errors(way: Way, autojump_clock: MockClock) -> None:
    def judge(error: BaseException) -> Any:
        return str(error)

    async with open_breaker(way, counts=judge, failure_threshold=2) as breaker:
        for verdict in ("failure", "ignored", "success", "failure"):
            await attempt(breaker, way, fail, Failure(verdict))
        seen = assert_lawful(breaker)
        assert (seen.state, seen.failed, seen.ignored, seen.succeeded) == ("closed", 2, 1, 1)


@each_way
async def test_a_judge_that_raises_leaves_no_call_under_way(
    way: Way, autojump_clock: MockClock
) -> None:
    def judge(error: BaseException) -> Any:
        raise ValueError("judge")

    async with open_breaker(way, counts=judge) as breaker:
        assert isinstance(await attempt(breaker, way, fail), ValueError)
        assert assert_lawful(breaker).ignored == 1


@each_way
async def test_a_judge_sees_lawful_figures_and_may_use_the_breaker(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:

        def judge(error: BaseException) -> Any:
            assert assert_lawful(breaker).in_flight == 1
            breaker.force_open()
            return "failure"

        breaker._core.judge = type(breaker._core.judge)(counts=judge)
        await attempt(breaker, way, fail)
        seen = assert_lawful(breaker)
        assert (seen.state, seen.stale) == ("forced_open", 1)


# Open times


@each_way
@pytest.mark.parametrize(
    ("retry_after", "open_for"),
    [(5, 5.0), (0.5, 0.5), (-1, 30.0), (True, 30.0), ("5", 30.0), (float("nan"), 30.0)],
)
async def test_an_error_may_say_how_long(
    way: Way, retry_after: Any, open_for: float, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        await attempt(breaker, way, fail, Busy(retry_after))
        assert breaker.statistics().retry_after == open_for
        await breaker.wait_state("half_open")
        assert trio.current_time() == open_for


@each_way
async def test_a_backoff_keeps_it_open_longer_each_time(
    way: Way, autojump_clock: MockClock
) -> None:
    backoff = Backoff(initial=1.0, factor=2.0, maximum=5.0, jitter=0.0)
    times: list[float | None] = []
    async with open_breaker(way, reset_timeout=backoff) as breaker:
        for _ in range(5):
            await attempt(breaker, way, fail)
            times.append(breaker.statistics().retry_after)
            await breaker.wait_state("half_open")
        await use(breaker, way, succeed)
        await attempt(breaker, way, fail)
        times.append(breaker.statistics().retry_after)
    assert times == [1.0, 2.0, 4.0, 5.0, 5.0, 1.0]


async def test_the_jitter_comes_from_the_generator_that_is_given(autojump_clock: MockClock) -> None:
    backoff = Backoff(initial=10.0, jitter=0.5)
    breaker = CircuitBreaker("b", failure_threshold=1, reset_timeout=backoff, rng=random.Random(4))
    await trip(breaker)
    assert breaker.statistics().retry_after == backoff.delay(0, random.Random(4))


@each_way
async def test_with_no_open_time_the_next_call_is_a_probe_and_has_time(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, reset_timeout=0.0) as breaker:
        await attempt(breaker, way, fail)
        assert await use(breaker, way, succeed, "good") == "good"
        assert breaker.state == "closed"


# Probes


@each_way
async def test_it_closes_after_so_many_good_probes(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, success_threshold=3) as breaker:
        await trip(breaker, "half_open")
        for _ in range(3):
            assert breaker.state == "half_open"
            await use(breaker, way, succeed)
        assert breaker.state == "closed"


@each_way
async def test_so_many_probes_go_at_once(way: Way, autojump_clock: MockClock) -> None:
    async with (
        open_breaker(way, half_open_max_calls=3, success_threshold=3) as breaker,
        trio.open_nursery() as nursery,
    ):
        await trip(breaker, "half_open")
        calls = [Call(nursery, breaker, way, trio.sleep, 1) for _ in range(5)]
        await wait_all_tasks_blocked()
        assert sum(call.is_rejected for call in calls) == 2
        await trio.sleep(1)
        await wait_all_tasks_blocked()
        assert breaker.state == "closed"


@pytest.mark.parametrize("window", [5e-324, 1e-300, 1e-12])
async def test_no_window_is_too_short(window: float, autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b", failure_rate=0.5, window=window, minimum_calls=2)
    for _ in range(2):
        await trio.sleep(1)
        assert isinstance(await attempt(breaker, "call", fail), Failure)
    seen = assert_lawful(breaker)
    assert (seen.state, seen.counted) == ("closed", 1)
