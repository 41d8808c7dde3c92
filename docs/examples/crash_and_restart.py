"""A worker that crashes is started again, and its neighbour does not notice."""

from __future__ import annotations

import trio

from trio_foundation.supervision import ChildRestarting, child, open_supervisor
from trio_foundation.telemetry import subscribe


async def count(numbers: list[int]) -> None:
    """Append numbers, and crash at every third."""
    while True:
        await trio.sleep(0.05)
        numbers.append(len(numbers) + 1)
        if len(numbers) % 3 == 0:
            raise RuntimeError(f"number {len(numbers)} is too much")


async def tick() -> None:
    """Run as if nothing had happened."""
    while True:
        await trio.sleep(0.1)
        print("tick")


def tell(event: ChildRestarting) -> None:
    """Print what the supervisor does."""
    print(f"{event.child} is started again (incarnation {event.incarnation})")


async def main() -> None:
    """Run both for half a second."""
    numbers: list[int] = []
    with subscribe(tell, ChildRestarting):
        async with open_supervisor([child(count, numbers), child(tick)], max_restarts=10):
            await trio.sleep(0.5)
    print("counted to", numbers[-1])


if __name__ == "__main__":
    trio.run(main)
