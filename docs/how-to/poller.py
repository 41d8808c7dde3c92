"""A poller to be tested: it fetches a price every ten seconds, and keeps the last one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from trio_foundation import Backoff
from trio_foundation.messaging import Ref, Server, serve
from trio_foundation.supervision import ChildSpec, child

Fetch = Callable[[], Awaitable[float]]


class Prices(Server):
    """Keeps the last price."""

    async def setup(self) -> None:
        """Begin without one."""
        self.last: float | None = None

    async def put(self, price: float) -> None:
        """Note a price."""
        self.last = price

    async def get(self) -> float | None:
        """Return the last one."""
        return self.last


async def poll(fetch: Fetch, prices: Ref[Prices]) -> None:
    """Fetch and put, for ever."""
    while True:
        await prices.call(Prices.put, await fetch())
        await trio.sleep(10)


def children(fetch: Fetch) -> tuple[list[ChildSpec], Ref[Prices]]:
    """Return what is to be supervised, and the way to the prices."""
    spec, prices = serve(Prices, capacity=10, name="prices")
    backoff = Backoff(initial=1.0, factor=2.0, jitter=0.0)
    return [spec, child(poll, fetch, prices, name="poll", backoff=backoff)], prices
