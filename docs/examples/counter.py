"""A counter that crashes now and then: what waits for it is answered all the same."""

from __future__ import annotations

import logging
from contextlib import suppress

import trio

from trio_foundation.messaging import CallFailed, Server, serve
from trio_foundation.supervision import open_supervisor

total = [0]  # what is to survive a crash is kept elsewhere


class Counter(Server):
    """It adds up, one message at a time."""

    async def setup(self) -> None:
        """Forget how much this incarnation has added."""
        self.added = 0

    async def add(self, amount: int) -> int:
        """Add some; the third time it falls ill."""
        await trio.sleep(0.01)
        self.added += 1
        if self.added == 3:
            raise RuntimeError("the counter fell ill")
        total[0] += amount
        return total[0]


async def main() -> None:
    """Call it from five tasks at once; who is unlucky calls again."""
    logging.basicConfig(level=logging.ERROR, format="%(message).60s")
    spec, counter = serve(Counter, capacity=10)

    async def work(amount: int) -> None:
        while True:
            with suppress(CallFailed):
                print("total", await counter.call(Counter.add, amount))
                return

    async with open_supervisor([spec]) as tree:
        async with trio.open_nursery() as nursery:
            for amount in range(1, 6):
                nursery.start_soon(work, amount)
        print(tree.snapshot())
        print(counter.statistics())


if __name__ == "__main__":
    trio.run(main)
