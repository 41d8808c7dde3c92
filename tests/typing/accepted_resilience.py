"""What type checkers have to accept of resilience, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar, TypeVarTuple, assert_type

import trio

from trio_foundation import Backoff
from trio_foundation.resilience import (
    Breaker,
    BreakerOpen,
    BreakerOptions,
    Breakers,
    BreakerState,
    BreakerStatistics,
    Bulkhead,
    BulkheadStatistics,
    CircuitBreaker,
    Fallback,
    Hedge,
    KeyedRateLimiter,
    Pipeline,
    RateLimiter,
    Retry,
    RetryBudget,
    RetryOptions,
    StateChanged,
    Step,
    TimedOut,
    Timeout,
    Verdict,
    fallback,
    hedge,
    open_breakers,
    retry,
    retrying,
    timeout,
)

A = TypeVarTuple("A")
R = TypeVar("R")


async def fetch(product: str, amount: int = 1) -> float:
    return len(product) * amount * 1.5


async def remember(product: str) -> float:
    return len(product) * 1.0


async def ping() -> None: ...


class Exchange:
    async def fetch(self, product: str) -> float:
        return len(product) * 1.5


# Breakers


async def calls(breaker: CircuitBreaker, exchange: Exchange) -> None:
    assert_type(await breaker.call(fetch, "apples", 2), float)
    assert_type(await breaker.call(remember, "apples"), float)
    assert_type(await breaker.call(exchange.fetch, "apples"), float)
    assert_type(await breaker.call(partial(fetch, "apples", amount=2)), float)
    assert_type(await breaker.call(trio.sleep, 0.5), None)


async def calls_for_nothing(breaker: CircuitBreaker) -> None:
    assert_type(await breaker.call(ping), None)


async def calls_without_what_has_a_default(breaker: CircuitBreaker) -> None:
    assert_type(await breaker.call(fetch, "apples"), float)


async def guards(breaker: CircuitBreaker) -> None:
    assert_type(breaker.guard(), AbstractAsyncContextManager[None])
    async with breaker.guard() as nothing:
        assert_type(nothing, None)


async def what_a_breaker_tells(breaker: CircuitBreaker) -> None:
    assert_type(breaker.state, BreakerState)
    assert_type(breaker.statistics(), BreakerStatistics)
    assert_type(breaker.statistics().retry_after, float | None)
    assert_type(await breaker.wait_state("closed", "disabled"), BreakerState)
    with breaker.subscribe() as changes:
        assert_type(changes, trio.MemoryReceiveChannel[StateChanged])
    with breaker.refuse_when(lambda: True) as nothing:
        assert_type(nothing, None)


def what_a_rejection_tells(rejected: BreakerOpen) -> None:
    assert_type(rejected.retry_after, float | None)
    assert_type(rejected.last_error, BaseException | None)


def judge(error: BaseException) -> Verdict:
    return "failure" if isinstance(error, OSError) else "ignored"


async def options(nursery: trio.Nursery) -> None:
    CircuitBreaker("prices", failure_rate=0.5, window=100, reset_timeout=Backoff(initial=10))
    CircuitBreaker("prices", failure_rate=0.5, window=60.0, counts=judge)
    CircuitBreaker("prices", counts=(OSError, TimeoutError), ignores=FileNotFoundError)
    CircuitBreaker(
        "prices", nursery=nursery, health=ping, result_is_failure=lambda price: not price
    )
    shared: BreakerOptions = {"failure_threshold": 3, "cancel_in_flight": True}
    CircuitBreaker("prices", nursery=nursery, **shared)
    async with open_breakers(max_breakers=math.inf, **shared) as breakers:
        breakers.configure("prices", **shared)


async def breakers_by_key() -> None:
    async with open_breakers(failure_threshold=3, slow_after=1) as breakers:
        assert_type(breakers, Breakers)
        assert_type(breakers["prices"], CircuitBreaker)
        assert_type(breakers["localhost", 80], CircuitBreaker)
        assert_type(await breakers["prices"].call(remember, "apples"), float)
        assert_type(breakers.get("prices"), CircuitBreaker | None)
        assert_type(breakers.get("prices", 0), CircuitBreaker | int)
        assert_type(breakers.snapshot(), dict[object, BreakerStatistics])
        breakers.configure("prices", slow_after=None)
        for key, breaker in breakers.items():
            assert_type((key, breaker), tuple[object, CircuitBreaker])
        mapping: Mapping[object, CircuitBreaker] = breakers
        assert_type(len(mapping), int)


# The family


async def retries() -> None:
    assert_type(await retry(fetch, "apples", 2), float)
    assert_type(await retry(ping), None)
    assert_type(await retry(remember, "apples", attempts=math.inf, retry_on=OSError), float)
    await retry(ping, retry_on=(OSError, TimedOut), total=10, budget=RetryBudget(ratio=0.2))
    await retry(ping, retry_on=lambda error: "busy" in str(error))
    assert_type(await retry(remember, "apples", retry_result=lambda price: price < 0), float)
    shared: RetryOptions = {"attempts": 5, "attempt_timeout": 2.0}
    await retry(remember, "apples", **shared)  # to mypy it is Any: a result is judged in there
    assert_type(await Retry(**shared).call(remember, "apples"), float)


@retrying(attempts=3, retry_on=OSError)
async def fetch_again(product: str, *, amount: int = 1) -> float:
    return len(product) * amount * 1.5


@retrying
async def ping_again(times: int = 1) -> int:
    return times


class PatientExchange:
    @retrying(total=10.0)
    async def fetch(self, product: str) -> float:
        return len(product) * 1.5


async def functions_that_try_again() -> None:
    assert_type(await fetch_again("apples", amount=2), float)
    assert_type(await ping_again(times=2), int)
    assert_type(await PatientExchange().fetch("apples"), float)


async def second_best_answers() -> None:
    assert_type(await fallback(remember, "apples", otherwise=remember, on=OSError), float)
    assert_type(await fallback(remember, "apples", otherwise=0.0), float)
    assert_type(await fallback(fetch, "apples", 2, otherwise=0.0), float)
    assert_type(await fallback(remember, "apples", otherwise=None), float | None)
    assert_type(await Fallback(remember).call(fetch, "apples", 2), float)


async def calls_within_limits() -> None:
    assert_type(await hedge(remember, "apples", after=0.5), float)
    assert_type(await Hedge(after=1, max_extra=2).call(ping), None)
    assert_type(await timeout(2.0, remember, "apples", name="prices"), float)
    assert_type(await Timeout(2).call(fetch, "apples", 2), float)


async def bulkheads() -> None:
    database = Bulkhead(10, max_waiting=math.inf, order="lifo", name="database")
    async with database as nothing:
        assert_type(nothing, None)
    assert_type(await database.call(remember, "apples"), float)
    assert_type(database.statistics(), BulkheadStatistics)
    database.resize(20)


async def rate_limiters() -> None:
    api = RateLimiter(2.5, 60, burst=5)
    async with api as nothing:
        assert_type(nothing, None)
    await api.wait()
    assert_type(await api.call(remember, "apples"), float)
    logins = KeyedRateLimiter[str](5, per=60.0, max_keys=100)
    logins.take("alice")
    await logins.wait("bob")
    assert_type(logins.statistics("bob").passed, int)


# Pipelines


class Loud:
    """A step of one's own."""

    async def call(self, async_fn: Callable[[*A], Awaitable[R]], *args: *A) -> R:
        return await async_fn(*args)


async def pipelines(breaker: CircuitBreaker) -> None:
    named = Pipeline(
        fallback=Fallback(0.0),
        retry=Retry(attempts=3),
        hedge=Hedge(after=0.5),
        breaker=breaker,
        bulkhead=Bulkhead(10),
        rate_limit=RateLimiter(10),
        timeout=2.0,
    )
    assert_type(await named.call(remember, "apples"), float)
    assert_type(await named.call(ping), None)
    ordered = Pipeline(Timeout(10.0), Loud(), named, breaker)
    assert_type(await ordered.call(fetch, "apples", 2), float)
    assert_type(ordered.steps, tuple[Step, ...])


def what_is_a_step(breaker: CircuitBreaker) -> None:
    guards: list[Breaker] = [breaker]
    steps: list[Step] = [*guards, Loud(), Pipeline(), Bulkhead(1), RateLimiter(1), Retry()]
    assert_type(steps, list[Step])
