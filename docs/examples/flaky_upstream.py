"""An exchange that stumbles and then hangs, behind a pipeline: retry, breaker, time limit."""

from __future__ import annotations

import trio
import trio.testing

from trio_foundation import Backoff
from trio_foundation.resilience import (
    BreakerOpen,
    CircuitBreaker,
    Pipeline,
    Retry,
    StateChanged,
    TimedOut,
)
from trio_foundation.telemetry import subscribe


async def fetch(product: str) -> float:
    """Ask the exchange, which hangs up now and then, and hangs from second 10 to 40."""
    if 10 <= trio.current_time() < 40:
        await trio.sleep_forever()
    if trio.current_time() % 10 == 0:
        raise ConnectionError("the exchange hung up")
    return len(product) * 1.5


def say(what: object) -> None:
    """Say it, and when."""
    print(f"{trio.current_time():4.1f} s  {what}")


async def main() -> None:
    """Ask every five seconds; each attempt goes through the breaker, and has two seconds."""
    prices = Pipeline(
        retry=Retry(
            attempts=3,
            retry_on=(ConnectionError, TimedOut),  # and not BreakerOpen, which comes at once
            backoff=Backoff(initial=0.5, jitter=0.0),
        ),
        breaker=CircuitBreaker("exchange", failure_threshold=3, reset_timeout=12.0),
        timeout=2.0,
    )
    with subscribe(lambda change: say(f"{change.breaker} is {change.new}"), StateChanged):
        for _ in range(10):
            try:
                say(await prices.call(fetch, "apples"))
            except (ConnectionError, TimedOut, BreakerOpen) as error:
                say(f"no price: {error}")
            await trio.sleep_until((trio.current_time() // 5 + 1) * 5)


if __name__ == "__main__":
    # This clock jumps whenever all tasks wait: the minute is over at once.
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
