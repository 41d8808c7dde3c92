"""Tests of breakers in more than one Trio run: one after the other, and in threads."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.resilience import (
    BreakerOpen,
    BreakerOptions,
    CallRejected,
    CallSucceeded,
    CircuitBreaker,
    StateChanged,
    open_breakers,
)
from trio_foundation.telemetry import subscribe

from ._things import assert_lawful, attempt, fail, succeed, trip


def run(async_fn: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    return trio.run(async_fn, *args, clock=MockClock(autojump_threshold=0))


async def keep_calling(breaker: CircuitBreaker) -> None:
    for _ in range(50):
        assert await breaker.call(succeed) == "good"
        async with breaker.guard():
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    "options",
    [{}, {"slow_after": 5.0}, {"cancel_in_flight": True}, {"failure_rate": 0.5, "window": 10.0}],
    ids=["", "slow_after", "cancel_in_flight", "time window"],
)
def test_a_closed_breaker_lives_through_one_run_after_the_other(options: BreakerOptions) -> None:
    breaker = CircuitBreaker("b", **options)
    for _ in range(3):
        run(keep_calling, breaker)
    seen = run(statistics_of, breaker)
    assert (seen.state, seen.succeeded, seen.in_flight) == ("closed", 300, 0)


async def statistics_of(breaker: CircuitBreaker) -> Any:
    return assert_lawful(breaker)


def test_each_run_has_its_own_listeners_though_they_share_a_breaker_and_a_clock() -> None:
    breaker, clock = CircuitBreaker("b"), MockClock()
    heard: list[CallSucceeded | CallRejected] = []

    async def unheard() -> None:
        await keep_calling(breaker)

    async def heeded() -> None:
        with subscribe(heard.append, CallSucceeded, CallRejected):
            await breaker.call(trio.sleep, 0)
            breaker.force_open()
            with pytest.raises(BreakerOpen):
                await breaker.call(succeed)
        breaker.reset()
        await keep_calling(breaker)

    for async_fn in (unheard, heeded, unheard, heeded):
        trio.run(async_fn, clock=clock)
    assert [type(event) for event in heard] == [CallSucceeded, CallRejected] * 2


def test_who_comes_to_listen_while_a_block_is_guarded_hears_how_long_it_took() -> None:
    breaker, heard = CircuitBreaker("b"), list[CallSucceeded]()

    async def main() -> None:
        with ExitStack() as stack:
            async with breaker.guard():
                await trio.sleep(2)
                stack.enter_context(subscribe(heard.append, CallSucceeded))
                await trio.sleep(3)
        async with breaker.guard():
            pass

    run(main)
    assert heard == [CallSucceeded(breaker="b", after=5.0)]


def test_slow_blocks_are_counted_whichever_ends_first() -> None:
    breaker = CircuitBreaker("b", slow_after=5.0, cancel_in_flight=True)

    async def block(seconds: float) -> None:
        async with breaker.guard():
            await trio.sleep(seconds)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for seconds in (7, 1, 6, 2, 5):
                nursery.start_soon(block, seconds)
        seen = assert_lawful(breaker)
        assert (seen.succeeded, seen.failed, seen.slow, seen.in_flight) == (2, 3, 3, 0)

    run(main)


def test_a_reset_makes_a_breaker_fit_for_another_run() -> None:
    # Each run has a clock of its own, so what an open breaker waits for may be long past there.
    async def first() -> None:
        await trio.sleep(1_000)
        await trip(breaker)

    async def second() -> None:
        assert breaker.statistics().retry_after == 1_030.0
        breaker.reset()
        assert await breaker.call(succeed) == "good"

    breaker = CircuitBreaker("b", failure_threshold=1, reset_timeout=30.0)
    run(first)
    run(second)


def test_who_waited_in_a_run_that_was_cut_off_is_no_burden_to_the_next() -> None:
    async def first() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(breaker.wait_state, "open")
            nursery.start_soon(breaker.call, trio.sleep_forever)
            await trio.sleep(1)
            raise ValueError("cut off")

    async def second() -> None:
        with breaker.subscribe() as changes:
            await trip(breaker)
            assert (await changes.receive()).new == "open"

    breaker = CircuitBreaker("b", failure_threshold=1, slow_after=5.0, cancel_in_flight=True)
    with pytest.raises((ExceptionGroup, ValueError)):
        run(first)
    run(second)
    assert run(statistics_of, breaker).in_flight == 0


def test_a_nursery_of_another_run_is_closed_down() -> None:
    async def first() -> tuple[CircuitBreaker, CircuitBreaker]:
        async with trio.open_nursery() as nursery, open_breakers() as breakers:
            breaker = CircuitBreaker("b", nursery=nursery)
            await breaker.call(succeed)
            await breakers["b"].call(succeed)
            return breaker, breakers["b"]

    async def second(breaker: CircuitBreaker) -> None:
        answer = await attempt(breaker, "call", succeed)
        assert (type(answer), answer.state) == (BreakerOpen, "closed_down")
        assert await attempt(breaker, "guard", succeed) == "good"
        assert assert_lawful(breaker).in_flight == 0

    for breaker in run(first):
        run(second, breaker)


def test_breakers_of_two_threads_know_nothing_of_each_other() -> None:
    told: dict[int, list[StateChanged]] = {0: [], 1: []}
    barrier = threading.Barrier(2)

    async def main(number: int) -> None:
        async with open_breakers(failure_threshold=1, slow_after=5.0) as breakers:
            with subscribe(told[number].append, StateChanged):
                barrier.wait(10)
                await keep_calling(breakers["b"])
                if number == 0:
                    await attempt(breakers["b"], "call", fail)
                assert breakers["b"].state == ("open" if number == 0 else "closed")

    threads = [threading.Thread(target=run, args=(main, number)) for number in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [len(one) for one in told.values()] == [1, 0]
