"""What the demo does."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from ..supervision import current_child
from ._sending import make_batches, send_all
from ._store import Store
from ._system import Settings, System, open_system
from ._tuning import find_batch_size

__all__ = ["Demo"]


@attrs.define(eq=False)
class Demo:
    """What is to be done, and with what."""

    root: Path
    files: Sequence[Path]
    workers: int
    crash_rate: float
    seed: int
    outage: float
    """For how many seconds one agent has no store."""

    batch_size: int | None = None
    """Files in a message; None until it is found."""

    system: System | None = None
    """What does it; None until it is open."""

    @property
    def settings(self) -> Settings:
        """How the system is made."""
        settings = Settings(
            root=self.root,
            workers=self.workers,
            crash_rate=self.crash_rate,
            seed=self.seed,
            max_restarts=too_many(2 * len(self.files), self.crash_rate),
            buffer_capacity=len(self.files),  # there is room for all, so that none is dropped
        )
        by_outage = math.ceil(self.outage / settings.pause)
        return attrs.evolve(settings, max_restarts=settings.max_restarts + by_outage)

    async def run(self, report: Callable[[Demo], Awaitable[None]]) -> None:
        """Have every file counted and stored."""
        if self.batch_size is None:
            self.batch_size = await find_batch_size(self.settings, self.files)
        batches = make_batches(self.files, self.batch_size)
        begin = trio.Event()

        def watch(done: int, total: int | None) -> None:
            if done > len(batches) / 3:
                begin.set()

        async with open_system(self.settings) as self.system:
            start = partial(self.system.tree.start_soon, restart="temporary")
            # A broken display is no reason to stop the work.
            start(report, self, name="reporter")
            first = next(iter(self.system.stores.values()))
            start(take_away, first, self.outage, begin, name="outage")
            await send_all(self.system, batches, watch)


async def take_away(store: Store, seconds: float, begin: trio.Event) -> None:
    await begin.wait()
    current_child().status = f"takes the store of {store.name} away"
    with store.outage():
        await trio.sleep(seconds)


def too_many(attempts: float, crash_rate: float) -> int:
    """Return how many crashes to bear in a whole run.

    On average p / (1 - p) for each attempt, since it is made until nobody crashes. Six standard
    deviations above that, and the usual three, are no chance any more.
    """
    mean = attempts * crash_rate / (1 - crash_rate)
    return math.ceil(mean + 6 * math.sqrt(mean / (1 - crash_rate))) + 3
