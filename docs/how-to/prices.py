"""Prices from an upstream that stumbles: httpx behind a retry, a breaker and a time-out."""

from __future__ import annotations

import httpx  # noqa: ASYNC127  it is what this page is about
import trio
from upstream import Upstream, open_upstream

from trio_foundation.resilience import (
    BreakerOpen,
    CircuitBreaker,
    Pipeline,
    Retry,
    StateChanged,
    TimedOut,
    Verdict,
)
from trio_foundation.telemetry import subscribe


def is_transient(error: BaseException) -> bool:
    """Return whether another try may help: it did not answer, or answered that it cannot now."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in {429, 500, 502, 503, 504}
    return isinstance(error, httpx.TransportError | TimedOut)


def verdict(error: BaseException) -> Verdict:
    """Say what an error tells of the upstream: whoever answers 404 is well."""
    return "failure" if is_transient(error) else "success"


async def ask(client: httpx.AsyncClient, item: str) -> float:
    """Ask once; an answer that is no success is an error."""
    response = await client.get(f"/{item}")
    return float(response.raise_for_status().text)


class Prices:
    """The way to the prices, for the rest of the program."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        breaker = CircuitBreaker("prices", failure_threshold=4, reset_timeout=0.2, counts=verdict)
        self._guards = Pipeline(
            retry=Retry(attempts=3, retry_on=is_transient),
            breaker=breaker,
            timeout=0.5,  # seconds for one attempt, whatever it waits for
        )

    async def of(self, item: str) -> float:
        """Return the price of an item."""
        return await self._guards.call(ask, self._client, item)


async def main() -> None:
    """Ask an upstream that works, then is overloaded, then hangs, then works again."""
    async with open_upstream() as upstream, httpx.AsyncClient(base_url=upstream.url) as client:
        prices = Prices(client)
        with subscribe(lambda change: print("the breaker is", change.new), StateChanged):
            for mood in ("works", "overloaded", "hangs", "works"):
                upstream.mood = mood
                await show(prices, "apples", upstream)
            await trio.sleep(0.25)
            await show(prices, "wings", upstream)


async def show(prices: Prices, item: str, upstream: Upstream) -> None:
    """Print what comes of one call, and how often the upstream was asked."""
    before = upstream.asked
    try:
        told = f"costs {await prices.of(item)}"
    except (httpx.HTTPError, TimedOut, BreakerOpen) as error:
        told = str(error).partition(" for url")[0]
    print(f"{item} ({upstream.mood}, asked {upstream.asked - before} times): {told}")


if __name__ == "__main__":
    trio.run(main)
