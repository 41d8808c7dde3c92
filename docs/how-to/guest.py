"""An asyncio program that keeps its own loop, and runs a Trio tree beside it as a guest."""

from __future__ import annotations

import asyncio
from functools import partial

import outcome
import trio

from trio_foundation.messaging import Server, serve
from trio_foundation.supervision import open_supervisor


class Counter(Server):
    """Counts, on Trio."""

    async def setup(self) -> None:
        """Begin at nothing."""
        self.count = 0

    async def increment(self) -> int:
        """Count one more."""
        self.count += 1
        return self.count


async def tree(requests: trio.MemoryReceiveChannel[asyncio.Future[int]]) -> str:
    """Keep the counter running, and bring it what the asyncio side asks, until that ends."""
    spec, counter = serve(Counter, capacity=10)
    async with open_supervisor([spec]):
        async for request in requests:
            request.set_result(await counter.call(Counter.increment))
    return "the tree has ended in order"


async def main() -> None:
    """Run the tree in the same thread as this loop, ask it twice, and let it end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[outcome.Outcome[str]] = loop.create_future()
    send, receive = trio.open_memory_channel[asyncio.Future[int]](10)
    trio.lowlevel.start_guest_run(
        partial(tree, receive),
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        done_callback=ended.set_result,
    )
    for _ in range(2):
        answer: asyncio.Future[int] = loop.create_future()
        send.send_nowait(answer)
        print("counted", await answer)
    send.close()
    print((await ended).unwrap())


if __name__ == "__main__":
    asyncio.run(main())
