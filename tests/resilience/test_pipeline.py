"""Tests of several guards around one call."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.resilience import (
    Breaker,
    BreakerOpen,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Step,
    TimedOut,
    Timeout,
)

A = TypeVarTuple("A")
R = TypeVar("R")

AT_ONCE = Backoff(initial=0.0)


class Logging:
    """A step that says when it is passed."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    def __repr__(self) -> str:
        return self.name

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        self.log.append(f"> {self.name}")
        try:
            return await async_fn(*args)
        finally:
            self.log.append(f"< {self.name}")


class FakeBreaker(Logging):
    """What a pipeline takes for a circuit breaker."""

    def guard(self) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def guard() -> AsyncGenerator[None, None]:
            yield

        return guard()


async def add(a: int, b: int) -> int:
    return a + b


async def test_steps_stand_in_the_order_given() -> None:
    log: list[str] = []
    pipeline = Pipeline(Logging(log, "outer"), Logging(log, "inner"))
    assert await pipeline.call(add, 1, 2) == 3
    assert log == ["> outer", "> inner", "< inner", "< outer"]


async def test_steps_given_by_name_stand_in_the_usual_order() -> None:
    steps: dict[str, Any] = {
        "timeout": Timeout(2.0),
        "bulkhead": Bulkhead(10),
        "retry": Retry(),
        "rate_limit": RateLimiter(10),
        "fallback": Fallback(0),
        "breaker": FakeBreaker([], "breaker"),
        "hedge": Hedge(after=1.0),
    }
    usual = ["fallback", "retry", "hedge", "breaker", "bulkhead", "rate_limit", "timeout"]
    pipeline = Pipeline(**steps)
    assert pipeline.steps == tuple(steps[name] for name in usual)
    assert await pipeline.call(add, 1, 2) == 3


async def test_an_empty_pipeline_just_calls() -> None:
    assert await Pipeline().call(add, 1, 2) == 3


async def test_each_attempt_has_its_own_time_and_the_fallback_has_the_arguments(
    autojump_clock: MockClock,
) -> None:
    begun: list[float] = []

    async def hang(item: str) -> str:
        begun.append(trio.current_time())
        await trio.sleep_forever()
        raise AssertionError

    async def remember(item: str) -> str:
        return f"yesterday's price of {item}"

    pipeline = Pipeline(
        fallback=Fallback(remember), retry=Retry(attempts=3, backoff=AT_ONCE), timeout=2.0
    )
    assert await pipeline.call(hang, "apples") == "yesterday's price of apples"
    assert begun == [0.0, 2.0, 4.0]


