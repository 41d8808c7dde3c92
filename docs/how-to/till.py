"""A till: a server that is asked and told, crashes, and is started again."""

from __future__ import annotations

import logging

import trio

from trio_foundation.messaging import CallError, CallFailed, Server, serve
from trio_foundation.supervision import open_supervisor


class Till(Server):
    """Keeps the sum of what was sold."""

    async def setup(self) -> None:
        """Begin the day with nothing."""
        self.total = 0.0

    async def sell(self, price: float) -> float:
        """Take the money; refuse what is free, and crash on what is no price."""
        if price == 0:
            raise CallError("nothing is free")
        self.total += price
        return self.total

    async def reset(self) -> None:
        """Begin again."""
        self.total = 0.0


async def main() -> None:
    """Sell, crash the till, and sell again."""
    logging.disable()  # the crash is on purpose
    spec, till = serve(Till, capacity=100, restart="permanent")
    async with open_supervisor([spec], max_restarts=3, within=5.0) as tree:
        with trio.fail_after(5):
            print("total", await till.call(Till.sell, 1.5))
            for nonsense in (0, "two"):
                try:
                    await till.call(Till.sell, nonsense)  # type: ignore[arg-type]  # on purpose
                except (CallError, CallFailed) as error:
                    print(f"{type(error).__name__}: {error}")
            print("total", await till.call(Till.sell, 2.5))
            till.cast(Till.reset)
            print("total", await till.call(Till.sell, 1.0))
        print(tree.snapshot())


if __name__ == "__main__":
    trio.run(main)
