"""What type checkers have to refuse of resilience; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import trio

from trio_foundation.resilience import (
    Breakers,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    KeyedRateLimiter,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
    fallback,
    hedge,
    open_breakers,
    retry,
    retrying,
    timeout,
)


async def fetch(product: str, amount: int = 1) -> float:
    return len(product) * amount * 1.5


async def ping() -> None: ...


def sync(product: str) -> float:
    return len(product) * 1.5


# Breakers


async def calls(breaker: CircuitBreaker) -> None:
    await breaker.call(fetch)  # type: ignore[arg-type]
    await breaker.call(fetch, 5)  # type: ignore[arg-type]
    await breaker.call(fetch, "apples", "2")  # type: ignore[arg-type]
    await breaker.call(fetch, "apples", 2, 3)  # type: ignore[arg-type]
    await breaker.call(fetch, product="apples")  # type: ignore[arg-type, call-arg]
    await breaker.call(fetch("apples"))  # type: ignore[arg-type]
    await breaker.call(sync, "apples")  # type: ignore[arg-type]
    await breaker.call()  # type: ignore[call-arg]
    text: str = await breaker.call(fetch, "apples", 2)  # type: ignore[arg-type]
    print(text)  # noqa: T201
    breaker.call(ping)  # type: ignore[unused-coroutine]


async def guards(breaker: CircuitBreaker) -> None:
    with breaker.guard():  # type: ignore[attr-defined]
        await ping()
    async with breaker:  # type: ignore[attr-defined]
        await ping()


async def states(breaker: CircuitBreaker) -> None:
    await breaker.wait_state("ajar")  # type: ignore[arg-type]
    breaker.state = "open"  # type: ignore[misc]


def options(nursery: trio.Nursery) -> None:
    CircuitBreaker()  # type: ignore[call-arg]
    CircuitBreaker("prices", 5)  # type: ignore[call-arg]
    CircuitBreaker("prices", threshold=5)  # type: ignore[call-arg]
    CircuitBreaker("prices", failure_threshold=2.5)  # type: ignore[arg-type]
    CircuitBreaker("prices", reset_timeout="30")  # type: ignore[arg-type]
    CircuitBreaker("prices", counts=OSError("no route"))  # type: ignore[arg-type]
    CircuitBreaker("prices", counts=lambda error: True)  # type: ignore[arg-type, return-value]
    CircuitBreaker("prices", nursery=nursery, health=sync)  # type: ignore[arg-type]


def options_of_many(nursery: trio.Nursery) -> None:
    open_breakers(threshold=5)  # type: ignore[call-arg]
    open_breakers(failure_threshold="5")  # type: ignore[arg-type]
    open_breakers(nursery=nursery)  # type: ignore[call-arg]
    open_breakers(1_000)  # type: ignore[call-arg]


async def breakers_by_key(breakers: Breakers) -> None:
    breakers["prices"] = CircuitBreaker("prices")  # type: ignore[index]
    del breakers["prices"]  # type: ignore[attr-defined]
    breakers.configure("prices", threshold=5)  # type: ignore[call-arg]
    await breakers.call("prices", ping)  # type: ignore[attr-defined]
    with open_breakers():  # type: ignore[attr-defined]
        pass


# The family


async def retries() -> None:
    await retry(fetch)  # type: ignore[arg-type]
    await retry(fetch, 5)  # type: ignore[arg-type]
    await retry(fetch("apples"))  # type: ignore[arg-type]
    await retry(ping, tries=3)  # type: ignore[call-arg]
    await retry(ping, attempts="3")  # type: ignore[arg-type]
    await retry(ping, backoff=0.5)  # type: ignore[arg-type]
    await retry(ping, retry_on=KeyboardInterrupt)  # type: ignore[arg-type]
    await retry(ping, retry_on=OSError("no route"))  # type: ignore[arg-type]
    await retry(ping, retry_on=[OSError])  # type: ignore[arg-type]
    Retry(3)  # type: ignore[call-arg]
    text: str = await Retry().call(fetch, "apples", 2)  # type: ignore[arg-type]
    print(text)  # noqa: T201


async def functions_that_try_again() -> None:
    retrying(tries=3)  # type: ignore[call-overload]
    retrying(3)  # type: ignore[call-overload]
    retrying(sync)  # type: ignore[arg-type]
    retrying()(sync)  # type: ignore[arg-type]
    await retrying()(fetch)(5)  # type: ignore[arg-type]


async def second_best_answers() -> None:
    await fallback(fetch, "apples", 2)  # type: ignore[call-overload]
    await fallback(fetch, 5, 2, otherwise=0.0)  # type: ignore[arg-type, call-arg]
    await fallback(ping, otherwise=None, on=trio.Cancelled)  # type: ignore[arg-type, call-arg]
    price: float = await fallback(fetch, "apples", 2, otherwise="?")  # type: ignore[arg-type, call-arg]
    print(price)  # noqa: T201
    Fallback()  # type: ignore[call-arg]


async def calls_within_limits() -> None:
    await hedge(ping)  # type: ignore[call-arg]
    await hedge(fetch, 5, after=0.5)  # type: ignore[arg-type]
    Hedge(0.5)  # type: ignore[call-arg]
    await timeout(ping, 2.0)  # type: ignore[arg-type]
    await timeout(2.0, fetch, 5)  # type: ignore[arg-type]
    Timeout()  # type: ignore[call-arg]


async def limits() -> None:
    Bulkhead()  # type: ignore[call-arg]
    Bulkhead(2.5)  # type: ignore[arg-type]
    Bulkhead(1, 5)  # type: ignore[call-arg]
    Bulkhead(1, order="random")  # type: ignore[arg-type]
    await Bulkhead(1).call(fetch, 5)  # type: ignore[arg-type]
    with Bulkhead(1):  # type: ignore[attr-defined]
        pass
    RateLimiter()  # type: ignore[call-arg]
    RateLimiter(1, burst=2.5)  # type: ignore[arg-type]
    await RateLimiter(1).call(fetch, 5)  # type: ignore[arg-type]
    KeyedRateLimiter[str](1).take(5)  # type: ignore[arg-type]
    KeyedRateLimiter[list[str]](1)  # type: ignore[type-var]


# Pipelines


class Quiet:
    """No step: its method is no async one."""

    def call(self) -> None: ...


async def pipelines() -> None:
    Pipeline(Quiet())  # type: ignore[arg-type]
    Pipeline(2.0)  # type: ignore[arg-type]
    Pipeline(retry)  # type: ignore[arg-type]
    Pipeline(retry=3)  # type: ignore[arg-type]
    Pipeline(retry=retry)  # type: ignore[arg-type]
    Pipeline(breaker=Bulkhead(1))  # type: ignore[arg-type]
    Pipeline(timeout="2")  # type: ignore[arg-type]
    Pipeline(limit=Bulkhead(1))  # type: ignore[call-arg]
    await Pipeline().call(fetch, 5)  # type: ignore[arg-type]
    text: str = await Pipeline().call(fetch, "apples", 2)  # type: ignore[arg-type]
    print(text)  # noqa: T201
