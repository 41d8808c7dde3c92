"""A shop that asks a flaky exchange for prices, and goes on without it while it is down."""

from __future__ import annotations

import trio

from trio_foundation.resilience import BreakerOpen, StateChanged, open_breakers
from trio_foundation.telemetry import subscribe


async def fetch(product: str) -> float:
    """Ask the exchange, which is down for a third of a second."""
    await trio.sleep(0.01)
    if 0.1 < trio.current_time() - begun < 0.45:
        raise ConnectionError("the exchange hung up")
    return len(product) * 1.5


def tell(change: StateChanged) -> None:
    """Say what the breaker does now."""
    print(f"the breaker of {change.breaker} is {change.new.replace('_', ' ')}")


async def main() -> None:
    """Ask again and again; what is rejected costs no time."""
    global begun  # noqa: PLW0603  the exchange has no other memory
    begun = trio.current_time()
    answered = failed = rejected = 0
    with subscribe(tell, StateChanged):
        async with open_breakers(failure_threshold=3, reset_timeout=0.1) as breakers:
            for _ in range(40):
                try:
                    await breakers["exchange"].call(fetch, "apples")
                    answered += 1
                except ConnectionError:
                    failed += 1
                except BreakerOpen:
                    rejected += 1
                await trio.sleep(0.02)
    print(f"{answered} answered, {failed} failed, {rejected} rejected")


begun = 0.0

if __name__ == "__main__":
    trio.run(main)
