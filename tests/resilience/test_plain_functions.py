"""Tests of the slip that everybody makes once: a plain function where an async one is due."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias, cast

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.resilience import (
    BreakerOpen,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Step,
    Timeout,
    fallback,
    hedge,
    open_breakers,
    retry,
    retrying,
    timeout,
)

from ._things import Way, assert_lawful, each_way_of_call, open_breaker, succeed, trip

AsyncFn: TypeAlias = Callable[..., Awaitable[Any]]


class Response:
    """What a library that waits for itself returns."""

    def __repr__(self) -> str:
        return "<Response [200]>"


class Site:
    """A plain function that counts its calls, and may not be plain after all."""

    def __init__(self, answer: object = None) -> None:
        self.answer = Response() if answer is None else answer
        self.calls = 0

    def get(self, *args: object) -> Any:
        self.calls += 1
        return self.answer


class Mine:
    """A step that somebody has written, as the docs show it."""

    async def call(self, async_fn: AsyncFn, *args: Any) -> Any:
        return await async_fn(*args)


async def in_breakers(async_fn: AsyncFn, *args: Any) -> Any:
    async with open_breakers() as breakers:
        return await breakers["prices"].call(async_fn, *args)


STEPS: dict[str, Callable[[], Any]] = {
    "breaker": lambda: CircuitBreaker("b", failure_threshold=1),
    "bulkhead": lambda: Bulkhead(1),
    "rate limiter": lambda: RateLimiter(1000),
    "retry": Retry,
    "timeout": lambda: Timeout(5.0),
    "hedge": lambda: Hedge(after=1.0),
    "fallback": lambda: Fallback("second best"),
    "pipeline": Pipeline,
    "own step in a pipeline": lambda: Pipeline(cast("Step", Mine())),
    "all in a pipeline": lambda: Pipeline(
        fallback=Fallback("second best"),
        retry=Retry(),
        hedge=Hedge(after=1.0),
        breaker=CircuitBreaker("b", failure_threshold=1),
        bulkhead=Bulkhead(1),
        rate_limit=RateLimiter(1000),
        timeout=5.0,
    ),
}

each_step = pytest.mark.parametrize("make", STEPS.values(), ids=STEPS)

# As users write them, and as the error says that they are to be written.
WAYS: dict[str, tuple[Callable[[AsyncFn], Awaitable[object]], str]] = {
    "breaker": (lambda get: CircuitBreaker("b").call(get, 7), "call({}, 7)"),
    "breakers": (lambda get: in_breakers(get, 7), "call({}, 7)"),
    "bulkhead": (lambda get: Bulkhead(1).call(get, 7), "call({}, 7)"),
    "rate limiter": (lambda get: RateLimiter(1).call(get, 7), "call({}, 7)"),
    "Retry": (lambda get: Retry().call(get, 7), "call({}, 7)"),
    "retry": (lambda get: retry(get, 7, attempt_timeout=1.0), "retry({}, 7)"),
    "timeout": (lambda get: timeout(5.0, get, 7), "timeout(5.0, {}, 7)"),
    "hedge": (lambda get: hedge(get, 7, after=1.0), "hedge({}, 7)"),
    "fallback": (lambda get: fallback(get, 7, otherwise=0), "fallback({}, 7)"),
    "pipeline": (lambda get: Pipeline(timeout=2.0).call(get, 7), "call({}, 7)"),
    "own step": (lambda get: Pipeline(cast("Step", Mine())).call(get, 7), "call({}, 7)"),
}


@pytest.mark.parametrize(("use", "line"), WAYS.values(), ids=WAYS)
async def test_a_plain_function_is_answered_with_the_right_line(
    use: Callable[[AsyncFn], Awaitable[object]], line: str, autojump_clock: MockClock
) -> None:
    verb = line.partition("(")[0]
    with pytest.raises(TypeError) as caught:
        await use(Site().get)
    assert str(caught.value) == (
        f"{verb} takes an async function, but get returned <Response [200]>: write async def, or "
        f"have it run in a thread: {line.format('trio.to_thread.run_sync, get')}"
    )
    # Python's own words, that the object cannot be awaited, are not shown as well.
    assert caught.value.__context__ is None or caught.value.__suppress_context__


async def test_the_line_that_the_error_shows_does_work() -> None:
    site = Site()
    breaker = CircuitBreaker("b")
    assert await breaker.call(trio.to_thread.run_sync, site.get, 7) is site.answer


async def test_retrying_says_so_when_the_function_is_called(autojump_clock: MockClock) -> None:
    site = Site()
    with pytest.raises(TypeError, match=r"^retry takes an async function, but get returned <Resp"):
        await retrying(site.get)(7)
    assert site.calls == 1


@each_step
async def test_it_is_called_once_and_its_error_hidden_by_nothing(
    make: Callable[[], Any], autojump_clock: MockClock
) -> None:
    site = Site()
    with pytest.raises(TypeError, match="takes an async function, but get returned"):
        await make().call(site.get)
    assert site.calls == 1


@each_step
async def test_a_plain_function_that_returns_something_to_await_is_as_good(
    make: Callable[[], Any], autojump_clock: MockClock
) -> None:
    assert await make().call(lambda: succeed("good")) == "good"
    assert await make().call(functools.partial(succeed, "better")) == "better"


@each_way_of_call
async def test_a_breaker_does_not_count_it(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way, slow_after=60.0, cancel_in_flight=True) as breaker:
        for _ in range(3):
            with pytest.raises(TypeError, match="takes an async function"):
                await breaker.call(Site().get)
        seen = assert_lawful(breaker)
        assert (seen.state, seen.ignored, seen.counted, seen.in_flight) == ("closed", 3, 0, 0)


@each_way_of_call
async def test_a_probe_that_makes_the_slip_leaves_room_for_the_next(
    way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        await trip(breaker, "half_open")
        with pytest.raises(TypeError, match="takes an async function"):
            await breaker.call(Site().get)
        assert breaker.state == "half_open"
        assert await breaker.call(succeed) == "good"
        assert breaker.state == "closed"


async def test_a_judge_of_the_users_is_not_asked_about_it(autojump_clock: MockClock) -> None:
    asked: list[BaseException] = []

    def is_asked(error: BaseException) -> Any:
        asked.append(error)
        return True

    breaker = CircuitBreaker("b", failure_threshold=1, counts=is_asked)
    with pytest.raises(TypeError, match="takes an async function"):
        await retry(breaker.call, Site().get, retry_on=is_asked)
    assert (breaker.state, asked) == ("closed", [])


async def test_a_bulkhead_gets_its_slot_back(autojump_clock: MockClock) -> None:
    bulkhead = Bulkhead(1)
    with pytest.raises(TypeError, match="takes an async function"):
        await bulkhead.call(Site().get)
    assert bulkhead.statistics().running == 0
    assert await bulkhead.call(succeed) == "good"


async def test_a_rate_limiter_has_let_it_pass_and_lets_the_next(autojump_clock: MockClock) -> None:
    # It was called, so whoever limits the rate has seen it.
    limiter = RateLimiter(1, per=10.0)
    with pytest.raises(TypeError, match="takes an async function"):
        await limiter.call(Site().get)
    assert await limiter.call(succeed) == "good"
    assert (trio.current_time(), limiter.statistics().passed) == (10.0, 2)


@pytest.mark.parametrize("slip", ["plain function", "coroutine"])
async def test_guards_farther_out_know_it_for_a_slip_too(
    slip: str, autojump_clock: MockClock
) -> None:
    inner, outer = Bulkhead(1), CircuitBreaker("outer", failure_threshold=1)
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        await inner.call(Site().get if slip == "plain function" else cast("Any", succeed()))

    with pytest.raises(TypeError, match="takes an async function"):
        await Pipeline(Fallback("second best"), Retry(), outer).call(work)
    assert (calls, outer.state) == (1, "closed")


@each_way_of_call
async def test_a_type_error_of_the_function_itself_is_a_failure_and_the_same_object(
    way: Way, autojump_clock: MockClock
) -> None:
    error = TypeError("object int can't be used in 'await' expression")

    async def work() -> None:
        raise error

    async with open_breaker(way) as breaker:
        for guard in (Bulkhead(1), RateLimiter(1000), breaker):
            with pytest.raises(TypeError) as caught:
                await guard.call(work)
            assert caught.value is error
        assert breaker.state == "open"
    assert await fallback(work, otherwise="second best") == "second best"


async def test_an_async_generator_in_disguise_is_told_as_one(autojump_clock: MockClock) -> None:
    async def ticks() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match="but ticks is an async generator: write an async func"):
        await CircuitBreaker("b").call(cast("Any", functools.partial(ticks)))


async def test_a_second_best_that_is_plain_is_not_tried_again(autojump_clock: MockClock) -> None:
    site = Site()

    async def fail() -> None:
        raise OSError("no route")

    with pytest.raises(TypeError, match="otherwise takes an async function or a value that cannot"):
        await retry(Fallback(site.get).call, fail)
    assert site.calls == 1


async def test_a_health_check_that_is_plain_is_the_last_error(autojump_clock: MockClock) -> None:
    site = Site(answer=True)
    async with open_breaker("call in breakers", health=site.get, reset_timeout=1.0) as breaker:
        await trip(breaker)
        await trio.sleep(1.5)
        with pytest.raises(BreakerOpen, match="health takes an async function, but get returned"):
            await breaker.call(succeed)