async def test_a_slot_is_held_by_attempts_and_not_between_them(autojump_clock: MockClock) -> None:
    bulkhead = Bulkhead(1)
    running: list[int] = []

    async def fail() -> None:
        running.append(bulkhead.statistics().running)
        raise OSError

    async def look() -> None:
        await trio.sleep(0.5)
        running.append(bulkhead.statistics().running)

    backoff = Backoff(initial=1.0, jitter=0.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        with pytest.raises(OSError, match=r"^\nattempt 2 of 2$"):
            await Pipeline(retry=Retry(attempts=2, backoff=backoff), bulkhead=bulkhead).call(fail)
    assert running == [1, 0, 1]


async def test_a_time_limit_names_the_function_whatever_stands_within(
    autojump_clock: MockClock,
) -> None:
    async def fetch() -> None:
        await trio.sleep_forever()

    with pytest.raises(TimedOut, match=r"^fetch took longer than 2 s"):
        await Pipeline(Timeout(2.0), Retry(), Bulkhead(1)).call(fetch)


async def test_a_pipeline_may_be_a_step(autojump_clock: MockClock) -> None:
    inner = Pipeline(Retry(), Timeout(1.0))
    assert len(Pipeline(Fallback(0), inner).steps) == 3
    with pytest.raises(ValueError, match="the attempts of the two would multiply"):
        Pipeline(Retry(), inner)


async def test_a_cancellation_goes_through_all(autojump_clock: MockClock) -> None:
    bulkhead = Bulkhead(1)
    pipeline = Pipeline(
        fallback=Fallback(None),
        retry=Retry(),
        hedge=Hedge(after=0.5),
        breaker=FakeBreaker([], "breaker"),
        bulkhead=bulkhead,
        rate_limit=RateLimiter(10),
        timeout=10.0,
    )
    with trio.move_on_after(1.0) as scope:
        await pipeline.call(trio.sleep_forever)
    assert scope.cancelled_caught
    assert bulkhead.statistics().running == 0


async def test_each_attempt_asks_the_breaker_and_waits_as_long_as_it_says(
    autojump_clock: MockClock,
) -> None:
    begun: list[float] = []

    async def fail_three_times() -> str:
        begun.append(trio.current_time())
        if len(begun) <= 3:
            raise OSError
        return "hello"

    pipeline = Pipeline(
        retry=Retry(attempts=10, backoff=Backoff(initial=1.0, factor=1.0, jitter=0.0)),
        breaker=CircuitBreaker("prices", failure_threshold=2, reset_timeout=20.0),
        timeout=5.0,
    )
    assert await pipeline.call(fail_three_times) == "hello"
    # The breaker opens at the second and at the third, and its rejections call nothing.
    assert begun == [0.0, 1.0, 21.0, 41.0]


async def test_who_opens_the_breaker_gets_the_second_best_at_once(
    autojump_clock: MockClock,
) -> None:
    pipeline = Pipeline(
        fallback=Fallback("yesterday's", on=(BreakerOpen, TimedOut)),
        breaker=CircuitBreaker("prices", failure_threshold=1),
        timeout=2.0,
    )

    async def hang() -> str:
        await trio.sleep_forever()
        raise AssertionError

    for ends_at in (2.0, 2.0):
        assert await pipeline.call(hang) == "yesterday's"
        assert trio.current_time() == ends_at


# What is refused


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [Retry(), Fallback(0)],
            "Fallback(0) within Retry(attempts=3) makes no sense: the fallback's answer hides "
            "every error from the retry, which would never try again",
        ),
        ([Timeout(1), Fallback(0)], "a call that takes too long would not be answered by the"),
        (
            [FakeBreaker([], "breaker"), Retry()],
            "Retry(attempts=3) within breaker makes no sense: the breaker could not stop the",
        ),
        ([Bulkhead(1), Retry()], "a slot would be held by a call that only waits for its next"),
        ([RateLimiter(1), Retry()], "only the first attempt would wait for its turn"),
        ([Bulkhead(1), Hedge(after=1)], "several calls would run in one slot"),
        (
            [Timeout(2), Retry(), Timeout(2)],
            "Timeout(2.0) within Timeout(2.0) makes no sense: the inner one could never expire",
        ),
        ([SAME := Bulkhead(1), SAME], "stands in the pipeline twice: a call within it would"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(
    steps: list[Step], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Pipeline(*steps)


async def test_a_step_of_ones_own_may_stand_there_twice() -> None:
    log: list[str] = []
    same = Logging(log, "same")
    assert await Pipeline(same, Retry(), same).call(add, 1, 2) == 3
    assert log == ["> same", "> same", "< same", "< same"]


def test_a_whole_limit_around_a_limit_for_each_attempt_makes_sense() -> None:
    assert len(Pipeline(Timeout(10), Retry(), Timeout(2)).steps) == 3


MAKE: Any = Pipeline


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAKE(3), "takes steps, which have an async method `call`, but got 3"),
        (lambda: MAKE(Retry), "takes steps, which have an async method `call`, but got <class"),
        (lambda: MAKE(retry=Retry), "retry cannot be <class"),
        (lambda: MAKE(fallback="x"), "fallback cannot be 'x': write Pipeline(fallback=Fallb"),
        (lambda: MAKE(retry=3), "retry cannot be 3: write Pipeline(retry=Retry(attempts=3))"),
        (lambda: MAKE(breaker=Timeout(1)), "breaker cannot be Timeout(1.0): write Pipeline("),
        (lambda: MAKE(timeout="2"), "timeout cannot be '2': write Pipeline(timeout=2.0)"),
        (
            lambda: MAKE(Retry(), timeout=2.0),
            "takes its steps in order, or all by name, but got 1 in order and timeout by name",
        ),
    ],
)
def test_what_is_no_step_is_refused(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        make()


async def doze(seconds: float) -> None:
    await trio.sleep(seconds)


async def test_a_coroutine_is_refused() -> None:
    with pytest.raises(TypeError, match="takes an async function, but got a coroutine"):
        await Pipeline().call(doze(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_breaker_is_a_step_that_guards_a_block() -> None:
    assert isinstance(FakeBreaker([], "breaker"), Breaker)
    assert not isinstance(Bulkhead(1), Breaker)
